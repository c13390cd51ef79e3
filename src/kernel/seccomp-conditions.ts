/** The arguments' part of a seccomp filter: rules with conditions as BPF. */
import { invalidParameter } from "../base/base.ts";
import type { SeccompRule } from "../spec/spec.ts";
import { bpf, type Instruction, instruction } from "./bpf.ts";

type Condition = NonNullable<SeccompRule["args"]>[number];

/** Offset of argument 0 in struct seccomp_data; each is 8 bytes, the low word first. */
const argumentsAt = 16;

/**
 * Arguments that the kernel itself cuts to 32 bits. Only their low word is compared: otherwise
 * socket(0x100000026, …) would pass for something else than socket(AF_ALG, …), which the kernel makes of it.
 */
const narrow: Readonly<Record<string, readonly number[]>> = {
  socket: [0, 1, 2],
  socketpair: [0, 1, 2],
  personality: [0],
  ioctl: [0, 1],
  fcntl: [0, 1],
  prctl: [0],
  setsockopt: [0, 1, 2],
  getsockopt: [0, 1, 2],
};

/** Jumps of a condition before they are resolved: on to its next instruction, past it, or out of the rule. */
type Target = "next" | "pass" | "fail";

interface Step {
  readonly code: number;
  readonly k: number;
  readonly yes?: Target;
  readonly no?: Target;
}

const word = (value: bigint): number => Number(value & 0xffff_ffffn);
const high = (value: bigint): number => Number((value >> 32n) & 0xffff_ffffn);

/** JSON numbers above 2^53 have lost their last digits; what rounds to 2^64 meant all bits. */
function unsigned(value: number): bigint {
  const whole = BigInt(Math.trunc(value));
  return whole > 0xffff_ffff_ffff_ffffn ? 0xffff_ffff_ffff_ffffn : BigInt.asUintN(64, whole);
}

function ordered(value: bigint, lowTest: number, isNarrow: boolean, lowAt: number, pass: Target, fail: Target): Step[] {
  const low: Step[] = [
    { code: bpf.load, k: lowAt },
    { code: lowTest, k: word(value), yes: pass, no: fail },
  ];
  if (isNarrow) return low;
  return [
    { code: bpf.load, k: lowAt + 4 },
    { code: bpf.jumpGreater, k: high(value), yes: pass, no: "next" },
    { code: bpf.jumpEqual, k: high(value), yes: "next", no: fail },
    ...low,
  ];
}

function equal(value: bigint, isNarrow: boolean, lowAt: number, pass: Target, fail: Target): Step[] {
  const low: Step[] = [
    { code: bpf.load, k: lowAt },
    { code: bpf.jumpEqual, k: word(value), yes: pass, no: fail },
  ];
  if (isNarrow) return low;
  return [{ code: bpf.load, k: lowAt + 4 }, { code: bpf.jumpEqual, k: high(value), yes: "next", no: fail }, ...low];
}

function masked(mask: bigint, value: bigint, isNarrow: boolean, lowAt: number): Step[] {
  const half = (at: number, bits: number, expected: number, pass: Target): Step[] => [
    { code: bpf.load, k: at },
    { code: bpf.and, k: bits },
    { code: bpf.jumpEqual, k: expected, yes: pass, no: "fail" },
  ];
  const low = half(lowAt, word(mask), word(value), "pass");
  if (isNarrow || (high(mask) === 0 && high(value) === 0)) return low;
  return [...half(lowAt + 4, high(mask), high(value), "next"), ...low];
}

function stepsOf(syscall: string, condition: Condition): Step[] {
  if (!Number.isInteger(condition.index) || condition.index < 0 || condition.index > 5)
    throw invalidParameter(`invalid seccomp argument index: ${condition.index}`);
  const lowAt = argumentsAt + 8 * condition.index;
  const isNarrow = Object.hasOwn(narrow, syscall) && narrow[syscall]?.includes(condition.index) === true;
  const value = unsigned(condition.value);
  switch (condition.op) {
    case "SCMP_CMP_EQ":
      return equal(value, isNarrow, lowAt, "pass", "fail");
    case "SCMP_CMP_NE":
      return equal(value, isNarrow, lowAt, "fail", "pass");
    case "SCMP_CMP_GE":
      return ordered(value, bpf.jumpGreaterEqual, isNarrow, lowAt, "pass", "fail");
    case "SCMP_CMP_GT":
      return ordered(value, bpf.jumpGreater, isNarrow, lowAt, "pass", "fail");
    case "SCMP_CMP_LT":
      return ordered(value, bpf.jumpGreaterEqual, isNarrow, lowAt, "fail", "pass");
    case "SCMP_CMP_LE":
      return ordered(value, bpf.jumpGreater, isNarrow, lowAt, "fail", "pass");
    case "SCMP_CMP_MASKED_EQ":
      return masked(value, unsigned(condition.valueTwo ?? 0), isNarrow, lowAt);
    default:
      throw invalidParameter(`invalid seccomp operator: ${condition.op}`);
  }
}

/** Returns `action` when all conditions hold; otherwise goes on behind the fragment. */
export function conditionalReturn(syscall: string, conditions: readonly Condition[], action: number): Instruction[] {
  const fragments = conditions.map((condition) => stepsOf(syscall, condition));
  const end = fragments.reduce((sum, steps) => sum + steps.length, 0) + 1;
  const program: Instruction[] = [];
  for (const steps of fragments) {
    const passed = program.length + steps.length;
    for (const { code, k, yes, no } of steps) {
      const after = program.length + 1;
      const distance = (target: Target | undefined): number => (target === "pass" ? passed - after : target === "fail" ? end - after : 0);
      program.push(instruction(code, k, distance(yes), distance(no)));
    }
  }
  program.push(instruction(bpf.return, action));
  return program;
}
