/** Writes plans and requests as the bytes that native/protocol.h describes. */
import { dnsPort, dnsRedirect } from "./dns-redirect.ts";
import type { FileMeta, FileOp } from "./kernel.ts";
import type { ExecPlan, HostOp, InitOp, LaunchPlan, NetlinkOp, NetworkChangePlan, ProcessOp } from "./plan.ts";

const utf8 = new TextEncoder();
const shortText = 64;

/** Little-endian bytes, growing as needed. Text and blobs carry their length before and a NUL behind, which is not counted. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(sizeBytes = 4096) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): number {
    const at = this.#length;
    if (at + count > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, at + count));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#length += count;
    return at;
  }

  u8(value: number | boolean): this {
    const at = this.#reserve(1);
    this.#bytes[at] = Number(value);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16LE(value & 0xffff, at);
    return this;
  }

  /** Negative numbers as two's complement. */
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32LE(value >>> 0, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, value), at);
    return this;
  }

  blob(bytes: Uint8Array): this {
    this.u32(bytes.length);
    const at = this.#reserve(bytes.length + 1);
    this.#bytes.set(bytes, at);
    this.#bytes[at + bytes.length] = 0;
    return this;
  }

  /** @throws RangeError for text with a NUL, which no path, argument or name can have */
  text(text: string | Uint8Array): this {
    if (typeof text === "string" && text.length <= shortText && this.#short(text)) return this;
    const bytes = typeof text === "string" ? utf8.encode(text) : text;
    if (bytes.includes(0)) throw new RangeError("a NUL in a name");
    return this.blob(bytes);
  }

  /** Most texts are addresses and names: they are not worth an encoder's call. @returns false, with nothing written, when it is not ASCII */
  #short(text: string): boolean {
    const at = this.#reserve(4 + text.length + 1);
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code === 0 || code > 127) {
        this.#length = at;
        return false;
      }
      bytes[at + 4 + index] = code;
    }
    bytes.writeUInt32LE(text.length, at);
    bytes[at + 4 + text.length] = 0;
    return true;
  }

  list(texts: readonly string[]): this {
    this.u32(texts.length);
    for (const text of texts) this.text(text);
    return this;
  }

  words(values: readonly number[]): this {
    this.u32(values.length);
    for (const value of values) this.u32(value);
    return this;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

const ipProtocols = { tcp: 6, udp: 17, sctp: 132 } as const;
const fillKinds = { copy: 1, mode: 2 } as const;
const createKinds = { none: 0, directory: 1, file: 2 } as const;

function encodeNetlink(to: ByteWriter, op: NetlinkOp): void {
  to.u8(11).u16(op.protocol).blob(op.message).words(op.netnsFdAt).words(op.ignore);
}

function encodeHostOp(to: ByteWriter, op: HostOp): void {
  switch (op.op) {
    case "mkdir":
      to.u8(1).text(op.path).u32(op.mode);
      return;
    case "write":
      to.u8(2)
        .text(op.path)
        .blob(utf8.encode(op.data))
        .u8(op.optional === true);
      return;
    case "rmdir":
      to.u8(3)
        .text(op.path)
        .u8(op.killMembers === true);
      return;
    case "unlink":
      to.u8(4).text(op.path);
      return;
    case "device-program":
      to.u8(5).text(op.cgroup).blob(op.instructions);
      return;
    case "bind-port":
      to.u8(6).u8(ipProtocols[op.protocol]).text(op.address).u16(op.port);
      to.text(op.relay?.address ?? "").u16(op.relay?.port ?? 0);
      return;
    case "overlay":
      to.u8(7).list(op.lower).text(op.upper).text(op.work).list(op.options);
      return;
    case "root-directory":
      to.u8(8).text(op.path);
      return;
    case "open-tree":
      to.u8(9)
        .u32(op.slot)
        .text(op.source)
        .text(op.subpath)
        .u8(op.recursive)
        .u8(op.engineOnly === true);
      return;
    case "image-tree":
      to.u8(12).u32(op.slot).list(op.lower).text(op.subpath);
      return;
    case "mount-at":
      to.u8(13).text(op.place).text(op.device).text(op.type).u32(op.flags).text(op.data);
      return;
    case "unmount-at":
      to.u8(14).text(op.place);
      return;
    case "copy-up":
      to.u8(15).list(op.lower).text(op.path).text(op.target);
      return;
    case "oom-counter":
      to.u8(10).text(op.path).text(op.key);
      return;
    case "netlink":
      encodeNetlink(to, op);
      return;
    default:
      op satisfies never;
  }
}

type ProcessName = ProcessOp["op"];
const processNames: ReadonlySet<string> = new Set<ProcessName>([
  "new-session",
  "rlimit",
  "apparmor",
  "selinux",
  "no-new-privileges",
  "seccomp",
  "groups",
  "user",
  "umask",
  "capabilities",
  "cwd",
  "exec",
]);

function isProcessOp(op: InitOp): op is ProcessOp {
  return processNames.has(op.op);
}

function encodeProcessOp(to: ByteWriter, op: ProcessOp): void {
  switch (op.op) {
    case "new-session":
      to.u8(64);
      return;
    case "rlimit":
      to.u8(65).u32(op.resource).u64(op.soft).u64(op.hard);
      return;
    case "apparmor":
      to.u8(66).text(op.profile);
      return;
    case "selinux":
      to.u8(67).text(op.label);
      return;
    case "no-new-privileges":
      to.u8(68);
      return;
    case "seccomp":
      to.u8(69).blob(op.filter).u32(op.flags);
      return;
    case "groups":
      to.u8(70).words(op.gids);
      return;
    case "user":
      to.u8(71).u32(op.uid).u32(op.gid);
      return;
    case "umask":
      to.u8(72).u32(op.mask);
      return;
    case "capabilities":
      to.u8(73).u64(op.bounding).u64(op.effective).u64(op.permitted).u64(op.inheritable).u64(op.ambient);
      return;
    case "cwd":
      to.u8(74)
        .text(op.path)
        .u8(op.create === true)
        .u32(op.uid ?? 0)
        .u32(op.gid ?? 0);
      return;
    case "exec":
      to.u8(75).list(op.argv).list(op.env);
      return;
    default:
      op satisfies never;
  }
}

type MountOp = Exclude<InitOp, ProcessOp>;

function encodeMountOp(to: ByteWriter, op: MountOp): void {
  switch (op.op) {
    case "netlink":
      encodeNetlink(to, op);
      return;
    case "mount":
      to.u8(32).text(op.type).text(op.source).text(op.target).u32(op.attributes).list(op.options);
      to.u8(op.fill === undefined ? 0 : fillKinds[op.fill])
        .u8(createKinds[op.create])
        .u8(op.optional === true);
      return;
    case "attach-tree":
      to.u8(33)
        .u32(op.slot)
        .text(op.source ?? "")
        .text(op.target)
        .u8(op.create === "auto");
      to.u32(op.set).u32(op.clear).u8(op.recursive).u32(op.propagation);
      return;
    case "mount-attributes":
      to.u8(34).text(op.target).u32(op.set).u32(op.clear).u8(op.recursive);
      return;
    case "readonly-path":
      to.u8(35).text(op.target);
      return;
    case "masked-path":
      to.u8(36).text(op.target);
      return;
    case "mkdir":
      to.u8(37).text(op.target).u32(op.mode);
      return;
    case "symlink":
      to.u8(38).text(op.target).text(op.linkTo);
      return;
    case "device":
      to.u8(39).text(op.target).u32(op.mode).u32(op.major).u32(op.minor).u32(op.uid).u32(op.gid);
      return;
    case "console":
      to.u8(40);
      return;
    case "root-propagation":
      to.u8(41).u32(op.flags);
      return;
    case "pivot-root":
      to.u8(42);
      return;
    case "root-readonly":
      to.u8(43);
      return;
    case "sysctl":
      to.u8(44).text(op.key).text(op.value);
      return;
    case "hostname":
      to.u8(45).text(op.name);
      return;
    case "domainname":
      to.u8(46).text(op.name);
      return;
    case "oom-score-adj":
      to.u8(47).u32(op.value);
      return;
    case "init-process":
      to.u8(48);
      return;
    default:
      op satisfies never;
  }
}

function encodeInitOp(to: ByteWriter, op: InitOp): void {
  if (isProcessOp(op)) encodeProcessOp(to, op);
  else encodeMountOp(to, op);
}

function encodeAll<Op>(to: ByteWriter, ops: readonly Op[], encode: (to: ByteWriter, op: Op) => void): void {
  to.u32(ops.length);
  for (const op of ops) encode(to, op);
}

const noRules = new Uint8Array();

function encodeDns(to: ByteWriter, dns: boolean): void {
  to.u16(dns ? dnsPort : 0).blob(dns ? dnsRedirect() : noRules);
}

export function encodeHostOps(ops: readonly HostOp[]): Buffer {
  const to = new ByteWriter();
  writeHostOps(to, ops);
  return to.bytes();
}

export function writeHostOps(to: ByteWriter, ops: readonly HostOp[]): void {
  encodeAll(to, ops, encodeHostOp);
}

export function writeInitOps(to: ByteWriter, ops: readonly InitOp[]): void {
  encodeAll(to, ops, encodeInitOp);
}

export function encodeLaunchPlan(plan: LaunchPlan): Buffer {
  const to = new ByteWriter(32_768);
  const { stdio, clone } = plan;
  to.text(plan.containerId).text(plan.socketPath).text(plan.exitPath);
  to.u8(stdio.tty).u8(stdio.openStdin).u8(stdio.stdinOnce).u16(stdio.rows).u16(stdio.columns);
  to.u8(stdio.log !== undefined).text(stdio.log?.path ?? "");
  to.u64(BigInt(stdio.log?.maxBytes ?? 0)).u32(stdio.log?.maxFiles ?? 0);
  to.text(stdio.log?.attrs ?? "").u8(stdio.log?.raw ?? false);
  encodeAll(to, plan.prepare, encodeHostOp);
  to.u64(BigInt(clone.newNamespaces >>> 0)).u32(clone.join.length);
  for (const { path, flag } of clone.join) to.text(path).u32(flag);
  to.text(clone.uidMap).text(clone.gidMap).text(clone.timeOffsets).text(clone.cgroup2).list(clone.cgroup1);
  encodeAll(to, plan.hostNetwork, encodeNetlink);
  encodeDns(to, plan.dns);
  encodeAll(to, plan.init, encodeInitOp);
  encodeAll(to, plan.cleanup, encodeHostOp);
  encodeAll(to, plan.networkCleanup, encodeHostOp);
  return to.bytes();
}

export function encodeNetworkChange(plan: NetworkChangePlan): Buffer {
  const to = new ByteWriter(8192);
  encodeAll(to, plan.prepare, encodeHostOp);
  encodeAll(to, plan.hostNetwork, encodeNetlink);
  encodeAll(to, plan.containerNetwork, encodeInitOp);
  encodeDns(to, plan.dns);
  to.u32(plan.release.length);
  for (const { protocol, address, port } of plan.release) to.u8(ipProtocols[protocol]).text(address).u16(port);
  encodeAll(to, plan.networkCleanup, encodeHostOp);
  return to.bytes();
}

export function encodeExecPlan(plan: ExecPlan): Buffer {
  const to = new ByteWriter(16_384);
  to.text(plan.execId).u8(plan.tty).u8(plan.openStdin).u8(plan.attachStdout).u8(plan.attachStderr);
  to.u16(plan.rows).u16(plan.columns);
  encodeAll(to, plan.process, encodeProcessOp);
  return to.bytes();
}

function encodeMeta(to: ByteWriter, meta: FileMeta): void {
  to.u32(meta.mode).u32(meta.uid).u32(meta.gid).u64(meta.mtimeNanos).u32(meta.xattrs.length);
  for (const [name, value] of meta.xattrs) to.text(name).blob(value);
}

/** Of a file whose bytes come behind it or, `opened`, are written by us: native/tree-write.c. */
export function writeStreamedFile(to: ByteWriter, path: Uint8Array, sizeBytes: number, meta: FileMeta, opened: boolean): void {
  encodeMeta(
    to
      .u8(opened ? 9 : 8)
      .text(path)
      .u64(BigInt(sizeBytes)),
    meta,
  );
}

export function encodeFileOp(to: ByteWriter, op: FileOp): void {
  switch (op.op) {
    case "directory":
      encodeMeta(to.u8(1).text(op.path), op);
      return;
    case "file":
      to.u8(2).text(op.path).text(op.source).u64(op.size).u32(op.extents.length);
      for (const [at, from, length] of op.extents) to.u64(at).u64(from).u64(length);
      encodeMeta(to, op);
      return;
    case "symlink":
      encodeMeta(to.u8(3).text(op.path).text(op.target), op);
      return;
    case "link":
      to.u8(4).text(op.path).text(op.target);
      return;
    case "node":
      encodeMeta(to.u8(5).text(op.path).u32(op.major).u32(op.minor), op);
      return;
    case "meta":
      encodeMeta(to.u8(6).text(op.path), op);
      return;
    case "remove":
      to.u8(7).text(op.path);
      return;
    default:
      op satisfies never;
  }
}
