/**
 * The firewall's table as it is made once: sets, chains and rules, none of them for one network, port or container.
 *
 *   guard        raw prerouting: what comes off a wire and has an address of the loopback is a lie
 *   prerouting ─┐
 *   output ─────┴▶ publish: (address, protocol, port), or (protocol, port at any of the host's own) → container
 *   forward      answers; within a network as `same` says; out of an internal network nothing; into a network as `into4` and
 *                `into6` say; out of the others all
 *   postrouting  what a network's own containers, or the host's loopback, reach through a published port comes from the
 *                host, since the container would answer past us otherwise (hairpin); what leaves a network has
 *                the host's address. A client from outside keeps its own.
 */
import type { NetfilterChange } from "../kernel/nfnetlink.ts";
import { addChain, addRule, addSet, type Hook, type SetDescription, type TableName } from "../kernel/nftables.ts";
import {
  accept,
  beginsWith,
  comeBack,
  connectionBits,
  destinationNat,
  differs,
  drop,
  type Expression,
  equals,
  goTo,
  hasAnyBit,
  interfaceName,
  loadConnection,
  loadDestinationType,
  loadField,
  loadMeta,
  lookup,
  masquerade,
  ofFamily,
  setMark,
  sourceNat,
  untracked,
  verdict,
} from "../kernel/nftables-expressions.ts";

export type Family = 4 | 6;
export const families: readonly Family[] = [4, 6];

export interface TableShape {
  /** Drop what is forwarded between interfaces that are not ours: the host was no router before us. */
  readonly dropForeign: { readonly 4: boolean; readonly 6: boolean };
  /** `input`: what comes from other hosts is not sent on by the kernel. */
  readonly publishMode: "forward" | "input";
}

/**
 * What other programs' tables make of ours. A packet has to pass them too; so where one of them drops what it has no rule for, it is given a
 * rule for packets with our mark: see `firewall-neighbours.ts`.
 */
export interface Neighbours {
  /** Packets of ours are to carry the mark. */
  readonly mark: boolean;
  /** A Docker runs beside us: its bridges are no strangers to be dropped. */
  readonly docker: boolean;
}

export const alone: Neighbours = { mark: false, docker: false };

/** In the mark of packets from and to our bridges. The tables of others see it, so it must be one that nobody else uses. */
export const ourMark = 0x0800_0000;

/** Sets and maps whose elements are interfaces. */
export const sets = {
  /** The networks' bridges. */
  bridges: "bridges",
  /** Those whose containers reach nobody else. */
  internal: "internal",
  /** (bridge, bridge) → what becomes of packets from a network to itself. */
  same: "same",
  /** (interface, bridge): may send to open ports of the network's containers. */
  trusted: "trusted",
} as const;

/** Sets and maps of one IP version. */
const familySets = {
  4: {
    into: "into4",
    behindNat: "behind-nat4",
    masquerade: "masquerade4",
    source: "source4",
    ports: "ports4",
    addressPorts: "address-ports4",
    open: "open4",
    links: "links4",
    fellows: "fellows4",
  },
  6: {
    into: "into6",
    behindNat: "behind-nat6",
    masquerade: "masquerade6",
    source: "source6",
    ports: "ports6",
    addressPorts: "address-ports6",
    open: "open6",
    links: "links6",
    fellows: "fellows6",
  },
} as const;
export const setsOf = (family: Family): (typeof familySets)[Family] => familySets[family];

/** What `same` and `into` send to. */
export const chains = { apart: "apart", published: "published", routed: "routed", opened: "opened" } as const;

/** `mark`: before the chains of others, which are at `filter`. */
const priority = { raw: -300, destinationNat: -100, mark: -10, filter: 0, sourceNat: 100 } as const;
const loopbackNet = [127];
const dockerBridges = ["docker", "br-"];
const icmp: Readonly<Record<Family, number>> = { 4: 1, 6: 58 };
const linkLocal6 = [0xfe, 0x80];
const loopback6 = [...new Array<number>(15).fill(0), 1];

function setsOfFamily(family: Family): SetDescription[] {
  const names = familySets[family];
  const address = family === 4 ? "address" : "address6";
  return [
    { name: names.into, key: ["interface"], value: "verdict" },
    { name: names.behindNat, key: [address], interval: true },
    { name: names.masquerade, key: [address], interval: true },
    { name: names.source, key: [address], value: [address], interval: true },
    { name: names.ports, key: ["protocol", "port"], value: [address, "port"] },
    { name: names.addressPorts, key: [address, "protocol", "port"], value: [address, "port"] },
    { name: names.open, key: [address, "protocol", "port"] },
    { name: names.links, key: [address, address, "protocol", "port"] },
    { name: names.fellows, key: [address], interval: true },
  ];
}

function allSets(table: TableName): NetfilterChange[] {
  const descriptions: SetDescription[] = [
    { name: sets.bridges, key: ["interface"] },
    { name: sets.internal, key: ["interface"] },
    { name: sets.same, key: ["interface", "interface"], value: "verdict" },
    { name: sets.trusted, key: ["interface", "interface"] },
    ...families.flatMap(setsOfFamily),
  ];
  return descriptions.map((set, index) => addSet(table, set, index + 1));
}

function allChains(table: TableName, beside: Neighbours): NetfilterChange[] {
  const base = (name: string, type: Hook["type"], hook: Hook["hook"], at: number): NetfilterChange =>
    addChain(table, name, { type, hook, priority: at, policy: "accept" });
  return [
    base("guard", "filter", "prerouting", priority.raw),
    base("prerouting", "nat", "prerouting", priority.destinationNat),
    base("output", "nat", "output", priority.destinationNat),
    base("postrouting", "nat", "postrouting", priority.sourceNat),
    ...(beside.mark ? [base("mark", "filter", "forward", priority.mark)] : []),
    base("forward", "filter", "forward", priority.filter),
    ...["publish", chains.apart, chains.published, chains.routed, chains.opened].map((name) => addChain(table, name)),
  ];
}

const from = (to = 0): Expression => loadMeta("inputInterface", to);
const into = (to = 0): Expression => loadMeta("outputInterface", to);
const registersOf = (family: Family): number => (family === 4 ? 1 : 4);
const translated: readonly Expression[] = [loadConnection("status"), ...hasAnyBit(connectionBits.destinationNat)];
const answers: readonly Expression[] = [loadConnection("state"), ...hasAnyBit(connectionBits.established | connectionBits.related)];
/** Both interfaces, as a concatenation. */
const way: readonly Expression[] = [from(0), into(4)];

type AddRule = (chain: string, ...expressions: readonly Expression[]) => NetfilterChange;

function publishRules(rule: AddRule, mode: TableShape["publishMode"]): NetfilterChange[] {
  const fromNetworks = mode === "input" ? [from(), lookup(sets.bridges)] : [];
  const target = (family: Family): readonly Expression[] => [
    loadField(`destinationAddress${family}`, 0),
    loadMeta("protocol", registersOf(family)),
    loadField("destinationPort", registersOf(family) + 1),
  ];
  return [
    rule(
      "guard",
      from(),
      differs(interfaceName("lo")),
      ...ofFamily(4),
      loadField("destinationAddress4", 0, 1),
      equals(loopbackNet),
      verdict(drop),
    ),
    rule(
      "guard",
      from(),
      differs(interfaceName("lo")),
      ...ofFamily(4),
      loadField("sourceAddress4", 0, 1),
      equals(loopbackNet),
      verdict(drop),
    ),
    // Where bridged frames come by (br_netfilter), fellows would pay for connections that nobody asks about. Between two
    // networks that are closed to each other nothing is let through, tracked or not.
    ...families.map((family) =>
      rule(
        "guard",
        from(),
        lookup(sets.bridges),
        ...ofFamily(family),
        loadField(`sourceAddress${family}`),
        lookup(familySets[family].fellows),
        loadField(`destinationAddress${family}`),
        lookup(familySets[family].fellows),
        untracked,
      ),
    ),
    rule("prerouting", ...fromNetworks, verdict(goTo("publish"))),
    rule("output", verdict(goTo("publish"))),
    // What the kernel cannot send on goes to the monitor's own socket, which passes it on: sources of one link only, and the
    // loopback. IPv6 has no route_localnet; a local route to ::1 over the bridge would do, but not on hosts with br_netfilter.
    rule("publish", ...ofFamily(6), loadField("sourceAddress6", 0, 2), equals(linkLocal6), verdict(comeBack)),
    rule("publish", ...ofFamily(6), loadField("destinationAddress6"), equals(loopback6), verdict(comeBack)),
    ...families.map((family) =>
      rule(
        "publish",
        ...ofFamily(family),
        ...target(family),
        lookup(familySets[family].addressPorts, { into: 0 }),
        destinationNat(family, 0, registersOf(family)),
      ),
    ),
    ...families.map((family) =>
      rule(
        "publish",
        ...ofFamily(family),
        loadDestinationType(),
        equals([2, 0, 0, 0]),
        loadMeta("protocol", 0),
        loadField("destinationPort", 1),
        lookup(familySets[family].ports, { into: 0 }),
        destinationNat(family, 0, registersOf(family)),
      ),
    ),
  ];
}

/** What goes from our networks to a Docker's passes its rules without our help, or not at all: its isolation is its own. */
function markRules(rule: AddRule, beside: Neighbours): NetfilterChange[] {
  if (!beside.mark) return [];
  return [
    rule("mark", into(), lookup(sets.bridges), ...setMark(ourMark), verdict(accept)),
    ...(beside.docker ? dockerBridges.map((name) => rule("mark", into(), beginsWith(name), verdict(accept))) : []),
    rule("mark", from(), lookup(sets.bridges), ...setMark(ourMark)),
  ];
}

function forwardRules(rule: AddRule, shape: TableShape, beside: Neighbours): NetfilterChange[] {
  const foreign = families.filter((family) => shape.dropForeign[family]);
  return [
    rule("forward", ...answers, verdict(accept)),
    rule("forward", ...way, lookup(sets.same, { into: "verdict" })),
    rule("forward", from(), lookup(sets.internal), verdict(drop)),
    ...families.map((family) => rule("forward", ...ofFamily(family), into(), lookup(familySets[family].into, { into: "verdict" }))),
    rule("forward", from(), lookup(sets.bridges), verdict(accept)),
    ...(beside.docker && foreign.length > 0
      ? dockerBridges.flatMap((name) => [from(), into()].map((end) => rule("forward", end, beginsWith(name), verdict(accept))))
      : []),
    ...foreign.map((family) => rule("forward", ...ofFamily(family), verdict(drop))),
    rule(chains.apart, ...translated, verdict(accept)),
    ...families.map((family) => {
      const step = registersOf(family);
      return rule(
        chains.apart,
        ...ofFamily(family),
        loadField(`sourceAddress${family}`, 0),
        loadField(`destinationAddress${family}`, step),
        loadMeta("protocol", 2 * step),
        loadField("destinationPort", 2 * step + 1),
        lookup(familySets[family].links),
        verdict(accept),
      );
    }),
    rule(chains.apart, verdict(drop)),
    rule(chains.published, ...translated, verdict(accept)),
    rule(chains.published, ...way, lookup(sets.trusted), verdict(goTo(chains.opened))),
    rule(chains.published, verdict(drop)),
    ...families.map((family) => rule(chains.routed, ...ofFamily(family), loadMeta("protocol"), equals([icmp[family]]), verdict(accept))),
    rule(chains.routed, verdict(goTo(chains.opened))),
    rule(chains.opened, ...translated, verdict(accept)),
    ...families.map((family) =>
      rule(
        chains.opened,
        ...ofFamily(family),
        loadField(`destinationAddress${family}`, 0),
        loadMeta("protocol", registersOf(family)),
        loadField("destinationPort", registersOf(family) + 1),
        lookup(familySets[family].open),
        verdict(accept),
      ),
    ),
    rule(chains.opened, verdict(drop)),
  ];
}

function postroutingRules(rule: AddRule): NetfilterChange[] {
  const intoNetwork = [into(), lookup(sets.bridges)];
  const source = (family: Family): readonly Expression[] => [...ofFamily(family), loadField(`sourceAddress${family}`)];
  return [
    ...families.map((family) =>
      rule("postrouting", ...intoNetwork, ...source(family), lookup(familySets[family].behindNat), ...translated, masquerade),
    ),
    rule("postrouting", ...intoNetwork, ...ofFamily(4), loadField("sourceAddress4", 0, 1), equals(loopbackNet), masquerade),
    rule("postrouting", ...intoNetwork, verdict(comeBack)),
    ...families.map((family) =>
      rule("postrouting", ...source(family), lookup(familySets[family].source, { into: 0 }), sourceNat(family, 0)),
    ),
    ...families.map((family) => rule("postrouting", ...source(family), lookup(familySets[family].masquerade), masquerade)),
  ];
}

/** All sets, chains and rules, for a table that has none. */
export function tableContents(table: TableName, shape: TableShape, beside: Neighbours): NetfilterChange[] {
  const rule: AddRule = (chain, ...expressions) => addRule(table, chain, ...expressions);
  return [
    ...allSets(table),
    ...allChains(table, beside),
    ...publishRules(rule, shape.publishMode),
    ...markRules(rule, beside),
    ...forwardRules(rule, shape, beside),
    ...postroutingRules(rule),
  ];
}
