/** An endpoint's part of a plan: everything that the kernel is to be told, as bytes made beforehand. */
import { randomInt } from "node:crypto";
import type { InitOp, NetlinkOp } from "../kernel/kernel.ts";
import type { TableName } from "../kernel/nftables.ts";
import {
  addAddress,
  addBridgeForwarding,
  addRoute,
  addVethPair,
  deleteLink,
  deleteLinkNamed,
  setBridgePort,
  setLink,
} from "../kernel/rtnetlink.ts";
import { lastOf, numberAddress, type Subnet } from "./addresses.ts";
import { inTable, type PublishedPort, publish, unpublish } from "./firewall.ts";
import { type EndpointLink, type Family, families } from "./records.ts";
import { flowDeletions } from "./stale-flows.ts";

export type SettingOp = Extract<InitOp, { op: "sysctl" }>;
/** What is done inside the container's namespace. */
export type InsideOp = NetlinkOp | SettingOp;

const [noEntry, exists, noDevice, invalid, notSupported, unreachable] = [2, 17, 19, 22, 95, 101];
const loopbackIndex = 1;

export function netlink(
  protocol: 0 | 12,
  message: Uint8Array,
  ignore: readonly number[] = [],
  netnsFdAt: readonly number[] = [],
): NetlinkOp {
  return { op: "netlink", protocol, message, netnsFdAt, ignore };
}

export const loopbackUp: NetlinkOp = netlink(0, setLink(loopbackIndex, { up: true }));

/** Interface indexes that we choose lie above those that the kernel counts up to, at random: no two daemons agree on one. */
export const hostIndex = (): number => randomInt(1 << 24, 1 << 30);

export interface BridgePort {
  readonly link: EndpointLink;
  readonly bridgeIndex: number;
  readonly mtu: number;
  /**
   * The kernel shows bridged frames to the firewall (net.bridge.bridge-nf-call-iptables). Then it sends a published port's
   * frames on within the bridge, and those of a container to itself need a port that sends back what came from it.
   */
  readonly hairpin: boolean;
  /** Its fellows on the bridge are not to be reached: enable_icc is off. */
  readonly isolated: boolean;
}

/** The pair between the bridge and the container, its far end born inside. */
export function bridgePort(port: BridgePort): NetlinkOp[] {
  const { link, mtu, hairpin, isolated } = port;
  const index = hostIndex();
  const pair = addVethPair({
    host: { name: link.device, index, master: port.bridgeIndex },
    peer: { name: link.name, index: link.index, mac: link.mac },
    mtu,
  });
  return [
    netlink(0, pair.message, [], pair.netnsFdAt),
    // The address may have been another container's a moment ago, whose end is still being taken down.
    netlink(0, addBridgeForwarding(index, link.mac)),
    ...(hairpin || isolated ? [netlink(0, setBridgePort(index, { hairpin, isolated }))] : []),
  ];
}

/** Takes the host's end away, wherever the container has moved its own. */
export const removeBridgePort = (device: string): NetlinkOp => netlink(0, deleteLinkNamed(device), [noDevice]);

/** Inside: an interface by its index there, whatever the container calls it. */
export const removeLink = (index: number): NetlinkOp => netlink(0, deleteLink(index), [noDevice]);

export interface Interface {
  readonly link: EndpointLink;
  readonly subnets: { readonly [family in Family]?: Subnet };
  /** The kernel has IPv6: it is turned off where the network has none. */
  readonly ipv6Kernel: boolean;
  /** The user chose the MAC address, so neighbours may know the IP address by another one. */
  readonly announce: boolean;
  /** More settings of the interface, by `IFNAME` in their names. */
  readonly settings: readonly (readonly [key: string, value: string])[];
}

const setting = (key: string, value: string): SettingOp => ({ op: "sysctl", key, value });

/** As users give them: IFNAME stands for the interface. */
export const interfaceSettings = (name: string, settings: Interface["settings"]): SettingOp[] =>
  settings.map(([key, value]) => setting(key.replaceAll("IFNAME", name), value));

function settingsOf({ link, subnets, ipv6Kernel, announce, settings }: Interface): SettingOp[] {
  const of = (family: "ipv4" | "ipv6", key: string, value: string): SettingOp => setting(`net.${family}.conf.${link.name}.${key}`, value);
  // Without IPv6 it is off; with it, a neighbour that poses as a router is not believed (CVE-2020-13401).
  const ipv6 = subnets[6] === undefined ? of("ipv6", "disable_ipv6", "1") : of("ipv6", "accept_ra", "0");
  return [...(ipv6Kernel ? [ipv6] : []), ...(announce ? [of("ipv4", "arp_notify", "1")] : []), ...interfaceSettings(link.name, settings)];
}

/** Inside, when the interface is there: settings, addresses, up. */
export function setUpInterface(it: Interface): InsideOp[] {
  const { link, subnets } = it;
  const addresses: InsideOp[] = [];
  if (link.address !== undefined && subnets[4] !== undefined) {
    const broadcast = numberAddress(4, lastOf(subnets[4]));
    addresses.push(netlink(0, addAddress({ index: link.index, address: link.address, prefixLength: subnets[4].prefixLength, broadcast })));
  }
  if (link.address6 !== undefined && subnets[6] !== undefined)
    addresses.push(netlink(0, addAddress({ index: link.index, address: link.address6, prefixLength: subnets[6].prefixLength })));
  return [...settingsOf(it), ...addresses, netlink(0, setLink(link.index, { up: true }))];
}

/** Where what is for elsewhere goes: through an interface, by way of a router unless the network needs none. */
export interface DefaultRoute {
  readonly index: number;
  readonly gateway?: string;
}

/** In place of those that are there. */
export function defaultRoutes(routes: { readonly [family in Family]?: DefaultRoute }): NetlinkOp[] {
  return families.flatMap((family) => {
    const route = routes[family];
    if (route === undefined) return [];
    return [netlink(0, addRoute({ family, ...route, replace: true }), [exists, unreachable])];
  });
}

/**
 * The firewall's part of published ports, when it has one. What is there already stays; and where somebody has taken the table
 * away, it comes back with them, since they have been recorded.
 */
export function openPorts(table: TableName, ports: readonly PublishedPort[]): NetlinkOp[] {
  return [...(ports.some(inTable) ? [netlink(12, publish(table, ports), [exists, noEntry])] : []), ...forgetting(ports)];
}

export function closePorts(table: TableName, ports: readonly PublishedPort[]): NetlinkOp[] {
  return [...(ports.some(inTable) ? [netlink(12, unpublish(table, ports), [noEntry])] : []), ...forgetting(ports)];
}

/** No flow of that kind, or a kernel that cannot be asked so: then old flows stay until they are quiet. */
const forgetting = (ports: readonly PublishedPort[]): NetlinkOp[] =>
  flowDeletions(ports).map((message) => netlink(12, message, [noEntry, invalid, notSupported]));
