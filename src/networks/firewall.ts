/**
 * The firewall: one table of ours, a few rules once, and everything that comes and goes as elements of sets and maps,
 * so that a packet's path is as long with a thousand containers as with one.
 *
 *   guard        raw prerouting: nobody reaches the host's loopback through a bridge (route_localnet is on there)
 *   prerouting ─┐
 *   output ─────┴▶ publish: (address, protocol, port) or (protocol, port at any of the host's own) → container
 *   forward      into a network: answers, its own containers, published ports; everything else is dropped,
 *                also what is routed straight to a container's address. Out of a network: all.
 *   postrouting  from a network's subnet: to elsewhere with the host's address; back into the same network through a
 *                published port likewise, since the container would answer past us otherwise (hairpin); from the
 *                host's loopback likewise. A client from outside keeps its address.
 *
 * What another table drops stays dropped, whatever ours says: see {@link foreignForwardDrops}.
 */
import { addressBytes } from "../kernel/netlink-address.ts";
import { encodeTransaction, type NetfilterChange } from "../kernel/nfnetlink.ts";
import {
  addChain,
  addElements,
  addRule,
  addSet,
  addTable,
  deleteElements,
  deleteTable,
  type Element,
  getElement,
  type TableName,
} from "../kernel/nftables.ts";
import type { ListedChain } from "../kernel/nftables-dump.ts";
import {
  accept,
  comeBack,
  connectionBits,
  destinationNat,
  drop,
  equals,
  goTo,
  hasAnyBit,
  interfaceName,
  jumpTo,
  loadConnection,
  loadDestinationType,
  loadField,
  loadMeta,
  lookup,
  masquerade,
  verdict,
} from "../kernel/nftables-expressions.ts";
import { bitsOf, lastOf, numberAddress, type Subnet } from "./addresses.ts";

export type Protocol = "tcp" | "udp" | "sctp";
const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** A bridge with what is allowed on it. */
export interface BridgeRules {
  readonly bridge: string;
  readonly subnet: Subnet;
  readonly masquerade: boolean;
}

/** A host port that leads to a container. `hostAddress` 0.0.0.0: any address of the host. */
export interface PublishedPort {
  readonly protocol: Protocol;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerAddress: string;
  readonly containerPort: number;
}

export interface FirewallState {
  readonly bridges: readonly BridgeRules[];
  readonly ports: readonly PublishedPort[];
  /** Drop what is forwarded between interfaces that are not ours: the host was no router before us. */
  readonly dropForeign: boolean;
}

const anyAddress = "0.0.0.0";
const sets = { bridges: "bridges", into: "into", from: "from", ports: "ports", addressPorts: "address-ports" } as const;
const priority = { raw: -300, destinationNat: -100, filter: 0, sourceNat: 100 } as const;
const loopbackNet = [127];

const portBytes = (port: number): Uint8Array => Uint8Array.of(port >>> 8, port & 255);

/** Which map a published port is an element of, and the element. */
function portElement(port: PublishedPort): [set: string, element: Element] {
  const target = [Uint8Array.of(protocolNumber[port.protocol]), portBytes(port.hostPort)];
  const value = [addressBytes(port.containerAddress), portBytes(port.containerPort)];
  if (port.hostAddress === anyAddress) return [sets.ports, { key: target, value }];
  return [sets.addressPorts, { key: [addressBytes(port.hostAddress), ...target], value }];
}

function portChanges(table: TableName, ports: readonly PublishedPort[], make: typeof addElements): NetfilterChange[] {
  const bySet = Map.groupBy(ports.map(portElement), ([set]) => set);
  return [...bySet].flatMap(([set, elements]) =>
    make(
      table,
      set,
      elements.map(([, element]) => element),
    ),
  );
}

/** Both ends of a subnet, as a set of ranges has them. */
function rangeElements(subnet: Subnet, chain: string): Element[] {
  const bytes = (value: bigint): Uint8Array => addressBytes(numberAddress(subnet.family, value));
  const start: Element = { key: [bytes(subnet.base)], value: jumpTo(chain) };
  const behind = lastOf(subnet) + 1n;
  return behind >> BigInt(bitsOf(subnet.family)) > 0n ? [start] : [start, { key: [bytes(behind)], intervalEnd: true }];
}

function skeleton(table: TableName, state: FirewallState): NetfilterChange[] {
  return [
    addSet(table, { name: sets.bridges, key: ["interface"] }, 1),
    addSet(table, { name: sets.into, key: ["interface"], value: "verdict" }, 2),
    addSet(table, { name: sets.from, key: ["address"], value: "verdict", interval: true }, 3),
    addSet(table, { name: sets.ports, key: ["protocol", "port"], value: ["address", "port"] }, 4),
    addSet(table, { name: sets.addressPorts, key: ["address", "protocol", "port"], value: ["address", "port"] }, 5),
    addChain(table, "guard", { type: "filter", hook: "prerouting", priority: priority.raw, policy: "accept" }),
    addChain(table, "prerouting", { type: "nat", hook: "prerouting", priority: priority.destinationNat, policy: "accept" }),
    addChain(table, "output", { type: "nat", hook: "output", priority: priority.destinationNat, policy: "accept" }),
    addChain(table, "postrouting", { type: "nat", hook: "postrouting", priority: priority.sourceNat, policy: "accept" }),
    addChain(table, "forward", {
      type: "filter",
      hook: "forward",
      priority: priority.filter,
      policy: state.dropForeign ? "drop" : "accept",
    }),
    addChain(table, "publish"),
  ];
}

function sharedRules(table: TableName): NetfilterChange[] {
  const fromBridge = [loadMeta("inputInterface"), lookup(sets.bridges)];
  return [
    addRule(table, "guard", ...fromBridge, loadField("destinationAddress", 0, 1), equals(loopbackNet), verdict(drop)),
    addRule(table, "guard", ...fromBridge, loadField("sourceAddress", 0, 1), equals(loopbackNet), verdict(drop)),
    addRule(
      table,
      "publish",
      loadField("destinationAddress", 0),
      loadMeta("protocol", 1),
      loadField("destinationPort", 2),
      lookup(sets.addressPorts, { into: 0 }),
      destinationNat(0, 1),
    ),
    addRule(
      table,
      "publish",
      loadDestinationType(),
      equals([2, 0, 0, 0]),
      loadMeta("protocol", 0),
      loadField("destinationPort", 1),
      lookup(sets.ports, { into: 0 }),
      destinationNat(0, 1),
    ),
    addRule(table, "prerouting", verdict(jumpTo("publish"))),
    addRule(table, "output", verdict(jumpTo("publish"))),
    addRule(table, "forward", loadMeta("outputInterface"), lookup(sets.into, { into: "verdict" })),
    addRule(table, "forward", ...fromBridge, verdict(accept)),
    addRule(table, "postrouting", loadField("sourceAddress"), lookup(sets.from, { into: "verdict" })),
    addRule(
      table,
      "postrouting",
      loadField("sourceAddress", 0, 1),
      equals(loopbackNet),
      loadMeta("outputInterface"),
      lookup(sets.bridges),
      masquerade,
    ),
  ];
}

function bridgeRules(table: TableName, rules: BridgeRules): NetfilterChange[] {
  const name = interfaceName(rules.bridge);
  const into = `into-${rules.bridge}`;
  const from = `from-${rules.bridge}`;
  return [
    addChain(table, into),
    addChain(table, from),
    addRule(table, into, loadConnection("state"), ...hasAnyBit(connectionBits.established | connectionBits.related), verdict(accept)),
    addRule(table, into, loadMeta("inputInterface"), equals(name), verdict(accept)),
    addRule(table, into, loadConnection("status"), ...hasAnyBit(connectionBits.destinationNat), verdict(accept)),
    addRule(table, into, verdict(drop)),
    addRule(
      table,
      from,
      loadMeta("outputInterface"),
      equals(name),
      loadConnection("status"),
      ...hasAnyBit(connectionBits.destinationNat),
      masquerade,
    ),
    addRule(table, from, loadMeta("outputInterface"), equals(name), verdict(comeBack)),
    ...(rules.masquerade ? [addRule(table, from, masquerade)] : []),
    ...addElements(table, sets.bridges, [{ key: [name] }]),
    ...addElements(table, sets.into, [{ key: [name], value: goTo(into) }]),
    ...addElements(table, sets.from, rangeElements(rules.subnet, from)),
  ];
}

/** The whole table anew, in place of what is there under its name, as one transaction. */
export function replaceTable(table: TableName, state: FirewallState): Uint8Array {
  return encodeTransaction([
    // Adding finds what is there, so that the deletion cannot fail.
    addTable(table),
    deleteTable(table),
    addTable(table),
    ...skeleton(table, state),
    ...sharedRules(table),
    ...state.bridges.flatMap((rules) => bridgeRules(table, rules)),
    ...portChanges(table, state.ports, addElements),
  ]);
}

export function removeTable(table: TableName): Uint8Array {
  return encodeTransaction([deleteTable(table)]);
}

/** EEXIST when one is there. `ports` is not empty. */
export function publish(table: TableName, ports: readonly PublishedPort[]): Uint8Array {
  return encodeTransaction(portChanges(table, ports, addElements));
}

/** ENOENT when one is not there; then none is removed. `ports` is not empty. */
export function unpublish(table: TableName, ports: readonly PublishedPort[]): Uint8Array {
  return encodeTransaction(portChanges(table, ports, deleteElements));
}

/** Asks for one published port. ENOENT when it is not there. */
export function findPublished(table: TableName, port: PublishedPort): Uint8Array {
  return getElement(table, ...portElement(port));
}

/**
 * Chains of others that drop what is forwarded unless they say otherwise, as Docker's `FORWARD` does. A packet must pass
 * every table, so ours cannot let it through; such a host needs a rule in that chain (for Docker: in DOCKER-USER).
 */
export function foreignForwardDrops(own: TableName, chains: readonly ListedChain[]): ListedChain[] {
  return chains.filter((chain) => chain.hook === 2 && chain.policy === "drop" && chain.family !== 10 && chain.table !== own.name);
}
