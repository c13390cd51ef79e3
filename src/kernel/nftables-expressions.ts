/** What a rule of nf_tables is made of: small instructions on registers. A comparison that fails ends the rule. */
import type { NetlinkWriter } from "./netlink-message.ts";

export interface Expression {
  readonly name: string;
  readonly write: (writer: NetlinkWriter) => void;
}

/** The 32-bit registers are numbered from 8 (NFT_REG32_00). 0 is the verdict's register. */
const register = (index: number): number => 8 + index;
const verdictRegister = 0;

export interface Verdict {
  readonly code: number;
  readonly chain?: string;
}

export const accept: Verdict = { code: 1 };
export const drop: Verdict = { code: 0 };
/** Does not come back: what follows the rule is not run. */
export const goTo = (chain: string): Verdict => ({ code: -4, chain });
/** Back to the chain that jumped here. */
export const comeBack: Verdict = { code: -5 };

/** NFTA_DATA_VERDICT. */
export function writeVerdict(writer: NetlinkWriter, verdict: Verdict): void {
  writer.nest(2, () => {
    writer.u32be(1, verdict.code);
    if (verdict.chain !== undefined) writer.text(2, verdict.chain);
  });
}

/** The packet's connection is not followed: no state, no translation. Only before the kernel looks for it (raw priority). */
export const untracked: Expression = { name: "notrack", write: () => undefined };

export function verdict(value: Verdict): Expression {
  return {
    name: "immediate",
    write: (writer) => {
      writer.u32be(1, verdictRegister);
      writer.nest(2, () => writeVerdict(writer, value));
    },
  };
}

const metaKeys = { mark: 3, inputInterface: 6, outputInterface: 7, family: 15, protocol: 16 } as const;

/** Loads a fact about the packet. Interfaces are names, 16 bytes; the family is one byte, 2 or 10. */
export function loadMeta(key: keyof typeof metaKeys, to = 0): Expression {
  return {
    name: "meta",
    write: (writer) => {
      writer.u32be(2, metaKeys[key]);
      writer.u32be(1, register(to));
    },
  };
}

const ctKeys = { state: 0, status: 2 } as const;

/** Loads a fact about the packet's connection: bit sets in the machine's byte order. */
export function loadConnection(key: keyof typeof ctKeys, to = 0): Expression {
  return {
    name: "ct",
    write: (writer) => {
      writer.u32be(2, ctKeys[key]);
      writer.u32be(1, register(to));
    },
  };
}

/** NFPROTO_IPV4 and NFPROTO_IPV6. */
const familyNumber = { 4: 2, 6: 10 } as const;

/** Goes on only with packets of this IP version: in a table for both, before any field of an IP header is loaded. */
export function ofFamily(family: 4 | 6): readonly [Expression, Expression] {
  return [loadMeta("family"), equals([familyNumber[family]])];
}

/** Fields of the IP headers and of the transport header. */
const fields = {
  sourceAddress4: { base: 1, offset: 12, size: 4 },
  destinationAddress4: { base: 1, offset: 16, size: 4 },
  sourceAddress6: { base: 1, offset: 8, size: 16 },
  destinationAddress6: { base: 1, offset: 24, size: 16 },
  destinationPort: { base: 2, offset: 2, size: 2 },
} as const;

/** Loads a field of the packet. `size`: only its first bytes. */
export function loadField(field: keyof typeof fields, to = 0, size: number = fields[field].size): Expression {
  return {
    name: "payload",
    write: (writer) => {
      writer.u32be(1, register(to));
      writer.u32be(2, fields[field].base);
      writer.u32be(3, fields[field].offset);
      writer.u32be(4, size);
    },
  };
}

/** Loads what kind of address the destination is: RTN_LOCAL (2) is one of the host's own. */
export function loadDestinationType(to = 0): Expression {
  return {
    name: "fib",
    write: (writer) => {
      writer.u32be(3, 2);
      writer.u32be(2, 3);
      writer.u32be(1, register(to));
    },
  };
}

/** Goes on only if the register holds `value`. */
export function equals(value: ArrayLike<number>, from = 0): Expression {
  return compare(0, value, from);
}

/** Goes on only if the register holds something else. */
export function differs(value: ArrayLike<number>, from = 0): Expression {
  return compare(1, value, from);
}

function compare(operator: 0 | 1, value: ArrayLike<number>, from: number): Expression {
  return {
    name: "cmp",
    write: (writer) => {
      writer.u32be(1, register(from));
      writer.u32be(2, operator);
      writer.nest(3, () => writer.attribute(1, value));
    },
  };
}

/** A word as a register holds it. */
const wordBytes = (bits: number): readonly number[] => [bits & 255, (bits >>> 8) & 255, (bits >>> 16) & 255, bits >>> 24];

/** Register = (register & mask) ^ flip. */
function bitwise(mask: number, flip: number, at: number): Expression {
  return {
    name: "bitwise",
    write: (writer) => {
      writer.u32be(1, register(at));
      writer.u32be(2, register(at));
      writer.u32be(3, 4);
      writer.nest(4, () => writer.attribute(1, wordBytes(mask)));
      writer.nest(5, () => writer.attribute(1, wordBytes(flip)));
    },
  };
}

/** Goes on only if one of the bits is set in the register (a word in the machine's byte order). */
export function hasAnyBit(bits: number, from = 0): readonly [Expression, Expression] {
  return [bitwise(bits, 0, from), differs([0, 0, 0, 0], from)];
}

/** Goes on only with packets that have the bit in their mark. */
export function hasMark(bit: number): readonly Expression[] {
  return [loadMeta("mark"), bitwise(bit, 0, 0), equals(wordBytes(bit))];
}

/** Sets the bit in the packet's mark. */
export function setMark(bit: number): readonly Expression[] {
  const store: Expression = {
    name: "meta",
    write: (writer) => {
      writer.u32be(2, metaKeys.mark);
      writer.u32be(3, register(0));
    },
  };
  return [loadMeta("mark"), bitwise(~bit, bit, 0), store];
}

/** Goes on only if the set has what is in the registers. `into`: a map's value goes there; `verdict`: is carried out. */
export function lookup(set: string, options: { readonly from?: number; readonly into?: number | "verdict" } = {}): Expression {
  return {
    name: "lookup",
    write: (writer) => {
      writer.u32be(2, register(options.from ?? 0));
      if (options.into !== undefined) writer.u32be(3, options.into === "verdict" ? verdictRegister : register(options.into));
      writer.text(1, set);
    },
  };
}

/** Sends the connection to the address and port in two registers. An address of IPv6 takes four registers. */
export function destinationNat(family: 4 | 6, address: number, port: number): Expression {
  return {
    name: "nat",
    write: (writer) => {
      writer.u32be(1, 1);
      writer.u32be(2, familyNumber[family]);
      writer.u32be(3, register(address));
      writer.u32be(5, register(port));
    },
  };
}

/** Gives the connection the source address in a register. */
export function sourceNat(family: 4 | 6, address: number): Expression {
  return {
    name: "nat",
    write: (writer) => {
      writer.u32be(1, 0);
      writer.u32be(2, familyNumber[family]);
      writer.u32be(3, register(address));
    },
  };
}

/** Gives the connection the address of the interface that it leaves by. */
export const masquerade: Expression = { name: "masq", write: () => {} };

/** An interface's name as a register holds it. */
export function interfaceName(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(name).subarray(0, 15));
  return bytes;
}

/** Goes on only if the interface's name in the register begins so. */
export const beginsWith = (text: string): Expression => equals(new TextEncoder().encode(text));

/** Bits of `ct state` and `ct status`. */
export const connectionBits = { established: 2, related: 4, destinationNat: 0x20 } as const;
