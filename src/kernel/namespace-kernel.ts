/**
 * The network part of the kernel port for tests, through a small Python process: so that what is said to netlink is
 * tested without the broker, against network namespaces that play containers and other hosts. Not used by the daemon.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { readlink } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { systemError } from "../base/base.ts";
import type { Kernel } from "./kernel.ts";
import { findRefusal } from "./netlink-message.ts";
import type { HostOp, InitOp, NetlinkOp } from "./plan.ts";

const server = `
import ctypes, json, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)
def enter(fd):
    if libc.setns(fd, 0x40000000) != 0: raise OSError(ctypes.get_errno(), "setns")
def within(pid, work):
    if not pid: return work()
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        enter(fd)
        return work()
    finally:
        enter(home)
        os.close(fd)
# To close a netfilter socket behind a deletion waits for the kernel to have destroyed what was deleted.
kept = {}
def opened(protocol, pid):
    if pid == 0 and protocol in kept: return kept[protocol]
    s = within(pid, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
    s.setsockopt(270, 11, 1)
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    s.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)
    s.settimeout(5)
    if pid == 0: kept[protocol] = s
    return s
def netlink(protocol, message, pid, patch, target):
    s = opened(protocol, pid)
    message = bytearray(message)
    fds = []
    for at in patch:
        fds.append(os.open(f"/proc/{target}/ns/net", os.O_RDONLY))
        struct.pack_into("=I", message, at, fds[-1])
    s.send(message)
    answer = b""
    done = False
    while not done:
        part = s.recv(1 << 20)
        answer += part
        at = 0
        while at + 16 <= len(part):
            length, kind = struct.unpack_from("=IH", part, at)
            done = done or kind in (2, 3)
            at += (length + 3) & ~3
    for fd in fds: os.close(fd)
    s.settimeout(0)
    try:
        while True: s.recv(1 << 20)
    except BlockingIOError: s.settimeout(5)
    if pid != 0: s.close()
    return answer
def write(path, data):
    fd = os.open(path, os.O_WRONLY)
    try: os.write(fd, data.encode())
    finally: os.close(fd)
for line in sys.stdin:
    r = json.loads(line)
    try:
        if r["op"] == "netlink":
            out = {"answer": netlink(r["protocol"], bytes.fromhex(r["message"]), r["pid"], r["patch"], r["target"]).hex()}
        else:
            within(r["pid"], lambda: write(r["path"], r["data"]))
            out = {}
    except OSError as e:
        out = {"errno": e.errno or 5, "message": str(e)}
    print(json.dumps(out), flush=True)
`;

interface Reply {
  readonly answer?: string;
  readonly errno?: number;
  readonly message?: string;
}

/** What the kernel, or the Python process, refused with. */
class NetworkRefusal extends Error {
  readonly stage = "netlink";
  readonly errno: number;

  constructor(errno: number, message: string) {
    super(message);
    this.errno = errno;
  }
}

/** A process that keeps a network namespace: a container, or another host. */
export interface Namespace extends AsyncDisposable {
  readonly pid: number;
}

/** Ends a process and waits until it is gone, with its namespace's last reference. */
function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once("exit", () => done());
    child.kill("SIGKILL");
  });
}

async function ownNetwork(pid: number): Promise<boolean> {
  return (await readlink(`/proc/${pid}/ns/net`)) !== (await readlink("/proc/self/ns/net"));
}

/** A new namespace with nothing but a loopback that is down. */
export async function openNamespace(): Promise<Namespace> {
  const child = spawn("unshare", ["-n", "sleep", "600"], { stdio: "ignore" });
  const pid = child.pid ?? 0;
  while (!(await ownNetwork(pid))) await new Promise((done) => setTimeout(done, 2));
  return { pid, [Symbol.asyncDispose]: () => end(child) };
}

export class NamespaceKernel implements Pick<Kernel, "run" | "netlink" | "onFirewallChange">, AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null> = spawn("python3", ["-uc", server], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  readonly #waiting: ((reply: Reply) => void)[] = [];

  constructor() {
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#waiting.shift()?.(JSON.parse(line) as Reply));
    this.#child.on("exit", () => {
      for (const answer of this.#waiting.splice(0)) answer({ errno: 32, message: "the Python process has ended" });
    });
  }

  async #ask(request: Record<string, unknown>): Promise<Uint8Array> {
    const reply = await new Promise<Reply>((done) => {
      this.#waiting.push(done);
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (reply.errno !== undefined) throw systemError(reply.message ?? "", new NetworkRefusal(reply.errno, reply.message ?? ""));
    return Buffer.from(reply.answer ?? "", "hex");
  }

  /** As {@link Kernel.netlink}; `target`: whose namespace is patched in at `patch`. */
  async netlink(protocol: 0 | 12, message: Uint8Array, netnsPid = 0, patch: readonly number[] = [], target = 0): Promise<Uint8Array> {
    const hex = Buffer.from(message).toString("hex");
    const answer = await this.#ask({ op: "netlink", protocol, message: hex, pid: netnsPid, patch, target });
    const refusal = findRefusal(answer);
    if (refusal === undefined) return answer;
    const text = `netlink: errno ${refusal.errno} for message ${refusal.sequence}${refusal.message === undefined ? "" : ` (${refusal.message})`}`;
    throw systemError(text, new NetworkRefusal(refusal.errno, text));
  }

  /** The broker's affair: tests of the watch call it themselves. */
  onFirewallChange(): void {}

  async run(ops: readonly HostOp[]): Promise<void> {
    for (const op of ops) await this.#perform(op, 0, 0);
  }

  /** Does what a monitor and its init do with an endpoint's part of a launch plan. */
  async launch(plan: { hostNetwork: readonly NetlinkOp[]; containerNetwork: readonly InitOp[] }, container: Namespace): Promise<void> {
    for (const op of plan.hostNetwork) await this.#perform(op, 0, container.pid);
    for (const op of plan.containerNetwork) await this.#perform(op, container.pid, container.pid);
  }

  async #perform(op: HostOp | InitOp, pid: number, target: number): Promise<void> {
    try {
      switch (op.op) {
        case "netlink":
          await this.netlink(op.protocol, op.message, pid, op.netnsFdAt, target);
          return;
        case "write":
          await this.#ask({ op: "write", path: op.path, data: op.data, pid });
          return;
        case "sysctl":
          await this.#ask({ op: "write", path: `/proc/sys/${op.key.replaceAll(".", "/")}`, data: op.value, pid });
          return;
        default:
          throw new TypeError(`${op.op} is not an operation of the network`);
      }
    } catch (error) {
      const errno = error instanceof Error && error.cause instanceof NetworkRefusal ? error.cause.errno : 0;
      if (op.op === "netlink" && op.ignore.includes(errno)) return;
      if (op.op === "write" && op.optional === true && [2, 13].includes(errno)) return;
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child);
  }
}
