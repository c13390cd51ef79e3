/** The encoder, the frame decoder of this side, and, under sanitizers, the decoder in C: whole plans, cut plans, changed bytes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeFrame, FrameDecoder, headerBytes, maxPayloadBytes, message, PayloadReader, readFailure } from "./frames.ts";
import type { ExecPlan, HostOp, InitOp, LaunchPlan, NetlinkOp, NetworkChangePlan, ProcessOp } from "./plan.ts";
import { ByteWriter, encodeExecPlan, encodeHostOps, encodeLaunchPlan, encodeNetworkChange } from "./plan-encoding.ts";

const netlink: NetlinkOp = { op: "netlink", protocol: 0, message: Uint8Array.of(1, 2, 3, 4), netnsFdAt: [0], ignore: [17, 95] };
const hostOps: readonly HostOp[] = [
  { op: "mkdir", path: "/a", mode: 0o755 },
  { op: "write", path: "/a", data: "ü", optional: true },
  { op: "rmdir", path: "/a", killMembers: true },
  { op: "unlink", path: "/a" },
  { op: "device-program", cgroup: "/c", instructions: new Uint8Array(16) },
  { op: "bind-port", protocol: "udp", address: "::1", port: 53 },
  { op: "bind-port", protocol: "tcp", address: "::", port: 80, relay: { address: "172.17.0.2", port: 8080 } },
  { op: "overlay", lower: ["/l1", "/l2"], upper: "/u", work: "/w", options: ["index=off"] },
  { op: "root-directory", path: "/" },
  { op: "open-tree", slot: 1, source: "/s", subpath: "a/b", recursive: true, engineOnly: true },
  { op: "image-tree", slot: 2, lower: ["/l1", "/l2"], subpath: "a" },
  { op: "mount-at", place: "/p", device: "tmpfs", type: "tmpfs", flags: 2, data: "size=1m" },
  { op: "unmount-at", place: "/p" },
  { op: "copy-up", lower: ["/l1"], path: "/etc", target: "/t" },
  { op: "oom-counter", path: "/m", key: "oom_kill" },
  netlink,
];
const processOps: readonly ProcessOp[] = [
  { op: "new-session" },
  { op: "rlimit", resource: 7, soft: 1024n, hard: 2n ** 64n - 1n },
  { op: "apparmor", profile: "p" },
  { op: "selinux", label: "l" },
  { op: "no-new-privileges" },
  { op: "seccomp", filter: new Uint8Array(8), flags: 2 },
  { op: "groups", gids: [1, 2 ** 32 - 1] },
  { op: "user", uid: 1, gid: 2 },
  { op: "umask", mask: 0o22 },
  { op: "capabilities", bounding: 1n, effective: 2n, permitted: 3n, inheritable: 4n, ambient: 2n ** 63n },
  { op: "cwd", path: "/w", create: true, uid: 1, gid: 2 },
  { op: "exec", argv: ["a", "", "ä"], env: ["A=b"] },
];
const initOps: readonly InitOp[] = [
  netlink,
  {
    op: "mount",
    type: "tmpfs",
    source: "t",
    target: "/t",
    attributes: 6,
    options: ["size=1m"],
    fill: "copy",
    create: "directory",
    optional: true,
  },
  { op: "attach-tree", slot: 1, source: "/a", target: "/b", create: "auto", set: 1, clear: 2, recursive: true, propagation: 0x44000 },
  { op: "mount-attributes", target: "/b", set: 1, clear: 0, recursive: false },
  { op: "readonly-path", target: "/proc/sys" },
  { op: "masked-path", target: "/proc/keys" },
  { op: "mkdir", target: "/d", mode: 0o700 },
  { op: "symlink", target: "/s", linkTo: "../x" },
  { op: "device", target: "/dev/null", mode: 0o20666, major: 1, minor: 3, uid: 0, gid: 0 },
  { op: "console" },
  { op: "root-propagation", flags: 0x84000 },
  { op: "pivot-root" },
  { op: "root-readonly" },
  { op: "sysctl", key: "net.core.somaxconn", value: "1" },
  { op: "hostname", name: "h" },
  { op: "domainname", name: "d" },
  { op: "oom-score-adj", value: -500 },
  { op: "init-process" },
  ...processOps,
];
const launchPlan: LaunchPlan = {
  containerId: "id",
  socketPath: "/s",
  exitPath: "/e",
  stdio: {
    tty: true,
    openStdin: true,
    stdinOnce: true,
    rows: 1,
    columns: 2,
    log: { path: "/l", maxBytes: 2 ** 40, maxFiles: 3, attrs: "{}" },
  },
  prepare: hostOps,
  clone: {
    newNamespaces: 0x2c020080,
    join: [{ path: "/proc/1/ns/net", flag: 0x40000000 }],
    uidMap: "0 1 2",
    gidMap: "0 1 2",
    timeOffsets: "",
    cgroup2: "/c",
    cgroup1: ["/1", "/2"],
  },
  hostNetwork: [netlink],
  init: initOps,
  cleanup: hostOps,
  dns: true,
  networkCleanup: hostOps,
};
const networkChange: NetworkChangePlan = {
  prepare: hostOps,
  hostNetwork: [netlink],
  containerNetwork: [netlink, { op: "sysctl", key: "net.ipv4.ip_forward", value: "1" }],
  dns: true,
  release: [
    { protocol: "tcp", address: "0.0.0.0", port: 80 },
    { protocol: "sctp", address: "::1", port: 65_535 },
  ],
  networkCleanup: hostOps,
};
const execPlan: ExecPlan = {
  execId: "e",
  tty: false,
  openStdin: true,
  attachStdout: true,
  attachStderr: false,
  rows: 0,
  columns: 0,
  process: processOps,
};

const fuzzer = resolve(import.meta.dirname, "../../build/fuzz-decode");

/** Feeds frames to the decoder in C. @returns its counts; a sanitizer's finding throws */
function decodeInC(frames: readonly Uint8Array[]): { frames: number; plans: number } {
  const parts = frames.flatMap((frame) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    return [length, frame];
  });
  const output = execFileSync(fuzzer, { input: Buffer.concat(parts), maxBuffer: 2 ** 20, stdio: ["pipe", "pipe", "pipe"] }).toString();
  const match = /^(\d+) frames, (\d+) plans\n$/.exec(output);
  assert.ok(match !== null, output);
  return { frames: Number(match[1]), plans: Number(match[2]) };
}

describe("plan encoding", () => {
  const launch = encodeFrame(1, message.launch, encodeLaunchPlan(launchPlan));
  const exec = encodeFrame(2, message.exec, encodeExecPlan(execPlan));
  const change = encodeFrame(3, message.changeNetwork, encodeNetworkChange(networkChange));

  test("a name with a NUL is refused", () => {
    assert.throws(() => encodeHostOps([{ op: "unlink", path: "/a\0b" }]), RangeError);
    assert.throws(() => new ByteWriter(1).text("a\0"), RangeError);
  });

  test("no byte is lost where the memory grows", () => {
    for (let sizeBytes = 1; sizeBytes < 64; sizeBytes++) {
      const small = new ByteWriter(sizeBytes);
      const large = new ByteWriter(4096);
      for (const to of [small, large]) for (let value = 1; value < 40; value++) to.u8(value).u16(value).u8(true).u32(value).text("ab");
      assert.deepEqual(small.bytes(), large.bytes());
    }
  });

  test("C reads every operation", { skip: !existsSync(fuzzer) && "make -C native test has not been run" }, () => {
    assert.deepEqual(decodeInC([launch, exec, change]), { frames: 3, plans: 3 });
  });

  test("C refuses each cut plan and survives any change", { skip: !existsSync(fuzzer) && "make -C native test has not been run" }, () => {
    for (const whole of [launch, exec, change]) {
      const payload = whole.subarray(headerBytes);
      const cut = Array.from(payload, (_, length) => encodeFrame(1, 3, payload.subarray(0, length)));
      assert.deepEqual(decodeInC(cut), { frames: cut.length, plans: 0 });
      const changed: Buffer[] = [];
      for (let at = 0; at < whole.length; at++)
        for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
          const copy = Buffer.from(whole);
          copy[at] = value;
          changed.push(copy);
        }
      decodeInC(changed);
    }
    const seeds = fc.sample(
      fc.tuple(fc.constantFrom(launch, exec, change), fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.boolean()), { maxLength: 12 })),
      4000,
    );
    decodeInC(
      seeds.map(([whole, changes]) => {
        let copy = Buffer.from(whole);
        for (const [place, value, cuts] of changes) {
          const at = place % Math.max(1, copy.length);
          if (cuts) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at + (value % 9))]);
          else copy[at] = value;
        }
        if (copy.length >= 4) copy.writeUInt32LE(Math.max(0, copy.length - headerBytes), 0);
        return copy;
      }),
    );
  });
});

describe("frames", () => {
  test("come out as they went in, however they were cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(0xffff_ffff), fc.nat(0xffff), fc.uint8Array({ maxLength: 300 })), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (frames, sizes) => {
          const bytes = Buffer.concat(frames.map(([id, type, payload]) => encodeFrame(id, type, payload)));
          const decoder = new FrameDecoder();
          const seen: [number, number, Uint8Array][] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            for (const { id, type, payload } of decoder.push(bytes.subarray(at, at + size)))
              seen.push([id, type, Uint8Array.from(payload)]);
            at += size;
          }
          assert.deepEqual(seen, frames);
          assert.equal(decoder.rest().length, 0);
        },
      ),
    );
  });

  test("a length beyond the limit, a payload that is too short", () => {
    const header = Buffer.alloc(headerBytes);
    header.writeUInt32LE(maxPayloadBytes + 1);
    assert.throws(() => new FrameDecoder().push(header), RangeError);
    assert.throws(() => encodeFrame(1, 1, new Uint8Array(maxPayloadBytes + 1)), RangeError);
    assert.throws(() => new PayloadReader(Buffer.from([255, 255, 255, 255, 0])).text(), RangeError);
    assert.throws(() => readFailure(Buffer.alloc(3)), RangeError);
  });

  test("a failure is read as it was written", () => {
    const payload = new ByteWriter().text("exec").u32(2).text("nosuch").bytes();
    assert.deepEqual(readFailure(payload), { stage: "exec", errno: 2, message: "nosuch" });
  });
});
