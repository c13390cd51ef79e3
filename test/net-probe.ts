/** `net-probe` (net-probe.c) as a program of the host and in an image. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { busyboxRootfs, command, type Daemon, eventually, projectRoot } from "./daemon.ts";
import type { OtherHost } from "./other-host.ts";

/** Path of the program, built when it is missing or older than its source. Where it lies the v2 machine, which has no compiler, finds it. */
export function netProbe(): string {
  const folder = join(projectRoot, "build/v2");
  const [program, source] = [join(folder, "net-probe"), join(import.meta.dirname, "net-probe.c")];
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(folder, { recursive: true });
    const fresh = `${program}.${process.pid}`;
    execFileSync("cc", ["-static", "-O2", "-o", fresh, source], { stdio: "pipe" });
    renameSync(fresh, program);
  }
  return program;
}

/** Imports busybox with `net-probe` in /bin as `probe:latest`. */
export async function importProbe(daemon: Daemon): Promise<void> {
  const root = await mkdtemp("/var/tmp/berth-test-probe-");
  try {
    const script = `cd "$1" && tar -xf - && cp "$2" bin/net-probe && tar -cf "$1.tar" --sort=name .`;
    const made = await command("sh", ["-ec", script, "sh", root, netProbe()], { input: await busyboxRootfs() });
    assert.equal(made.status, 0, made.stderr);
    const result = await daemon.docker(["import", "-", "probe:latest"], { input: await readFile(`${root}.tar`) });
    assert.equal(result.status, 0, result.stderr);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
}

/** Where a question is asked: in a container of this name, on another host, or on the host under test. */
export type Asker = string | OtherHost | undefined;

/** Servers in containers, and who reaches them. */
export class Probes {
  readonly daemon: Daemon;

  constructor(daemon: Daemon) {
    this.daemon = daemon;
  }

  /** Runs a server as container and host name `name`; `args` as of `docker run`. Ready when it returns. */
  async serve(name: string, args: readonly string[], ...ports: string[]): Promise<void> {
    const serves = ["net-probe", "serve", ...(ports.length > 0 ? ports : ["80"])];
    await this.daemon.ok("run", "-d", "--name", name, "--hostname", name, ...args, "probe", ...serves);
    await this.ready(name);
  }

  async ready(name: string): Promise<void> {
    await eventually(`${name} serving`, async () => (await this.daemon.ok("logs", name)).endsWith("serving") || undefined);
  }

  /** The server's answer, `HOSTNAME CLIENT OWN`; undefined when there is none in time. */
  async ask(from: Asker, protocol: "tcp" | "udp" | "sctp", address: string, port = 80, timeoutMs = 2000): Promise<string | undefined> {
    const words = ["ask", protocol, address, String(port), String(timeoutMs)];
    const result =
      from === undefined
        ? await command(netProbe(), words)
        : typeof from === "string"
          ? await this.daemon.docker(["exec", from, "net-probe", ...words])
          : await from.run([netProbe(), ...words]);
    return result.status === 0 ? result.stdout.trim() : undefined;
  }

  /** By the container's own resolver: the first word of what its server says. */
  async byName(from: string, name: string, port = 80): Promise<string | undefined> {
    const result = await this.daemon.docker(["exec", from, "sh", "-c", `echo | timeout 3 nc -w 2 ${name} ${port}`]);
    return result.status === 0 ? result.stdout.split(" ")[0] : undefined;
  }

  /** What `docker inspect` says of a container's place in a network; `GlobalIPv6Address` and the like are other fields. */
  address(container: string, network: string, field = "IPAddress"): Promise<string> {
    return this.daemon.ok("inspect", "-f", `{{with index .NetworkSettings.Networks "${network}"}}{{.${field}}}{{end}}`, container);
  }

  /** A field of the network's pool number `index`, such as Subnet or Gateway. */
  pool(network: string, field: string, index = 0): Promise<string> {
    return this.daemon.ok("network", "inspect", "-f", `{{(index .IPAM.Config ${index}).${field}}}`, network);
  }
}
