/**
 * Where throughput is measured: two containers on one user-defined network, their host, and another host on a wire. The
 * same made by hand, of veth pairs and a bridge with nothing else, is what the kernel can do without an engine.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { netProbe } from "../test/net-probe.ts";
import type { Engine } from "./engines.ts";

const execute = promisify(execFile);

/** Runs a program in one place to its end and gives what it prints. */
export type Place = (...command: string[]) => Promise<string>;

export interface Ground extends AsyncDisposable {
  readonly name: string;
  readonly host: Place;
  /** A host beside it, whose default route leads to it. */
  readonly outside: Place;
  /** A container without published ports. */
  readonly client: Place;
  /** A container in which `iperf3 -s` runs, published at port 5201 of the host. */
  readonly server: { readonly address: string };
  /** The host's address on the wire to `outside`. */
  readonly hostAddress: string;
}

export const networkImage = "bench-network:latest";

/** busybox, iperf3 with its libraries, and net-probe. */
export async function importNetworkImage(engine: Engine): Promise<void> {
  const root = mkdtempSync("/var/tmp/bench-network-");
  try {
    for (const name of ["bin", "etc", "tmp", "proc", "sys", "dev"]) mkdirSync(`${root}/${name}`);
    const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    execFileSync("sh", ["-ec", 'cp "$1" "$2/bin/busybox"; chroot "$2" /bin/busybox --install -s /bin', "sh", busybox, root]);
    copyFileSync(netProbe(), `${root}/bin/net-probe`);
    const program = execFileSync("sh", ["-c", "command -v iperf3"], { encoding: "utf8" }).trim();
    copyFileSync(program, `${root}/bin/iperf3`);
    for (const [library] of execFileSync("ldd", [program], { encoding: "utf8" }).matchAll(/\/\S+/g)) {
      mkdirSync(root + dirname(library), { recursive: true });
      copyFileSync(library, root + library);
    }
    await engine.cli(["import", "-", networkImage], execFileSync("tar", ["-c", "-C", root, "."], { maxBuffer: 1 << 30 }));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function inNamespaceOf(pid: number): Place {
  return async (...command) => (await execute("nsenter", [`--net=/proc/${pid}/ns/net`, "--", ...command], { maxBuffer: 1 << 26 })).stdout;
}

/** A network namespace, as long as its holder lives. */
async function makeNamespace(): Promise<ChildProcess & { readonly pid: number }> {
  const holder = spawn("unshare", ["-n", "sh", "-c", "ip link set lo up; echo there; exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((done) => holder.stdout.once("data", done));
  return holder as ChildProcess & { readonly pid: number };
}

const hostAddress = "198.18.0.1";

/** Joins a namespace to the host's, which has the process `host`. */
async function wire(host: number, outside: number): Promise<void> {
  const there = ["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "eth0", "netns", String(outside)];
  await inNamespaceOf(host)(...there);
  await inNamespaceOf(host)("sh", "-ec", `ip addr add ${hostAddress}/24 dev wire0; ip link set wire0 up`);
  await inNamespaceOf(outside)(
    "sh",
    "-ec",
    `ip addr add 198.18.0.2/24 dev eth0; ip link set eth0 up; ip route add default via ${hostAddress}`,
  );
}

/** Two network namespaces on a bridge in a third. */
export async function bareGround(): Promise<Ground> {
  const holders = await Promise.all([makeNamespace(), makeNamespace(), makeNamespace(), makeNamespace()]);
  const [host, outside, client, server] = holders;
  const [gateway, addresses] = ["198.18.1.1", ["198.18.1.2", "198.18.1.3"]];
  await inNamespaceOf(host.pid)(
    "sh",
    "-ec",
    `ip link add br0 type bridge; ip addr add ${gateway}/24 dev br0; ip link set br0 up; sysctl -qw net.ipv4.ip_forward=1`,
  );
  for (const [index, holder] of [client, server].entries()) {
    await inNamespaceOf(host.pid)(
      "sh",
      "-ec",
      `ip link add v${index} type veth peer name eth0 netns ${holder.pid}; ip link set v${index} master br0 up`,
    );
    const inside = `ip addr add ${addresses[index]}/24 dev eth0; ip link set eth0 up; ip route add default via ${gateway}`;
    await inNamespaceOf(holder.pid)("sh", "-ec", inside);
  }
  await wire(host.pid, outside.pid);
  const iperf = spawn("nsenter", [`--net=/proc/${server.pid}/ns/net`, "--", "iperf3", "-s"], { stdio: "ignore" });
  return {
    name: "bare",
    host: inNamespaceOf(host.pid),
    outside: inNamespaceOf(outside.pid),
    client: inNamespaceOf(client.pid),
    server: { address: addresses[1] ?? "" },
    hostAddress,
    [Symbol.asyncDispose]: async () => {
      for (const child of [iperf, ...holders]) child.kill("SIGKILL");
    },
  };
}

/** `engine` has the image already. */
export async function engineGround(engine: Engine): Promise<Ground> {
  await engine.cli(["network", "create", "ground"]);
  const run = async (...args: string[]): Promise<string> => (await engine.cli(["run", "-d", "--network", "ground", ...args])).trim();
  const client = await run(networkImage, "sleep", "100000");
  const server = await run("-p", "5201:5201", networkImage, "iperf3", "-s");
  const address = await engine.cli(["inspect", "-f", "{{.NetworkSettings.Networks.ground.IPAddress}}", server]);
  const outside = await makeNamespace();
  await wire(engine.pid, outside.pid);
  return {
    name: engine.name,
    host: inNamespaceOf(engine.pid),
    outside: inNamespaceOf(outside.pid),
    client: (...command) => engine.cli(["exec", client, ...command]),
    server: { address: address.trim() },
    hostAddress,
    [Symbol.asyncDispose]: async () => {
      await engine.cli(["rm", "-f", client, server]);
      await engine.cli(["network", "rm", "ground"]);
      outside.kill("SIGKILL");
    },
  };
}
