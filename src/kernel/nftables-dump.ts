/** What the kernel answers to the dumps of `nftables.ts`. */
import { dataMessages, parseAttributes, readText, readU32be } from "./netlink-message.ts";
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
  return dataMessages(answer)
    .filter((message) => messageNumber(message.type) === 3)
    .map(({ payload }) => {
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
