/**
 * Other programs' chains that packets of ours have to pass. A packet is dropped when any of them drops it, so ours alone cannot let it
 * through: Docker and ufw let `FORWARD` drop what no rule of theirs speaks of.
 *
 * iptables' tables are shared by custom, and ours to add to: one rule at the end of `FORWARD`, behind all that others say there and in
 * front of the policy, accepts what our own table has let through, which it knows by a mark. One rule for however many
 * networks. It carries a comment, so that it is found again and removed. Tables of nft belong to whoever made them, and those of the old
 * iptables (`iptables-legacy`) cannot be seen from here: of these we tell.
 */
import { encodeTransaction } from "../kernel/nfnetlink.ts";
import { addCommentedRule, deleteRule, dumpChains, dumpRules, type TableName } from "../kernel/nftables.ts";
import { type ListedChain, parseChains, parseRules } from "../kernel/nftables-dump.ts";
import { accept, hasMark, verdict } from "../kernel/nftables-expressions.ts";
import { hasLegacyFilter } from "../kernel/rtnetlink-settings.ts";
import { type Neighbours, ourMark } from "./firewall-table.ts";
import type { NetworkKernel } from "./records.ts";

type Netlink = Pick<NetworkKernel, "netlink">;

const forwardHook = 2;
const chain = "FORWARD";
const sharedTables: readonly TableName[] = [
  { family: "ip", name: "filter" },
  { family: "ip6", name: "filter" },
];
const familyNumber = { inet: 1, ip: 2, ip6: 10 } as const;

export interface FoundNeighbours extends Neighbours {
  /** Tables of iptables whose `FORWARD` drops what no rule speaks of. */
  readonly shared: readonly TableName[];
  /** Chains of tables that are not ours to change, and may drop what is ours. */
  readonly unshared: readonly ListedChain[];
  /** There are rules of iptables-legacy. */
  readonly legacy: boolean;
}

/** `own`: names of our table and of others like it. */
export async function findNeighbours(kernel: Netlink, own: TableName): Promise<FoundNeighbours> {
  const listed = parseChains(await kernel.netlink(12, dumpChains())).filter((one) => one.table !== own.name);
  const drops = listed.filter((one) => one.hook === forwardHook && one.policy === "drop");
  const isShared = (one: ListedChain): boolean => one.name === chain && sharedTables.some((table) => isIn(one, table));
  const shared = sharedTables.filter((table) => drops.some((one) => one.name === chain && isIn(one, table)));
  const docker = listed.some((one) => one.name === "DOCKER-USER");
  const unshared = listed.filter((one) => (drops.includes(one) && !isShared(one)) || isFirewalld(one));
  return { mark: shared.length > 0, docker, shared, unshared, legacy: await hasLegacyFilter() };
}

const isIn = (one: ListedChain, table: TableName): boolean => one.table === table.name && one.family === familyNumber[table.family];
/** Its policy accepts, its last rule refuses. */
const isFirewalld = (one: ListedChain): boolean => one.table === "firewalld" && one.hook === forwardHook;

/** Sees to it that each of the tables lets our mark pass. @param comment tells our rule from those of other daemons */
export async function letMarkPass(kernel: Netlink, tables: readonly TableName[], comment: string): Promise<void> {
  for (const table of tables) {
    const rules = parseRules(await kernel.netlink(12, dumpRules(table, chain)));
    if (rules.some((rule) => rule.comment === comment)) continue;
    await kernel.netlink(12, encodeTransaction([addCommentedRule(table, chain, comment, ...hasMark(ourMark), verdict(accept))]));
  }
}

/** Removes our rules from the tables of others, wherever one is. */
export async function removeMarkRules(kernel: Netlink, comment: string): Promise<void> {
  for (const table of sharedTables) {
    const rules = parseRules(await kernel.netlink(12, dumpRules(table, chain))).filter((rule) => rule.comment === comment);
    if (rules.length > 0) await kernel.netlink(12, encodeTransaction(rules.map((rule) => deleteRule(table, chain, rule.handle))));
  }
}
