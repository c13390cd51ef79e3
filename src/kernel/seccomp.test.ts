import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SeccompProfile } from "../spec/spec.ts";
import { maxInstructions } from "./bpf.ts";
import { runFilter } from "./bpf-interpreter.ts";
import { capabilityNames, defaultCapabilities } from "./capabilities.ts";
import { compileSeccomp } from "./seccomp.ts";
import { defaultSeccomp } from "./seccomp-default.ts";
import { parseSeccompProfile } from "./seccomp-profile.ts";
import { additions, allowedWith } from "./seccomp-table.ts";
import { type SyscallArchitecture, syscallNumbers } from "./syscalls.ts";

const audit = { x86_64: 0xc000_003e, x86: 0x4000_0003, aarch64: 0xc000_00b7 } as const;
const allow = 0x7fff_0000;
const errno = (number: number): number => 0x0005_0000 | number;
const release = "6.18.0";

/** Docker's own profile, where the reference data is at hand. */
const reference = resolve(import.meta.dirname, "../../../shared/data/seccomp-default.json");
const skip = existsSync(reference) ? false : `${reference} is not here`;

type Rules = NonNullable<SeccompProfile["syscalls"]>;

/** name → its rules as sorted text, so that two profiles can be compared whatever their shape. */
function expanded(profile: SeccompProfile): Map<string, string[]> {
  const result = new Map<string, Set<string>>();
  for (const { names, action, errnoRet, args } of profile.syscalls ?? []) {
    const conditions = (args ?? []).map(({ index, op, value, valueTwo = 0 }) => `${index} ${op} ${value} ${valueTwo}`);
    for (const name of names) {
      const rules = result.get(name) ?? new Set();
      rules.add([action, errnoRet ?? "", ...conditions].join(" "));
      result.set(name, rules);
    }
  }
  return new Map([...result].map(([name, rules]) => [name, [...rules].sort()]));
}

const capabilitySets: readonly (readonly string[])[] = [
  [],
  defaultCapabilities,
  capabilityNames,
  ...Object.keys(allowedWith).map((name) => [...defaultCapabilities, name]),
];

describe("the default policy", () => {
  test("is Docker's, system call by system call, arguments included, save for our additions", { skip }, () => {
    const text = readFileSync(reference, "utf8");
    for (const arch of ["x64", "arm64"] as const) {
      for (const capabilities of capabilitySets) {
        for (const kernel of ["4.4.0", "4.8.0", release]) {
          const ours = expanded(defaultSeccomp(capabilities, arch, kernel));
          const theirs = expanded(parseSeccompProfile(text, capabilities, arch, kernel));
          // Docker: everything but AF_VSOCK. Ours: the same without AF_ALG, as ranges.
          assert.deepEqual(theirs.get("socket"), ["SCMP_ACT_ALLOW  0 SCMP_CMP_NE 40 0"]);
          assert.deepEqual(ours.get("socket"), [
            "SCMP_ACT_ALLOW  0 SCMP_CMP_EQ 39 0",
            "SCMP_ACT_ALLOW  0 SCMP_CMP_GT 40 0",
            "SCMP_ACT_ALLOW  0 SCMP_CMP_LT 38 0",
          ]);
          ours.delete("socket");
          theirs.delete("socket");
          assert.ok(theirs.size > 350);
          assert.deepEqual(ours, theirs, `${arch} ${kernel} ${capabilities.join()}`);
        }
      }
    }
    assert.deepEqual(
      additions.map(({ what }) => what),
      ["socket(AF_ALG)"],
    );
  });

  test("has Docker's default action, error and architectures", { skip }, () => {
    const theirs = parseSeccompProfile(readFileSync(reference, "utf8"), [], "x64", release);
    const ours = defaultSeccomp([], "x64", release);
    assert.equal(ours.defaultAction, theirs.defaultAction);
    assert.equal(ours.defaultErrnoRet, theirs.defaultErrnoRet);
    assert.deepEqual(ours.architectures, theirs.architectures);
  });

  test("the same question gives the same object, and the same filter", () => {
    const first = defaultSeccomp(defaultCapabilities, "x64", release);
    assert.equal(defaultSeccomp([...defaultCapabilities].reverse(), "x64", release), first);
    assert.equal(compileSeccomp(first, "x64").filter, compileSeccomp(first, "x64").filter);
  });

  test("no kernel call on this table is without a number on x86_64 that has one in the headers", () => {
    for (const name of ["io_uring_setup", "clone3", "mseal", "listns", "removexattrat", "uretprobe"])
      assert.ok(syscallNumbers("x86_64").has(name), name);
    assert.equal(syscallNumbers("x86_64").get("read"), 0);
    assert.equal(syscallNumbers("x86").get("socketcall"), 102);
    assert.equal(syscallNumbers("aarch64").get("openat"), 56);
    assert.equal(syscallNumbers("x32").get("execve"), 520);
  });
});

/** What the rules say of a call, straight from the profile: the measure for the compiled filter. */
function expected(profile: SeccompProfile, name: string, args: readonly bigint[], narrow: boolean): number {
  const value = ({ action, errnoRet }: { action: string; errnoRet?: number }): number =>
    action === "SCMP_ACT_ALLOW" ? allow : errno(errnoRet ?? 1);
  const rules = (profile.syscalls ?? []).filter(({ names }) => names.includes(name));
  const plain = rules.find(({ args: conditions }) => conditions === undefined);
  if (plain !== undefined) return value(plain);
  const cut = (number: bigint): bigint => BigInt.asUintN(narrow ? 32 : 64, number);
  for (const rule of rules) {
    const holds = (rule.args ?? []).every(({ index, op, value: limit, valueTwo = 0 }) => {
      const actual = cut(args[index] ?? 0n);
      const wanted = cut(BigInt(limit));
      switch (op) {
        case "SCMP_CMP_EQ":
          return actual === wanted;
        case "SCMP_CMP_NE":
          return actual !== wanted;
        case "SCMP_CMP_LT":
          return actual < wanted;
        case "SCMP_CMP_LE":
          return actual <= wanted;
        case "SCMP_CMP_GT":
          return actual > wanted;
        case "SCMP_CMP_GE":
          return actual >= wanted;
        case "SCMP_CMP_MASKED_EQ":
          return (actual & wanted) === BigInt(valueTwo);
        default:
          throw new Error(op);
      }
    });
    if (holds) return value(rule);
  }
  return errno(profile.defaultErrnoRet ?? 1);
}

describe("the compiled filter", () => {
  const architectures: readonly (readonly ["x64" | "arm64", SyscallArchitecture, number, number])[] = [
    ["x64", "x86_64", audit.x86_64, 0],
    ["x64", "x86", audit.x86, 0],
    ["x64", "x32", audit.x86_64, 0x4000_0000],
    ["arm64", "aarch64", audit.aarch64, 0],
  ];
  const arguments_: readonly bigint[] = [
    0n,
    8n,
    38n,
    39n,
    40n,
    41n,
    0x20000n,
    0x20008n,
    0xffffffffn,
    0x1000_0026n,
    0x7e02_0000n,
    0x1_0000_0026n,
  ];

  test("answers every system call of every architecture as the profile says", () => {
    for (const capabilities of capabilitySets) {
      for (const [machine, architecture, number, bit] of architectures) {
        const profile = defaultSeccomp(capabilities, machine, release);
        const { filter } = compileSeccomp(profile, machine);
        assert.ok(filter.length / 8 < maxInstructions / 2, `${filter.length / 8} instructions`);
        const named = new Set((profile.syscalls ?? []).flatMap(({ names }) => names));
        const highest = Math.max(...[...named].map((name) => syscallNumbers(architecture).get(name) ?? 0));
        for (const [name, at] of syscallNumbers(architecture)) {
          for (const value of ["socket", "personality", "clone"].includes(name) ? arguments_ : [0n]) {
            const answer = runFilter(filter, { architecture: number, number: at + bit, args: [value] });
            const wanted = at > highest ? errno(38) : expected(profile, name, [value], name !== "clone");
            assert.equal(answer, wanted, `${architecture} ${name}(${value})`);
          }
        }
      }
    }
  });

  test("a number that no table has is refused; one beyond the newest call does not exist", () => {
    const { filter } = compileSeccomp(defaultSeccomp(defaultCapabilities, "x64", release), "x64");
    assert.equal(runFilter(filter, { architecture: audit.x86_64, number: 400 }), errno(1));
    for (const number of [467, 1000, 0x3fff_ffff]) assert.equal(runFilter(filter, { architecture: audit.x86_64, number }), errno(38));
    assert.equal(runFilter(filter, { architecture: audit.x86_64, number: 0xffff_ffff }), errno(38));
  });

  test("another architecture is killed", () => {
    const { filter } = compileSeccomp(defaultSeccomp(defaultCapabilities, "x64", release), "x64");
    assert.equal(runFilter(filter, { architecture: audit.aarch64, number: 64 }), 0);
    const alone = compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW" }, "x64").filter;
    assert.equal(runFilter(alone, { architecture: audit.x86, number: 1 }), 0);
    assert.equal(runFilter(alone, { architecture: audit.x86_64, number: 0x4000_0001 }), 0);
    assert.equal(runFilter(alone, { architecture: audit.x86_64, number: 5000 }), allow);
  });

  test("the kernel's 32 bits of a socket family decide: high bits do not get past", () => {
    const { filter } = compileSeccomp(defaultSeccomp(defaultCapabilities, "x64", release), "x64");
    const socket = (family: bigint): number => runFilter(filter, { architecture: audit.x86_64, number: 41, args: [family] });
    assert.equal(socket(38n), errno(1));
    assert.equal(socket(0x1_0000_0026n), errno(1));
    assert.equal(socket(0xdead_beef_0000_0028n), errno(1));
    assert.equal(socket(2n), allow);
    assert.equal(socket(-1n), allow);
  });

  const ops = ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"].map((op) => `SCMP_CMP_${op}`);
  const value = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }), fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 32n - 1n, 2n ** 32n + 1n));

  test("64-bit conditions, alone and together", () => {
    const condition = fc.record({ index: fc.integer({ min: 0, max: 5 }), op: fc.constantFrom(...ops), value, valueTwo: value });
    fc.assert(
      fc.property(
        fc.uniqueArray(condition, { selector: ({ index }) => index, minLength: 1, maxLength: 6 }),
        fc.array(value, { minLength: 6, maxLength: 6 }),
        fc.boolean(),
        (conditions, values, near) => {
          const args = conditions.map((one) => ({ ...one, value: Number(one.value), valueTwo: Number(one.valueTwo) }));
          const profile: SeccompProfile = {
            defaultAction: "SCMP_ACT_ERRNO",
            syscalls: [{ names: ["mmap"], action: "SCMP_ACT_ALLOW", args }],
          };
          // Half of the time the argument is right at the limit.
          const actual = values.map((one, index) => (near ? (conditions.find((entry) => entry.index === index)?.value ?? one) : one));
          const answer = runFilter(compileSeccomp(profile, "x64").filter, { architecture: audit.x86_64, number: 9, args: actual });
          assert.equal(answer, expected(profile, "mmap", actual, false));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("conditions on one argument are alternatives", () => {
    const args = [1, 2].map((one) => ({ index: 0, value: one, op: "SCMP_CMP_EQ" }));
    const { filter } = compileSeccomp(
      { defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["close"], action: "SCMP_ACT_ALLOW", args }] },
      "x64",
    );
    const close = (fd: bigint): number => runFilter(filter, { architecture: audit.x86_64, number: 3, args: [fd] });
    assert.deepEqual([close(1n), close(2n), close(3n)], [allow, allow, errno(1)]);
  });

  test("actions and flags", () => {
    const answer = (action: string, errnoRet?: number): number =>
      runFilter(
        compileSeccomp(
          { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action, ...(errnoRet === undefined ? {} : { errnoRet }) }] },
          "x64",
        ).filter,
        {
          architecture: audit.x86_64,
          number: 0,
        },
      );
    assert.equal(answer("SCMP_ACT_ERRNO", 13), errno(13));
    assert.equal(answer("SCMP_ACT_ERRNO"), errno(1));
    assert.equal(answer("SCMP_ACT_KILL"), 0);
    assert.equal(answer("SCMP_ACT_KILL_PROCESS"), 0x8000_0000);
    assert.equal(answer("SCMP_ACT_TRAP"), 0x0003_0000);
    assert.equal(answer("SCMP_ACT_TRACE", 5), 0x7ff0_0005);
    assert.equal(answer("SCMP_ACT_LOG"), 0x7ffc_0000);
    assert.throws(() => answer("SCMP_ACT_NOTIFY"), { code: "NotImplemented" });
    assert.throws(() => answer("SCMP_ACT_X"), { code: "InvalidParameter" });
    assert.equal(compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW" }, "x64").flags, 4);
    assert.equal(compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_LOG"] }, "x64").flags, 2);
    assert.throws(() => compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", flags: ["X"] }, "x64"), { code: "InvalidParameter" });
  });

  test("a profile beyond the kernel's limit is refused", () => {
    const names = [...syscallNumbers("x86_64").keys()];
    const args = (offset: number): NonNullable<Rules[number]["args"]> =>
      [0, 1, 2, 3, 4, 5].map((index) => ({ index, value: offset, op: "SCMP_CMP_EQ" }));
    const syscalls = names.map((name, index) => ({ names: [name], action: "SCMP_ACT_ALLOW", args: args(index) }));
    assert.throws(() => compileSeccomp({ defaultAction: "SCMP_ACT_ERRNO", syscalls }, "x64"), /too large/);
  });

  const noPython = spawnSync("python3", ["-V"]).status === 0 ? false : "python3 is not here";
  test("the kernel takes the filter, and does what it says", { skip: process.arch === "x64" ? noPython : "for x86_64" }, () => {
    const { filter, flags } = compileSeccomp(defaultSeccomp(defaultCapabilities, "x64", release), "x64");
    const script = `
import ctypes, socket, os, base64, sys
libc = ctypes.CDLL(None, use_errno=True)
raw = base64.b64decode(sys.argv[1])
class Prog(ctypes.Structure): _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
buffer = ctypes.create_string_buffer(raw, len(raw))
prog = Prog(len(raw) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(317, 1, ${flags}, ctypes.byref(prog)) == 0, ctypes.get_errno()
def call(*args):
  r = libc.syscall(*args)
  return "ok" if r >= 0 else ctypes.get_errno()
print(call(39), call(41, 1, 1, 0), call(41, 38, 5, 0), call(41, ctypes.c_uint64(0x100000026), 5, 0), call(435, 0, 0), call(467), call(272, 0x10000000), call(135, 0xffffffff), call(135, 1))
`;
    const out = execFileSync("python3", ["-c", script, Buffer.from(filter).toString("base64")], { encoding: "utf8" });
    assert.equal(out.trim(), "ok ok 1 1 38 38 1 ok 1");
  });
});
