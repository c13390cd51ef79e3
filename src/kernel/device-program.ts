/**
 * The device allow-list of a cgroup v2 group as an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE). The kernel runs it at
 * each open and mknod of a device node; 1 allows, 0 refuses. Source: include/uapi/linux/bpf.h.
 */
import type { LinuxResources } from "../spec/spec.ts";

export type DeviceRule = NonNullable<LinuxResources["devices"]>[number];

/** Of struct bpf_cgroup_dev_ctx: access << 16 | type, then major, minor. */
const context = { access: 0, major: 4, minor: 8 } as const;
const typeNumber = { b: 1, c: 2 } as const;
const accessBits: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** struct bpf_insn: code, dst | src << 4, off (s16), imm (s32). */
interface Insn {
  readonly code: number;
  readonly registers: number;
  readonly offset: number;
  readonly immediate: number;
}

const insn = (code: number, to: number, from: number, offset: number, immediate: number): Insn => ({
  code,
  registers: to | (from << 4),
  offset,
  immediate,
});
const loadWord = (to: number, from: number, offset: number): Insn => insn(0x61, to, from, offset, 0);
const moveImmediate = (to: number, value: number): Insn => insn(0xb7, to, 0, 0, value);
const moveRegister = (to: number, from: number): Insn => insn(0xbf, to, from, 0, 0);
const and32 = (to: number, value: number): Insn => insn(0x54, to, 0, 0, value);
const shiftRight32 = (to: number, bits: number): Insn => insn(0x74, to, 0, 0, bits);
const jumpNotEqual = (register: number, value: number, skip: number): Insn => insn(0x55, register, 0, skip, value);
const jumpEqual = (register: number, value: number, skip: number): Insn => insn(0x15, register, 0, skip, value);
const exit: Insn = insn(0x95, 0, 0, 0, 0);

/** Registers of the program: what is asked for. */
const type = 2;
const access = 3;
const major = 4;
const minor = 5;
const scratch = 1;

const isAny = (number: number | undefined): boolean => number === undefined || number < 0;

function bitsOf(text: string | undefined): number {
  return [...(text ?? "rwm")].reduce((bits, letter) => bits | (accessBits[letter] ?? 0), 0);
}

/** One answer when the device fits the rule; otherwise the next rule's turn. */
function ruleInstructions(rule: DeviceRule): Insn[] {
  const bits = bitsOf(rule.access);
  const tests: ((skip: number) => Insn)[] = [];
  const setup: Insn[] = [];
  if (rule.type === "b" || rule.type === "c") {
    const number = typeNumber[rule.type];
    tests.push((skip) => jumpNotEqual(type, number, skip));
  }
  if (!isAny(rule.major)) tests.push((skip) => jumpNotEqual(major, rule.major ?? 0, skip));
  if (!isAny(rule.minor)) tests.push((skip) => jumpNotEqual(minor, rule.minor ?? 0, skip));
  if (bits !== 7) {
    // An allowance must cover all that is asked for; a refusal needs to touch only some of it.
    setup.push(moveRegister(scratch, access), and32(scratch, rule.allow ? 7 & ~bits : bits));
    tests.push((skip) => (rule.allow ? jumpNotEqual(scratch, 0, skip) : jumpEqual(scratch, 0, skip)));
  }
  const verdict = [moveImmediate(0, rule.allow ? 1 : 0), exit];
  return [...setup, ...tests.map((test, index) => test(tests.length - 1 - index + verdict.length)), ...verdict];
}

const sameDevice = (a: DeviceRule, b: DeviceRule): boolean =>
  a.allow && b.allow && a.type === b.type && a.major === b.major && a.minor === b.minor;

/** Neighbouring allowances of one device become one, so that `r` and `w` together allow `rw`, as on v1. */
function merged(rules: readonly DeviceRule[]): DeviceRule[] {
  const result: DeviceRule[] = [];
  for (const rule of rules) {
    const known = result.findIndex((one) => sameDevice(one, rule));
    const refusedSince = known >= 0 && result.slice(known).some((one) => !one.allow);
    const earlier = result[known];
    if (earlier === undefined || refusedSince) result.push(rule);
    else result[known] = { ...earlier, access: [...new Set([...(earlier.access ?? "rwm"), ...(rule.access ?? "rwm")])].join("") };
  }
  return result;
}

/** Whether the last word of the rules is that everything is allowed. */
export function isUnrestricted(rules: readonly DeviceRule[]): boolean {
  const last = rules.findLastIndex((rule) => (rule.type ?? "a") === "a" && isAny(rule.major) && isAny(rule.minor));
  return last >= 0 && rules[last]?.allow === true && rules.slice(last).every((rule) => rule.allow);
}

/** @returns raw struct bpf_insn array; the last rule that fits a device decides, as on v1; none: refused */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const program: Insn[] = [
    loadWord(type, 1, context.access),
    loadWord(major, 1, context.major),
    loadWord(minor, 1, context.minor),
    moveRegister(access, type),
    and32(type, 0xffff),
    shiftRight32(access, 16),
    ...merged(rules).reverse().flatMap(ruleInstructions),
    moveImmediate(0, 0),
    exit,
  ];
  // What follows a rule without tests can never run, and the verifier refuses unreachable instructions.
  const end = unreachableFrom(program);
  const reachable = program.slice(0, end);
  const bytes = new Uint8Array(reachable.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, registers, offset, immediate }] of reachable.entries()) {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, registers);
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, immediate, true);
  }
  return bytes;
}

/** Index behind the first exit that no jump passes over. */
function unreachableFrom(program: readonly Insn[]): number {
  let furthest = 0;
  for (const [index, one] of program.entries()) {
    if (one.offset > 0 && (one.code === 0x55 || one.code === 0x15)) furthest = Math.max(furthest, index + 1 + one.offset);
    if (one.code === 0x95 && furthest <= index) return index + 1;
  }
  return program.length;
}
