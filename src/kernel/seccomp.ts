/**
 * Compiles a seccomp profile (OCI runtime-spec config-linux.md, "Seccomp") to the classic BPF program that the kernel
 * runs at each system call: the architecture is told apart, the number found by binary search over ranges with one
 * answer, and only calls with conditions have their arguments looked at.
 *
 * Where rules meet, as with runc and libseccomp: a rule that says what the default says is passed over; a rule without
 * conditions stands above those with; otherwise the first that holds. Two conditions on one argument make alternatives.
 * A call newer than all that the profile names gets ENOSYS instead of an error, so that programs fall back.
 */
import { invalidParameter, notImplemented } from "../base/base.ts";
import type { SeccompProfile, SeccompRule } from "../spec/spec.ts";
import { bpf, encodeInstructions, FilterWriter, type Instruction, instruction, maxInstructions } from "./bpf.ts";
import { conditionalReturn } from "./seccomp-conditions.ts";
import type { Architecture } from "./seccomp-default.ts";
import { type SyscallArchitecture, syscallNumbers } from "./syscalls.ts";

export interface CompiledSeccomp {
  /** Raw struct sock_filter array. */
  readonly filter: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
}

const eperm = 1;
const enosys = 38;
const killThread = 0;
const allowAction = 0x7fff0000;
const logAction = 0x7ffc0000;
const x32Bit = 0x4000_0000;
const numberAt = 0;
const architectureAt = 4;

const auditArchitectures: Readonly<Record<Exclude<SyscallArchitecture, "x32">, number>> = {
  x86_64: 0xc000_003e,
  x86: 0x4000_0003,
  aarch64: 0xc000_00b7,
};

/** Those without a table here (32-bit arm) are killed at their first call, as any architecture that no profile names. */
const ociArchitectures: Readonly<Record<string, SyscallArchitecture>> = {
  SCMP_ARCH_X86_64: "x86_64",
  SCMP_ARCH_X86: "x86",
  SCMP_ARCH_X32: "x32",
  SCMP_ARCH_AARCH64: "aarch64",
};

const nativeArchitectures: Readonly<Record<Architecture, SyscallArchitecture>> = { x64: "x86_64", arm64: "aarch64" };

const filterFlags: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

function actionValue(action: string, errnoRet: number | undefined): number {
  const data = (errnoRet ?? eperm) & 0xffff;
  switch (action) {
    case "SCMP_ACT_ALLOW":
      return allowAction;
    case "SCMP_ACT_ERRNO":
      return (0x0005_0000 | data) >>> 0;
    case "SCMP_ACT_TRACE":
      return (0x7ff0_0000 | data) >>> 0;
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return killThread;
    case "SCMP_ACT_KILL_PROCESS":
      return 0x8000_0000;
    case "SCMP_ACT_TRAP":
      return 0x0003_0000;
    case "SCMP_ACT_LOG":
      return logAction;
    case "SCMP_ACT_NOTIFY":
      throw notImplemented("seccomp: SCMP_ACT_NOTIFY is not supported");
    default:
      throw invalidParameter(`invalid seccomp action: ${action}`);
  }
}

interface Rule {
  readonly name: string;
  readonly action: number;
  readonly conditions: NonNullable<SeccompRule["args"]>;
}

/** One rule a name, the ones that change nothing left out, conditions on one argument as alternatives. */
function rulesOf(profile: SeccompProfile, byDefault: number): Map<string, Rule[]> {
  const rules = new Map<string, Rule[]>();
  for (const { names, action, errnoRet, args } of profile.syscalls ?? []) {
    const value = actionValue(action, errnoRet);
    if (value === byDefault) continue;
    const all = args ?? [];
    const alternatives = new Set(all.map(({ index }) => index)).size < all.length ? all.map((one) => [one]) : [all];
    for (const name of names) {
      const known = rules.get(name) ?? [];
      rules.set(name, known);
      for (const conditions of alternatives) known.push({ name, action: value, conditions });
    }
  }
  return rules;
}

function answer(rules: readonly Rule[], byDefault: number): Instruction[] {
  const plain = rules.find((rule) => rule.conditions.length === 0);
  if (plain !== undefined) return [instruction(bpf.return, plain.action)];
  const conditional = rules.flatMap((rule) => conditionalReturn(rule.name, rule.conditions, rule.action));
  return [...conditional, instruction(bpf.return, byDefault)];
}

interface Range {
  readonly from: number;
  readonly program: readonly Instruction[];
}

function isSame(a: readonly Instruction[], b: readonly Instruction[]): boolean {
  return a.length === 1 && b.length === 1 && a[0]?.k === b[0]?.k;
}

/** Adjoining ranges over all numbers, each with one answer. */
function rangesOf(
  rules: ReadonlyMap<string, Rule[]>,
  named: ReadonlySet<string>,
  architecture: SyscallArchitecture,
  byDefault: number,
): Range[] {
  const numbers = syscallNumbers(architecture);
  const base = architecture === "x32" ? x32Bit : 0;
  const otherwise = [instruction(bpf.return, byDefault)];
  const answers = new Map<number, readonly Instruction[]>();
  let highest = -1;
  for (const name of named) {
    const number = numbers.get(name);
    if (number === undefined) continue;
    highest = Math.max(highest, number);
    const own = rules.get(name);
    if (own !== undefined) answers.set(number, answer(own, byDefault));
  }
  const ranges: Range[] = [];
  const add = (from: number, program: readonly Instruction[]): void => {
    const last = ranges.at(-1);
    if (last === undefined || !isSame(last.program, program)) ranges.push({ from: base + from, program });
  };
  for (let number = 0; number <= highest; number++) add(number, answers.get(number) ?? otherwise);
  const isLenient = byDefault === allowAction || byDefault === logAction;
  add(highest + 1, isLenient ? otherwise : [instruction(bpf.return, actionValue("SCMP_ACT_ERRNO", enosys))]);
  return ranges;
}

/** @returns the place where the search begins */
function search(writer: FilterWriter, ranges: readonly Range[]): number {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  if (pivot === undefined) throw new Error("a filter needs at least one range");
  if (middle > 0) {
    const below = search(writer, ranges.slice(0, middle));
    return writer.branch(bpf.jumpGreaterEqual, pivot.from, search(writer, ranges.slice(middle)), below);
  }
  const [first] = pivot.program;
  return pivot.program.length === 1 && first?.code === bpf.return ? writer.return(first.k) : writer.put(pivot.program);
}

function flagsOf(profile: SeccompProfile): number {
  // What runc sets where the profile does not say: no mitigation of speculative store bypass beyond the process's own.
  if (profile.flags === undefined) return filterFlags["SECCOMP_FILTER_FLAG_SPEC_ALLOW"] ?? 0;
  return profile.flags.reduce((bits, name) => {
    const bit = Object.hasOwn(filterFlags, name) ? filterFlags[name] : undefined;
    if (bit === undefined) throw invalidParameter(`seccomp flag not supported: ${name}`);
    return bits | bit;
  }, 0);
}

function compile(profile: SeccompProfile, native: Architecture): CompiledSeccomp {
  const byDefault = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  const rules = rulesOf(profile, byDefault);
  const named = new Set((profile.syscalls ?? []).flatMap((rule) => rule.names));
  const wanted = new Set<SyscallArchitecture>([nativeArchitectures[native]]);
  for (const name of profile.architectures ?? []) {
    const architecture = Object.hasOwn(ociArchitectures, name) ? ociArchitectures[name] : undefined;
    if (architecture !== undefined) wanted.add(architecture);
  }
  const writer = new FilterWriter();
  const tree = (architecture: SyscallArchitecture): number => search(writer, rangesOf(rules, named, architecture, byDefault));
  let start = writer.return(killThread);
  for (const architecture of [...wanted].reverse()) {
    if (architecture === "x32") continue;
    let calls = tree(architecture);
    if (architecture === "x86_64") {
      const marked = wanted.has("x32") ? tree("x32") : writer.return(killThread);
      calls = writer.branch(bpf.jumpGreaterEqual, x32Bit, marked, calls);
    }
    calls = writer.putBefore([instruction(bpf.load, numberAt)], calls);
    start = writer.branch(bpf.jumpEqual, auditArchitectures[architecture], calls, start);
  }
  writer.putBefore([instruction(bpf.load, architectureAt)], start);
  const program = writer.program();
  if (program.length > maxInstructions)
    throw invalidParameter(`seccomp profile too large: ${program.length} instructions, the kernel takes ${maxInstructions}`);
  return { filter: encodeInstructions(program), flags: flagsOf(profile) };
}

const compiled = new WeakMap<SeccompProfile, CompiledSeccomp>();

/**
 * @param native the machine's own architecture, which is always covered
 * @throws InvalidParameter for actions, operators, flags that do not exist; NotImplemented for SCMP_ACT_NOTIFY
 */
export function compileSeccomp(profile: SeccompProfile, native: Architecture): CompiledSeccomp {
  let result = compiled.get(profile);
  if (result === undefined) {
    result = compile(profile, native);
    compiled.set(profile, result);
  }
  return result;
}
