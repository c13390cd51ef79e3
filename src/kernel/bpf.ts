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

/** The farthest that a conditional jump leads, less one for the jump that may have to come between. */
const reach = 254;

/**
 * A filter put together from its end: jumps lead forward only, so what is jumped to is there already. Equal returns are
 * one instruction as far as conditional jumps reach: the kernel translates each instruction at every start and exec.
 * Places are counted from the end.
 */
export class FilterWriter {
  readonly #reversed: Instruction[] = [];
  readonly #returns: Map<number, number> = new Map();

  /** Puts instructions before all that is there. They run on into it. */
  put(instructions: readonly Instruction[]): number {
    for (const one of instructions.toReversed()) this.#reversed.push(one);
    return this.#reversed.length;
  }

  /** As {@link put}, running on into `place`. */
  putBefore(instructions: readonly Instruction[], place: number): number {
    if (place !== this.#reversed.length) this.#jump(place);
    return this.put(instructions);
  }

  return(value: number): number {
    const known = this.#returns.get(value);
    if (known !== undefined && this.#distance(known) <= reach) return known;
    const place = this.put([instruction(bpf.return, value)]);
    this.#returns.set(value, place);
    return place;
  }

  branch(code: number, k: number, then: number, otherwise: number): number {
    const yes = this.#distance(then) <= reach ? then : this.#jump(then);
    const no = this.#distance(otherwise) <= reach ? otherwise : this.#jump(otherwise);
    return this.put([instruction(code, k, this.#distance(yes), this.#distance(no))]);
  }

  /** In the order of execution. */
  program(): Instruction[] {
    return this.#reversed.toReversed();
  }

  #jump(place: number): number {
    return this.put([instruction(bpf.jump, this.#distance(place))]);
  }

  /** How many instructions the next one has to skip. */
  #distance(place: number): number {
    return this.#reversed.length - place;
  }
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
