/**
 * Transactions of the packet filter over nfnetlink: between BATCH_BEGIN and BATCH_END all changes take effect at once or
 * none does (linux/netfilter/nfnetlink.h).
 */
import { NetlinkWriter, requestFlags } from "./netlink-message.ts";

/** Address families of tables (NFPROTO_*). */
export type NetfilterFamily = "inet" | "ip" | "ip6";

const familyNumber: Readonly<Record<NetfilterFamily, number>> = { inet: 1, ip: 2, ip6: 10 };

const nftablesSubsystem = 10;
const batchBegin = 16;
const batchEnd = 17;

/** One change within a transaction. `type`: NFT_MSG_*; `flags`: beyond NLM_F_REQUEST. */
export interface NetfilterChange {
  readonly type: number;
  readonly flags: number;
  readonly family: NetfilterFamily;
  readonly body: (writer: NetlinkWriter) => void;
}

/**
 * All changes as one transaction. Only the last asks for an acknowledgement: one answer means that all is done. A refusal
 * comes for the message that it is about, also without being asked for.
 */
export function encodeTransaction(changes: readonly NetfilterChange[]): Uint8Array {
  const writer = new NetlinkWriter(256 + changes.length * 128);
  writer.message(batchBegin, requestFlags.request, 0, () => writer.raw([0, 0, 0, nftablesSubsystem]));
  for (const [index, change] of changes.entries()) {
    const ack = index === changes.length - 1 ? requestFlags.ack : 0;
    writer.message((nftablesSubsystem << 8) | change.type, change.flags | requestFlags.request | ack, index + 1, () => {
      writer.raw([familyNumber[change.family], 0, 0, 0]);
      change.body(writer);
    });
  }
  writer.message(batchEnd, requestFlags.request, changes.length + 1, () => writer.raw([0, 0, 0, nftablesSubsystem]));
  return writer.bytes;
}

/** A request outside of a transaction: the gets and dumps. `family` undefined: of all families. */
export function encodeQuery(
  type: number,
  flags: number,
  family: NetfilterFamily | undefined,
  body?: (writer: NetlinkWriter) => void,
): Uint8Array {
  const writer = new NetlinkWriter(128);
  writer.message((nftablesSubsystem << 8) | type, flags | requestFlags.request | requestFlags.ack, 1, () => {
    writer.raw([family === undefined ? 0 : familyNumber[family], 0, 0, 0]);
    body?.(writer);
  });
  return writer.bytes;
}

/** The NFT_MSG_* number of an answer's message. */
export function messageNumber(type: number): number {
  return type & 0xff;
}
