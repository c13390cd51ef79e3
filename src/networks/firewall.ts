/**
 * The firewall: one table of ours for both IP versions, its rules made once (`firewall-table.ts`), and everything that
 * comes and goes (networks, published ports, links) as elements of sets and maps. So a packet's path is as long with a thousand
 * networks as with one, and so is the list of rules.
 *
 * What another table drops stays dropped, whatever ours says: see `firewall-neighbours.ts`.
 */
import { addressBytes } from "../kernel/netlink-address.ts";
import { encodeTransaction, type NetfilterChange } from "../kernel/nfnetlink.ts";
import { addElements, addTable, deleteElements, deleteTable, type Element, getElement, type TableName } from "../kernel/nftables.ts";
import { accept, drop, goTo, interfaceName, type Verdict } from "../kernel/nftables-expressions.ts";
import { addressNumber, bitsOf, contains, lastOf, numberAddress, type Subnet } from "./addresses.ts";
import { alone, chains, type Family, families, type Neighbours, sets, setsOf, type TableShape, tableContents } from "./firewall-table.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/**
 * How one IP version of a network is reached from outside of it, `com.docker.network.bridge.gateway_mode_ipv4/6`:
 *   nat               through published ports; what leaves has the host's address
 *   nat-unprotected   the same, and each port at the container's own address
 *   routed            published ports and icmp at the container's own address; no addresses are translated
 *   isolated          not at all, nor does the host have an address there; for internal networks
 */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

/** A network's bridge with what is allowed on it. */
export interface NetworkRules {
  /** The device. */
  readonly bridge: string;
  /** At most one of each IP version. A version without one is forwarded to nobody but fellows. */
  readonly subnets: readonly Subnet[];
  /** The bridge's own addresses. */
  readonly own: readonly string[];
  /** `com.docker.network.bridge.enable_ip_masquerade` */
  readonly masquerade: boolean;
  /** `com.docker.network.host_ipv4/6`: what leaves has this address instead of that of the interface that it leaves by. */
  readonly sourceAddress: { readonly 4?: string; readonly 6?: string };
  readonly internal: boolean;
  /**
   * `com.docker.network.bridge.enable_icc`. False: containers reach each other through published ports and links only. That holds for
   * what passes the host's IP layer: where bridged frames do not (net.bridge.bridge-nf-call-iptables is not 1), the
   * bridge's ports must be isolated from each other besides. Not where they do: there a published port's frames go on
   * within the bridge, which isolation would stop. Links between isolated ports need `proxy_arp_pvlan` on the bridge, which leads
   * fellows' packets through the host.
   */
  readonly icc: boolean;
  readonly gatewayMode: { readonly 4: GatewayMode; readonly 6: GatewayMode };
  /** `com.docker.network.bridge.trusted_host_interfaces`: what comes in there may go to open ports at the containers' own addresses. */
  readonly trustedInterfaces: readonly string[];
  /** `--allow-direct-routing`: what comes in anywhere may. */
  readonly directRouting: boolean;
}

/** A host port that leads to a container. `hostAddress` 0.0.0.0 or ::: any address of the host of that IP version. */
export interface PublishedPort {
  readonly protocol: Protocol;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerAddress: string;
  readonly containerPort: number;
  /** The device of the network that it leads into. */
  readonly bridge: string;
  /**
   * The monitor, which holds the host's port, passes on what comes in: the table has no element. For addresses of the other IP version than
   * the container's, and, in publish mode `input`, for all ports.
   */
  readonly relay?: true;
  /** The network is routed: no address is translated, the container's port is only opened. Given once a container's port. */
  readonly routed?: true;
  /** The network trusts interfaces: the container's port is opened to them besides. Given once a container's port. */
  readonly direct?: true;
}

export interface FirewallState extends TableShape {
  readonly networks: readonly NetworkRules[];
  readonly ports: readonly PublishedPort[];
  readonly links?: readonly Link[];
}

/** What `--link` allows between two containers, by their addresses, of a network without icc. */
export interface Link {
  readonly from: string;
  readonly to: string;
  readonly protocol: Protocol;
  readonly port: number;
}

type Entry = readonly [set: string, element: Element];
const portBytes = (port: number): Uint8Array => Uint8Array.of(port >>> 8, port & 255);
const protocolBytes: Readonly<Record<Protocol, Uint8Array>> = { tcp: Uint8Array.of(6), udp: Uint8Array.of(17), sctp: Uint8Array.of(132) };
const familyOfAddress = (address: string): Family => (address.includes(":") ? 6 : 4);

/** Elements as changes: one message a set. */
function changesOf(table: TableName, entries: readonly Entry[], make: typeof addElements): NetfilterChange[] {
  const bySet = new Map<string, Element[]>();
  for (const [set, element] of entries) {
    const elements = bySet.get(set);
    if (elements === undefined) bySet.set(set, [element]);
    else elements.push(element);
  }
  return [...bySet].flatMap(([set, elements]) => make(table, set, elements));
}

/** Each key of a set once. */
function distinct(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [`${entry[0]} ${keyText(entry[1])}`, entry])).values()];
}

const keyText = (element: Element): string =>
  `${element.intervalEnd === true ? "-" : ""}${element.key.map((part) => part.join(".")).join(" ")}`;

/** Both ends of a subnet, as a set of ranges has them. */
function range(set: string, subnet: Subnet, value?: Element["value"]): Entry[] {
  const bytes = (address: bigint): Uint8Array => addressBytes(numberAddress(subnet.family, address));
  const start: Entry = [set, { key: [bytes(subnet.base)], ...(value === undefined ? {} : { value }) }];
  const behind = lastOf(subnet) + 1n;
  return behind >> BigInt(bitsOf(subnet.family)) > 0n ? [start] : [start, [set, { key: [bytes(behind)], intervalEnd: true }]];
}

/** No container of another network gets to one of this by its address. */
function isUnreachable({ internal, gatewayMode, trustedInterfaces, directRouting }: NetworkRules, family: Family): boolean {
  if (internal || gatewayMode[family] === "isolated") return true;
  return gatewayMode[family] === "nat" && !directRouting && trustedInterfaces.length === 0;
}

/**
 * Addresses of containers that reach only each other by these: the subnet without what is the host's. Ranges in ascending
 * order, as the kernel wants them.
 */
function fellowEntries(rules: NetworkRules, subnet: Subnet): Entry[] {
  if (!rules.icc || !isUnreachable(rules, subnet.family)) return [];
  const { fellows } = setsOf(subnet.family);
  const key = (address: bigint): Element["key"] => [addressBytes(numberAddress(subnet.family, address))];
  const own = rules.own.filter((address) => contains(subnet, address)).map(addressNumber);
  const entries: Entry[] = [];
  let first = subnet.base;
  for (const address of [...own.toSorted((x, y) => (x < y ? -1 : 1)), lastOf(subnet) + 1n]) {
    if (address > first) {
      entries.push([fellows, { key: key(first) }]);
      // Behind the last address of all there is none to end at.
      if (address >> BigInt(bitsOf(subnet.family)) === 0n) entries.push([fellows, { key: key(address), intervalEnd: true }]);
    }
    first = address + 1n;
  }
  return entries;
}

/** What becomes of a packet from elsewhere into the network. */
function verdictInto(rules: NetworkRules, family: Family): Verdict {
  if (rules.internal || !rules.subnets.some((subnet) => subnet.family === family)) return drop;
  switch (rules.gatewayMode[family]) {
    case "nat":
      return goTo(rules.directRouting ? chains.opened : chains.published);
    case "nat-unprotected":
      return accept;
    case "routed":
      return goTo(chains.routed);
    case "isolated":
      return drop;
  }
}

function natEntries(rules: NetworkRules, subnet: Subnet): Entry[] {
  const names = setsOf(subnet.family);
  const mode = rules.gatewayMode[subnet.family];
  if (rules.internal || (mode !== "nat" && mode !== "nat-unprotected")) return [];
  const hairpin = range(names.behindNat, subnet);
  if (!rules.masquerade) return hairpin;
  const source = rules.sourceAddress[subnet.family];
  return [...hairpin, ...(source === undefined ? range(names.masquerade, subnet) : range(names.source, subnet, [addressBytes(source)]))];
}

function networkEntries(rules: NetworkRules): Entry[] {
  const name = interfaceName(rules.bridge);
  return [
    [sets.bridges, { key: [name] }],
    [sets.same, { key: [name, name], value: rules.icc ? accept : goTo(chains.apart) }],
    ...(rules.internal ? [[sets.internal, { key: [name] }] as const] : []),
    ...rules.trustedInterfaces.map((trusted): Entry => [sets.trusted, { key: [interfaceName(trusted), name] }]),
    ...families.map((family): Entry => [setsOf(family).into, { key: [name], value: verdictInto(rules, family) }]),
    ...rules.subnets.flatMap((subnet) => [...natEntries(rules, subnet), ...fellowEntries(rules, subnet)]),
  ];
}

type ToBytes = (address: string) => Uint8Array;

/** A container with a thousand ports has one address for all of them. */
function addressReader(): ToBytes {
  const known = new Map<string, Uint8Array>();
  return (address) => {
    const bytes = known.get(address) ?? addressBytes(address);
    known.set(address, bytes);
    return bytes;
  };
}

function allPortEntries(ports: readonly PublishedPort[]): Entry[] {
  const toBytes = addressReader();
  const entries: Entry[] = [];
  for (const port of ports) if (inTable(port)) entries.push(...portEntries(port, toBytes));
  return entries;
}

/** In which sets a published port is, and as what. The first entry tells whether it is there. */
function portEntries(port: PublishedPort, toBytes: ToBytes): Entry[] {
  const names = setsOf(familyOfAddress(port.containerAddress));
  const address = toBytes(port.containerAddress);
  const protocol = protocolBytes[port.protocol];
  const containerPort = portBytes(port.containerPort);
  const opened = (): Entry => [names.open, { key: [address, protocol, containerPort] }];
  if (port.routed === true) return [opened()];
  const hostPort = portBytes(port.hostPort);
  const value = [address, containerPort];
  const any = port.hostAddress === "0.0.0.0" || port.hostAddress === "::";
  const entry: Entry = any
    ? [names.ports, { key: [protocol, hostPort], value }]
    : [names.addressPorts, { key: [toBytes(port.hostAddress), protocol, hostPort], value }];
  return port.direct === true ? [entry, opened()] : [entry];
}

function linkEntry(link: Link): Entry {
  const key = [addressBytes(link.from), addressBytes(link.to), protocolBytes[link.protocol], portBytes(link.port)];
  return [setsOf(familyOfAddress(link.from)).links, { key }];
}

/** The whole table anew, in place of what is there under its name, as one transaction: no packet sees anything between. */
export function replaceTable(table: TableName, state: FirewallState, beside: Neighbours = alone): Uint8Array {
  const entries = [
    ...distinct(state.networks.flatMap(networkEntries)),
    ...allPortEntries(state.ports),
    ...(state.links ?? []).map(linkEntry),
  ];
  return encodeTransaction([
    // Adding finds what is there, so that the deletion cannot fail.
    addTable(table),
    deleteTable(table),
    addTable(table),
    ...tableContents(table, state, beside),
    ...changesOf(table, entries, addElements),
  ]);
}

export function removeTable(table: TableName): Uint8Array {
  return encodeTransaction([deleteTable(table)]);
}

/** EEXIST when its subnets are another network's. */
export function addNetwork(table: TableName, rules: NetworkRules): Uint8Array {
  return encodeTransaction(changesOf(table, distinct(networkEntries(rules)), addElements));
}

/** `rules` as they were added. ENOENT when it is not there; then nothing is removed. */
export function removeNetwork(table: TableName, rules: NetworkRules): Uint8Array {
  return encodeTransaction(changesOf(table, distinct(networkEntries(rules)), deleteElements));
}

/** Whether the table has an element for it: {@link publish} and {@link unpublish} need at least one such port. */
export const inTable = (port: PublishedPort): boolean => port.relay !== true && port.hostAddress !== "::1";

/**
 * Whether the monitor is to pass on what its socket for the port gets, with or without an element: the kernel sends on nothing that
 * is for ::1, or that comes from a link-local address of IPv6.
 */
export const isRelayed = (port: PublishedPort): boolean =>
  port.routed !== true && (port.relay === true || ["::", "::1"].includes(port.hostAddress) || /^fe[89ab]/.test(port.hostAddress));

/** EEXIST when one is there. Ports that are not {@link inTable} are passed over. */
export function publish(table: TableName, ports: readonly PublishedPort[]): Uint8Array {
  return encodeTransaction(changesOf(table, allPortEntries(ports), addElements));
}

/** ENOENT when one is not there; then none is removed. Ports that are not {@link inTable} are passed over. */
export function unpublish(table: TableName, ports: readonly PublishedPort[]): Uint8Array {
  return encodeTransaction(changesOf(table, allPortEntries(ports), deleteElements));
}

/** Asks for one published port that is {@link inTable}. ENOENT when it is not there. */
export function findPublished(table: TableName, port: PublishedPort): Uint8Array {
  const [entry] = inTable(port) ? portEntries(port, addressBytes) : [];
  if (entry === undefined) throw new RangeError(`port ${port.hostPort} is not in the table`);
  return getElement(table, ...entry);
}

/** `links` is not empty. */
export function allowLinks(table: TableName, links: readonly Link[]): Uint8Array {
  return encodeTransaction(changesOf(table, links.map(linkEntry), addElements));
}

/** ENOENT when one is not there; then none is removed. `links` is not empty. */
export function denyLinks(table: TableName, links: readonly Link[]): Uint8Array {
  return encodeTransaction(changesOf(table, links.map(linkEntry), deleteElements));
}
