/** For tests as root: a kernel in a directory of its own, and containers of a busybox root file system, made from plans. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Monitor } from "./kernel.ts";
import { openLinuxKernel } from "./linux.ts";
import type { ClonePlan, ExecPlan, HostOp, InitOp, LaunchPlan, ProcessOp, StdioPlan } from "./plan.ts";

/** BERTH_TEST_NATIVE: another build of the program, such as build/berth-native-asan. */
export const native: string = resolve(import.meta.dirname, "../../build", process.env["BERTH_TEST_NATIVE"] ?? "berth-native");

export const namespace = {
  mount: 0x20000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
  time: 0x80,
} as const;

export const usualNamespaces: number = namespace.mount | namespace.uts | namespace.ipc | namespace.pid | namespace.network;

export interface PlanChanges {
  readonly stdio?: Partial<StdioPlan>;
  readonly clone?: Partial<ClonePlan>;
  readonly prepare?: readonly HostOp[];
  /** Instead of the usual mounts and pivot-root. */
  readonly mounts?: readonly InitOp[];
  /** Between pivot-root and exec. */
  readonly process?: readonly InitOp[];
  readonly cleanup?: readonly HostOp[];
  readonly noLog?: boolean;
  readonly argv0?: string;
}

/** Everything that a stream gives until it ends. */
export async function textOf(stream: Socket): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** Takes the frames of a stream without a terminal apart. */
export function demultiplex(bytes: Buffer): { stdout: string; stderr: string } {
  const parts = { stdout: "", stderr: "" };
  for (let at = 0; at < bytes.length; ) {
    const stream = bytes[at];
    const length = bytes.readUInt32BE(at + 4);
    assert.ok(stream === 1 || stream === 2);
    parts[stream === 1 ? "stdout" : "stderr"] += bytes.toString("utf8", at + 8, at + 8 + length);
    at += 8 + length;
  }
  return parts;
}

export async function bytesOf(stream: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export const usualMounts: readonly InitOp[] = [
  { op: "mount", type: "proc", source: "proc", target: "/proc", attributes: 14, options: [], create: "directory" },
  { op: "mount", type: "tmpfs", source: "tmpfs", target: "/dev", attributes: 2, options: ["mode=755"], create: "directory" },
  {
    op: "mount",
    type: "devpts",
    source: "devpts",
    target: "/dev/pts",
    attributes: 10,
    options: ["newinstance", "ptmxmode=0666", "mode=0620"],
    create: "directory",
  },
  { op: "device", target: "/dev/null", mode: 0o20666, major: 1, minor: 3, uid: 0, gid: 0 },
  { op: "symlink", target: "/dev/ptmx", linkTo: "pts/ptmx" },
];

export class Bench implements AsyncDisposable {
  readonly directory: string;
  kernel: Awaited<ReturnType<typeof openLinuxKernel>>;
  readonly #mountsBefore = readFileSync("/proc/self/mountinfo", "utf8");
  #count = 0;

  private constructor(directory: string, kernel: Awaited<ReturnType<typeof openLinuxKernel>>) {
    this.directory = directory;
    this.kernel = kernel;
  }

  static async open(options: { program?: string; longPath?: boolean; classic?: boolean } = {}): Promise<Bench> {
    let directory = mkdtempSync("/var/tmp/berth-test-kernel-");
    if (options.longPath === true) directory = join(directory, "a".repeat(120), "b".repeat(100));
    for (const folder of ["bin", "proc", "dev", "etc", "tmp"]) mkdirSync(join(directory, "lower", folder), { recursive: true });
    const busybox = ["/bin/busybox", resolve(native, "../v2/busybox")].find((path) => existsSync(path));
    cpSync(busybox ?? "/bin/busybox", join(directory, "lower/bin/busybox"));
    for (const name of "sh cat echo sleep id ls tty stty hostname head seq kill ps mount stat readlink wc env true date".split(" "))
      symlinkSync("busybox", join(directory, "lower/bin", name));
    writeFileSync(join(directory, "lower/etc/passwd"), "root:x:0:0::/:/bin/sh\n");
    // Read by the broker when it starts: as if the kernel had no mount API but mount(2).
    if (options.classic === true) process.env["BERTH_CLASSIC_MOUNT"] = "1";
    const kernel = await openLinuxKernel({ native: options.program ?? native, execRoot: join(directory, "exec") });
    delete process.env["BERTH_CLASSIC_MOUNT"];
    return new Bench(directory, kernel);
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** A plan whose files are below `<directory>/<id>`. */
  plan(argv: readonly string[], changes: PlanChanges = {}): LaunchPlan {
    const id = `c${this.#count++}`;
    mkdirSync(this.path(id, "upper"), { recursive: true });
    mkdirSync(this.path(id, "work"));
    return {
      containerId: id,
      socketPath: this.path("exec", `${id}.sock`),
      exitPath: this.path(id, "exit.json"),
      stdio: {
        tty: false,
        openStdin: false,
        stdinOnce: false,
        rows: 0,
        columns: 0,
        ...(changes.noLog ? {} : { log: { path: this.path(id, "log"), maxBytes: 0, maxFiles: 1 } }),
        ...changes.stdio,
      },
      prepare: [
        { op: "overlay", lower: [this.path("lower")], upper: this.path(id, "upper"), work: this.path(id, "work"), options: [] },
        ...(changes.prepare ?? []),
      ],
      clone: {
        newNamespaces: usualNamespaces,
        join: [],
        uidMap: "",
        gidMap: "",
        timeOffsets: "",
        cgroup2: "",
        cgroup1: [],
        ...changes.clone,
      },
      hostNetwork: [],
      init: [
        ...(changes.mounts ?? usualMounts),
        { op: "pivot-root" },
        { op: "new-session" },
        ...(changes.process ?? []),
        { op: "exec", argv, env: ["PATH=/bin", "TERM=xterm"] },
      ],
      cleanup: changes.cleanup ?? [],
      dns: false,
      networkCleanup: [],
    };
  }

  /** Launches, attaches to the output, lets go. */
  async start(plan: LaunchPlan, stdin = false): Promise<{ monitor: Monitor; stream: Socket }> {
    const monitor = await this.kernel.launch(plan);
    await monitor.launched;
    const stream = await monitor.attach({ stdin, stdout: true, stderr: true });
    await monitor.go();
    return { monitor, stream };
  }

  async run(argv: readonly string[], changes: PlanChanges = {}): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    const plan = this.plan(argv, changes);
    const { monitor, stream } = await this.start(plan);
    const bytes = await bytesOf(stream);
    const exit = await monitor.exited;
    const output = plan.stdio.tty ? { stdout: bytes.toString(), stderr: "" } : demultiplex(bytes);
    return { ...output, exitCode: exit?.exitCode ?? -1 };
  }

  async sh(script: string, changes: PlanChanges = {}): Promise<string> {
    const result = await this.run(["sh", "-c", script], changes);
    assert.equal(result.exitCode, 0, `${script}\n${result.stdout}${result.stderr}`);
    return result.stdout.trim();
  }

  execPlan(argv: readonly string[], changes: Partial<ExecPlan> = {}, process: readonly ProcessOp[] = []): ExecPlan {
    return {
      execId: `e${this.#count++}`,
      tty: false,
      openStdin: false,
      attachStdout: true,
      attachStderr: true,
      rows: 0,
      columns: 0,
      process: [{ op: "new-session" }, ...process, { op: "exec", argv, env: ["PATH=/bin"] }],
      ...changes,
    };
  }

  log(plan: LaunchPlan): { log: string; stream: string; time: string }[] {
    return readFileSync(plan.stdio.log?.path ?? "", "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  /** Processes of ours that are still there: brokers, monitors and whatever they have started. */
  processes(): string[] {
    const broker = this.directory;
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(broker);
        } catch {
          return false;
        }
      });
  }

  /** Ends the broker and fails when anything is left: sockets, mounts, processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kernel[Symbol.asyncDispose]();
    for (let round = 0; round < 40 && this.#left().length > 0; round++) await sleep(50);
    const left = this.#left();
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), this.#mountsBefore, "the host's mounts are as they were");
    rmSync(this.directory.replace(/(\/var\/tmp\/[^/]+).*/, "$1"), { recursive: true });
    assert.deepEqual(left, []);
  }

  #left(): string[] {
    const sockets = readdirSync(this.path("exec")).filter((name) => name.endsWith(".sock"));
    return [...sockets, ...this.processes()];
  }
}
