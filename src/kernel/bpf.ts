/**
 * Classic BPF as seccomp(2) takes it: instructions, their bytes, and the fragments that a filter is put together
 * from. Fragments are lists of instructions whose jumps stay inside, so that they can be joined in any order.
 * Source: the kernel's include/uapi/linux/{filter,bpf_common}.h.
 */
export interface Instruction {
  readonly code: number;
  readonly k: number;
  /** How many instructions to skip when the test holds, and when it does not. */
  readonly jt: number;
  readonly jf: number;
}

export const bpf = {
  /** A = the 32-bit word at offset k of struct seccomp_data. */
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpGreater: 0x25,
  jumpGreaterEqual: 0x35,
  return: 0x06,
} as const;

export function instruction(code: number, k: number, jt = 0, jf = 0): Instruction {
  return { code, k, jt, jf };
}

/** BPF_MAXINSNS: the kernel takes no longer filter. */
export const maxInstructions = 4096;

/** `test` true: runs `then`, else `otherwise`. Neither falls through. */
export function branch(code: number, k: number, then: readonly Instruction[], otherwise: readonly Instruction[]): Instruction[] {
  if (otherwise.length <= 255) return [instruction(code, k, otherwise.length, 0), ...otherwise, ...then];
  return [instruction(code, k, 0, 1), instruction(bpf.jump, otherwise.length), ...otherwise, ...then];
}

/** Raw struct sock_filter array, in the machine's byte order (little-endian on all that Berth runs on). */
export function encodeInstructions(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, k, jt, jf }] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}
