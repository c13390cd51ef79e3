/** What the kernel answers to the dumps of `nftables.ts`. */
import { dataMessages, type NetlinkMessage, parseAttributes, readText, readU32be, readU64be } from "./netlink-message.ts";
import { messageNumber } from "./nfnetlink.ts";

export interface ListedChain {
  /** NFPROTO_*. */
  readonly family: number;
  readonly table: string;
  readonly name: string;
  /** NF_INET_*, of a base chain. */
  readonly hook?: number;
  readonly policy?: "accept" | "drop";
}

export function parseChains(answer: Uint8Array): ListedChain[] {
  return messagesOf(answer, 3).map(({ payload }) => {
    const found = parseAttributes(payload, 4);
    const hook = found.get(4);
    const number = hook === undefined ? undefined : readU32be(parseAttributes(hook).get(1));
    const policy = readU32be(found.get(5));
    return {
      family: payload[0] ?? 0,
      table: readText(found.get(1)) ?? "",
      name: readText(found.get(3)) ?? "",
      ...(number === undefined ? {} : { hook: number }),
      ...(policy === undefined ? {} : { policy: policy === 0 ? "drop" : "accept" }),
    };
  });
}

/** What tells a table from another one that somebody has put in its place. */
export interface ListedTable {
  /** Never used again on this host. */
  readonly handle: bigint;
  /** How many chains and sets it has. */
  readonly parts: number;
}

/** Undefined when the answer has none. */
export function parseTable(answer: Uint8Array): ListedTable | undefined {
  const [message] = messagesOf(answer, 0);
  if (message === undefined) return undefined;
  const found = parseAttributes(message.payload, 4);
  return { handle: readU64be(found.get(4)) ?? 0n, parts: readU32be(found.get(3)) ?? 0 };
}

export interface ListedRule {
  readonly handle: bigint;
  readonly comment?: string;
}

export function parseRules(answer: Uint8Array): ListedRule[] {
  return messagesOf(answer, 6).map(({ payload }) => {
    const found = parseAttributes(payload, 4);
    const comment = commentOf(found.get(7));
    return { handle: readU64be(found.get(3)) ?? 0n, ...(comment === undefined ? {} : { comment }) };
  });
}

/** User data is a list of type, length, content, a byte each; 0 is the comment. */
function commentOf(data: Uint8Array | undefined): string | undefined {
  for (let at = 0; data !== undefined && at + 2 <= data.length; at += 2 + (data[at + 1] ?? 0))
    if (data[at] === 0) return readText(data.subarray(at + 2, at + 2 + (data[at + 1] ?? 0)));
  return undefined;
}

/** The messages of one kind, by NFT_MSG_*. */
const messagesOf = (answer: Uint8Array, kind: number): NetlinkMessage[] =>
  dataMessages(answer).filter((message) => messageNumber(message.type) === kind);
