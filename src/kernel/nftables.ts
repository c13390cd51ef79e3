/**
 * Tables, chains, rules, sets and maps of nf_tables as changes of a transaction (linux/netfilter/nf_tables.h). Spoken
 * directly: no `nft` process is on any path. What a rule says is in `nftables-expressions.ts`.
 */
import type { NetlinkWriter } from "./netlink-message.ts";
import { requestFlags } from "./netlink-message.ts";
import { encodeQuery, type NetfilterChange, type NetfilterFamily } from "./nfnetlink.ts";
import { type Expression, type Verdict, writeVerdict } from "./nftables-expressions.ts";

const messages = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
};

export interface TableName {
  readonly family: NetfilterFamily;
  readonly name: string;
}

/** Where a base chain sits. `policy` is what becomes of a packet that no rule decides on. */
export interface Hook {
  readonly type: "filter" | "nat" | "route";
  readonly hook: "prerouting" | "input" | "forward" | "output" | "postrouting";
  readonly priority: number;
  readonly policy?: "accept" | "drop";
}

const hookNumber: Readonly<Record<Hook["hook"], number>> = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 };
const policyNumber = { drop: 0, accept: 1 } as const;

/** Types of keys and values, by nft's own numbers, so that `nft list` shows them as what they are; sizes in bytes. */
const dataTypes = {
  address: { number: 7, size: 4 },
  address6: { number: 8, size: 16 },
  protocol: { number: 12, size: 1 },
  port: { number: 13, size: 2 },
  interface: { number: 41, size: 16 },
} as const;

export type DataType = keyof typeof dataTypes;

export interface SetDescription {
  readonly name: string;
  /** Several: a concatenation. */
  readonly key: readonly DataType[];
  /** A map's values; undefined: a set. */
  readonly value?: readonly DataType[] | "verdict";
  /** Keys are ranges: elements come as a start and an end. */
  readonly interval?: boolean;
}

/** A key or a value as the kernel compares it: each part padded to four bytes. Text for interfaces. */
export type Datum = readonly Uint8Array[];

export interface Element {
  readonly key: Datum;
  readonly value?: Datum | Verdict;
  /** For sets with intervals: this key is the first one behind the range. */
  readonly intervalEnd?: boolean;
}

const create = requestFlags.create;
const change = (table: TableName, type: number, flags: number, body: (writer: NetlinkWriter) => void): NetfilterChange => ({
  type,
  flags,
  family: table.family,
  body,
});

/** Makes the table, or finds it. */
export function addTable(table: TableName): NetfilterChange {
  return change(table, messages.newTable, create, (writer) => {
    writer.text(1, table.name);
    writer.u32be(2, 0);
  });
}

/** Removes the table with all that is in it. ENOENT when there is none. */
export function deleteTable(table: TableName): NetfilterChange {
  return change(table, messages.deleteTable, 0, (writer) => writer.text(1, table.name));
}

/** Without a hook: a chain to be jumped to. */
export function addChain(table: TableName, name: string, hook?: Hook): NetfilterChange {
  return change(table, messages.newChain, create, (writer) => {
    writer.text(1, table.name);
    writer.text(3, name);
    if (hook === undefined) return;
    writer.nest(4, () => {
      writer.u32be(1, hookNumber[hook.hook]);
      writer.u32be(2, hook.priority);
    });
    if (hook.policy !== undefined) writer.u32be(5, policyNumber[hook.policy]);
    writer.text(7, hook.type);
  });
}

/** Appends a rule to a chain. */
export function addRule(table: TableName, chain: string, ...expressions: readonly Expression[]): NetfilterChange {
  return addCommentedRule(table, chain, undefined, ...expressions);
}

/** Appends a rule with a comment as nft and iptables keep them, which tells whose it is. */
export function addCommentedRule(
  table: TableName,
  chain: string,
  comment: string | undefined,
  ...expressions: readonly Expression[]
): NetfilterChange {
  return change(table, messages.newRule, create | requestFlags.append, (writer) => {
    writer.text(1, table.name);
    writer.text(2, chain);
    writer.nest(4, () => {
      for (const expression of expressions) {
        writer.nest(1, () => {
          writer.text(1, expression.name);
          writer.nest(2, () => expression.write(writer));
        });
      }
    });
    if (comment === undefined) return;
    const text = new TextEncoder().encode(`${comment}\0`);
    writer.attribute(7, [0, text.length, ...text]);
  });
}

/** ENOENT when it is not there. */
export function deleteRule(table: TableName, chain: string, handle: bigint): NetfilterChange {
  return change(table, messages.deleteRule, 0, (writer) => {
    writer.text(1, table.name);
    writer.text(2, chain);
    writer.u64be(3, handle);
  });
}

const padded = (size: number): number => (size + 3) & ~3;

/** A concatenation's number is its parts' numbers, six bits each; its length counts each part padded. */
function typeOf(parts: readonly DataType[]): { number: number; size: number } {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return dataTypes[only];
  return parts.reduce(
    (sum, part) => ({ number: (sum.number << 6) | dataTypes[part].number, size: sum.size + padded(dataTypes[part].size) }),
    { number: 0, size: 0 },
  );
}

/** Makes a set or map. `id` is unique within the transaction. */
export function addSet(table: TableName, set: SetDescription, id: number): NetfilterChange {
  const key = typeOf(set.key);
  return change(table, messages.newSet, create, (writer) => {
    writer.text(1, table.name);
    writer.text(2, set.name);
    writer.u32be(3, (set.interval === true ? 4 : 0) | (set.value === undefined ? 0 : 8));
    writer.u32be(4, key.number);
    writer.u32be(5, key.size);
    if (set.value !== undefined) {
      const value = set.value === "verdict" ? { number: 0xffffff00, size: 0 } : typeOf(set.value);
      writer.u32be(6, value.number);
      writer.u32be(7, value.size);
    }
    writer.u32be(10, id);
    // For nft's eyes only: names of interfaces are in the machine's byte order, all else is in the network's.
    if (set.key.length === 1) writer.attribute(13, [0, 4, set.key[0] === "interface" ? 1 : 2, 0, 0, 0]);
  });
}

function writeDatum(writer: NetlinkWriter, datum: Datum): void {
  const [only] = datum;
  if (only !== undefined && datum.length === 1) writer.attribute(1, only);
  else writer.padded(1, datum);
}

function elementMessage(table: TableName, type: number, flags: number, set: string, elements: readonly Element[]): NetfilterChange {
  return change(table, type, flags, (writer) => {
    writer.text(1, table.name);
    writer.text(2, set);
    writer.nest(3, () => {
      for (const { key, value, intervalEnd } of elements) {
        writer.nest(1, () => {
          if (intervalEnd === true) writer.u32be(3, 1);
          writer.nest(1, () => writeDatum(writer, key));
          if (value === undefined) return;
          writer.nest(2, () => ("code" in value ? writeVerdict(writer, value) : writeDatum(writer, value)));
        });
      }
    });
  });
}

/** An attribute's length is 16 bits: this many elements of any type of ours fit in a list. */
const elementsPerMessage = 400;

function inParts(elements: readonly Element[], make: (part: readonly Element[]) => NetfilterChange): NetfilterChange[] {
  const parts: NetfilterChange[] = [];
  for (let at = 0; at < elements.length; at += elementsPerMessage) parts.push(make(elements.slice(at, at + elementsPerMessage)));
  return parts;
}

/** EEXIST when a key is there with another value. */
export function addElements(table: TableName, set: string, elements: readonly Element[]): NetfilterChange[] {
  return inParts(elements, (part) => elementMessage(table, messages.newElement, create, set, part));
}

/** ENOENT when a key is not there; then none is deleted. */
export function deleteElements(table: TableName, set: string, elements: readonly Element[]): NetfilterChange[] {
  return inParts(elements, (part) => elementMessage(table, messages.deleteElement, 0, set, part));
}

/** All chains of all tables. */
export function dumpChains(): Uint8Array {
  return encodeQuery(messages.getChain, requestFlags.dump, undefined);
}

/** A table's number and size. ENOENT when it is not there. */
export function getTable(table: TableName): Uint8Array {
  return encodeQuery(messages.getTable, 0, table.family, (writer) => writer.text(1, table.name));
}

/** All rules of a table, or of one of its chains. None when it is not there. */
export function dumpRules(table: TableName, chain?: string): Uint8Array {
  return encodeQuery(messages.getRule, requestFlags.dump, table.family, (writer) => {
    writer.text(1, table.name);
    if (chain !== undefined) writer.text(2, chain);
  });
}

/** One element, by its key. ENOENT when it is not there. */
export function getElement(table: TableName, set: string, element: Element): Uint8Array {
  return encodeQuery(messages.getElement, 0, table.family, elementMessage(table, messages.getElement, 0, set, [{ key: element.key }]).body);
}
