/** Engines that are not Berth, as clients of registries: podman, and Docker in the versions that this machine has. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, eventually, projectRoot, type Result } from "./daemon.ts";

export interface OtherEngine extends AsyncDisposable {
  /** Its client. `certificates`: a folder with the authorities that it is to trust, else whatever a server has is taken. */
  run(args: readonly string[], certificates?: string): Promise<Result>;
  /** An image's id. */
  idOf(name: string): Promise<string>;
}

export interface OtherEngineKind {
  readonly title: string;
  /** Why tests with it are passed over, or false. */
  readonly missing: string | false;
  /** Docker takes layers by zstd since version 23. */
  readonly knowsZstd: boolean;
  start(): Promise<OtherEngine>;
}

const podmanTree = process.env["PODMAN_TREE"] ?? "/var/tmp/berth-podman";
const trixie = process.env["PARITY_TREE"] ?? "/var/tmp/berth-peer-trixie";

async function startPodman(): Promise<OtherEngine> {
  const folder = mkdtempSync("/var/tmp/berth-test-podman-");
  const program = (name: string): string =>
    existsSync(`${podmanTree}/usr/bin/${name}`) ? `${podmanTree}/usr/bin/${name}` : `/usr/bin/${name}`;
  const programs = `[engine]\nconmon_path = ["${program("conmon")}"]\nruntime = "crun"\n[engine.runtimes]\ncrun = ["${program("crun")}"]\n`;
  writeFileSync(join(folder, "containers.conf"), programs);
  writeFileSync(join(folder, "registries.conf"), "");
  writeFileSync(join(folder, "auth.json"), "{}");
  writeFileSync(join(folder, "policy.json"), '{"default":[{"type":"insecureAcceptAnything"}]}');
  const env = {
    LD_LIBRARY_PATH: `${podmanTree}/usr/lib/x86_64-linux-gnu:${podmanTree}/usr/lib/aarch64-linux-gnu`,
    CONTAINERS_CONF: join(folder, "containers.conf"),
    CONTAINERS_REGISTRIES_CONF: join(folder, "registries.conf"),
    REGISTRY_AUTH_FILE: join(folder, "auth.json"),
    XDG_RUNTIME_DIR: folder,
    HOME: folder,
  };
  const roots = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--tmpdir", join(folder, "tmp")];
  const own = [...roots, "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"];
  const run = ([verb = "", ...rest]: readonly string[], certificates?: string): Promise<Result> => {
    const trust = certificates === undefined ? ["--tls-verify=false"] : ["--cert-dir", certificates];
    const policy = verb === "login" ? [] : ["--signature-policy", join(folder, "policy.json")];
    const more = ["pull", "push", "login"].includes(verb) ? [...trust, ...policy] : [];
    return command(program("podman"), [...own, verb, ...more, ...rest], { env });
  };
  return {
    run,
    idOf: async (name) => `sha256:${(await run(["image", "inspect", "-f", "{{.Id}}", name])).stdout.trim()}`,
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true });
    },
  };
}

async function startDocker(spawnIn: (folder: string, flags: readonly string[]) => ChildProcess): Promise<OtherEngine> {
  const folder = mkdtempSync("/var/tmp/berth-test-dockerd-");
  mkdirSync(join(folder, "config"));
  const engine = spawnIn(folder, ["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]);
  const env = { DOCKER_HOST: `unix://${folder}/d.sock`, DOCKER_CONFIG: join(folder, "config") };
  const run = (args: readonly string[]): Promise<Result> => command("docker", args, { env });
  const end = async (): Promise<void> => {
    const ended = new Promise((resolve) => engine.once("exit", resolve));
    if (engine.exitCode === null && engine.kill("SIGTERM")) await ended;
    // The tree of trixie has a folder of this name for its mount.
    for (const path of [folder, join(trixie, folder)]) rmSync(path, { recursive: true, force: true });
  };
  try {
    await eventually("dockerd", async () => ((await run(["version"])).status === 0 ? true : undefined), 60_000);
  } catch (error) {
    await end();
    throw error;
  }
  return { run, idOf: async (name) => (await run(["image", "inspect", "-f", "{{.Id}}", name])).stdout.trim(), [Symbol.asyncDispose]: end };
}

const ignored = { stdio: "ignore" } as const;

export const otherEngines: readonly OtherEngineKind[] = [
  {
    title: "podman",
    missing: existsSync(`${podmanTree}/usr/bin/podman`) ? false : "podman is not there (sh test/podman-of-debian.sh)",
    knowsZstd: true,
    start: startPodman,
  },
  {
    title: "Docker, as it is installed",
    missing: existsSync("/usr/sbin/dockerd") ? false : "dockerd is not installed",
    knowsZstd: false,
    start: () =>
      startDocker((folder, flags) => {
        const roots = ["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`, "--pidfile", `${folder}/pid`];
        return spawn("/usr/sbin/dockerd", [...roots, "-H", `unix://${folder}/d.sock`, ...flags], ignored);
      }),
  },
  {
    title: "Docker of Debian trixie",
    missing: existsSync(`${trixie}/usr/sbin/dockerd`) ? false : "Debian's Docker is not there (sh test/parity/docker-of-debian.sh true)",
    knowsZstd: true,
    start: () =>
      startDocker((folder, flags) => {
        const script = join(projectRoot, "test/parity/docker-of-debian.sh");
        return spawn("unshare", ["-m", "sh", script, "--engine", folder, ...flags], ignored);
      }),
  },
];

/** The client's output; fails unless it exits with 0. */
export async function ok(engine: OtherEngine, args: readonly string[], certificates?: string): Promise<string> {
  const { status, stdout, stderr } = await engine.run(args, certificates);
  assert.equal(status, 0, `${args.join(" ")}: ${status}\n${stderr}${stdout}`);
  return stdout.trim();
}
