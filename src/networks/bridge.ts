/** The bridge device of a network on the host: made, adopted, put right, taken down. */
import { invalidParameter, log } from "../base/base.ts";
import type { HostOp } from "../kernel/kernel.ts";
import { addAddress, addBridge, deleteAddress, deleteLink, dumpAddresses, dumpLinks, dumpRoutes, setLink } from "../kernel/rtnetlink.ts";
import { type Link, type LinkAddress, parseLinkAddresses, parseLinks, parseRoutes, type Route } from "../kernel/rtnetlink-dump.ts";
import { writeNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import { contains, lastOf, macFor, makeSubnet, numberAddress, overlap, parseCidr, type Subnet, subnetText } from "./addresses.ts";
import type { NetworkOptions } from "./options.ts";
import type { BridgeRecord, NetworkKernel } from "./records.ts";
import { chooseSubnet, defaultSources, parseSubnetSource } from "./subnets.ts";

export interface HostNetwork {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly Route[];
}

async function readHostNetwork(kernel: NetworkKernel): Promise<HostNetwork> {
  const links = parseLinks(await kernel.netlink(0, dumpLinks()));
  const addresses = parseLinkAddresses(await kernel.netlink(0, dumpAddresses()));
  const routes = parseRoutes(await kernel.netlink(0, dumpRoutes(4)));
  return { links, addresses, routes };
}

/** Subnets that the host has to do with other than through `device`. */
function takenSubnets(host: HostNetwork, device: Link | undefined): Subnet[] {
  const others = <T extends { readonly index?: number }>(entry: T): boolean => device === undefined || entry.index !== device.index;
  return [
    ...host.addresses.filter(others).map((entry) => makeSubnet(entry.address, entry.prefixLength)),
    ...host.routes
      .filter((route) => others(route) && route.destination !== undefined && route.prefixLength > 0)
      .map((route) => makeSubnet(route.destination ?? "", route.prefixLength)),
  ];
}

interface Layout {
  readonly address: string;
  readonly subnet: Subnet;
}

const firstHost = (subnet: Subnet): string => numberAddress(subnet.family, subnet.base + 1n);

/** Which subnet and address the bridge gets: as asked, as it has them, as it had them, or new ones that nobody uses. */
function layOut(host: HostNetwork, device: Link | undefined, record: BridgeRecord | undefined, options: NetworkOptions): Layout {
  const present = host.addresses.find((entry) => entry.index === device?.index && entry.family === 4);
  const ours = record?.made === true && record.device === device?.name;
  if (options.bip !== undefined) {
    const { address, subnet } = parseCidr(options.bip);
    if (subnet.family !== 4 || subnet.prefixLength > 30) throw invalidParameter(`invalid bridge address: ${options.bip}`);
    if (!ours && present !== undefined && (present.address !== address || present.prefixLength !== subnet.prefixLength))
      throw invalidParameter(
        `bridge IP (${options.bip}) does not match existing bridge configuration ${present.address}/${present.prefixLength}`,
      );
    if (takenSubnets(host, device).some((other) => overlap(other, subnet)))
      throw invalidParameter(`bridge network ${options.bip} overlaps with an address or a route of this host`);
    return { address, subnet };
  }
  if (present !== undefined) return { address: present.address, subnet: makeSubnet(present.address, present.prefixLength) };
  const taken = takenSubnets(host, device);
  if (record !== undefined) {
    const { subnet } = parseCidr(record.subnet);
    if (!taken.some((other) => overlap(other, subnet))) return { address: record.address, subnet };
  }
  const sources = (options.defaultAddressPools ?? []).map(parseSubnetSource);
  const subnet = chooseSubnet(sources.length > 0 ? sources : defaultSources, taken);
  if (subnet === undefined) throw invalidParameter("could not find an available, non-overlapping IPv4 address pool among the defaults");
  return { address: firstHost(subnet), subnet };
}

function checkRange(options: NetworkOptions, subnet: Subnet): string | undefined {
  if (options.fixedCidr === undefined) return undefined;
  const range = parseCidr(options.fixedCidr).subnet;
  if (!contains(subnet, firstHost(range)) || range.prefixLength < subnet.prefixLength)
    throw invalidParameter(`fixed-cidr ${options.fixedCidr} is not part of the bridge's subnet ${subnetText(subnet)}`);
  return subnetText(range);
}

export interface OpenBridge {
  readonly index: number;
  readonly record: BridgeRecord;
}

/** Settings of a bridge of ours. IPv6 is off: no address is made up, no router is believed (CVE-2020-13401). */
function settingsOf(device: string, made: boolean): HostOp[] {
  return [
    // Lets answers to the host's own loopback come back through the bridge; the firewall's guard keeps all else out.
    writeNetworkSetting(["ipv4", "conf", device, "route_localnet"], "1"),
    writeNetworkSetting(["ipv6", "conf", device, "accept_ra"], "0", true),
    ...(made ? [writeNetworkSetting(["ipv6", "conf", device, "disable_ipv6"], "1", true)] : []),
  ];
}

/** Makes or adopts the bridge, with its address, up. */
export async function openBridge(
  kernel: NetworkKernel,
  device: string,
  record: BridgeRecord | undefined,
  options: NetworkOptions,
): Promise<OpenBridge> {
  if (!/^[^\s/:]{1,15}$/.test(device) || device === "." || device === "..") throw invalidParameter(`invalid bridge name: ${device}`);
  const host = await readHostNetwork(kernel);
  const found = host.links.find((link) => link.name === device);
  if (found !== undefined && found.kind !== "bridge") throw invalidParameter(`${device} is not a bridge, but ${found.kind || "a device"}`);
  const { address, subnet } = layOut(host, found, record, options);
  const range = checkRange(options, subnet);
  const made = found === undefined || (record?.made === true && record.device === device);
  if (found === undefined) await kernel.netlink(0, addBridge({ name: device, mac: macFor(address), mtu: options.mtu ?? 1500 }));
  await kernel.run(settingsOf(device, made));
  const link = found ?? parseLinks(await kernel.netlink(0, dumpLinks())).find((other) => other.name === device);
  if (link === undefined) throw new Error(`${device} vanished while it was made`);
  await setAddress(kernel, host, link, address, subnet, made);
  await kernel.netlink(0, setLink(link.index, { up: true }));
  return {
    index: link.index,
    record: {
      device,
      made,
      subnet: subnetText(subnet),
      address,
      ...(range === undefined ? {} : { range }),
      ...(record?.forwardingSince === undefined ? {} : { forwardingSince: record.forwardingSince }),
    },
  };
}

async function setAddress(
  kernel: NetworkKernel,
  host: HostNetwork,
  link: Link,
  address: string,
  subnet: Subnet,
  made: boolean,
): Promise<void> {
  const present = host.addresses.filter((entry) => entry.index === link.index && entry.family === 4);
  const wanted = (entry: LinkAddress): boolean => entry.address === address && entry.prefixLength === subnet.prefixLength;
  // An address of an earlier --bip would keep its route.
  if (made) for (const entry of present.filter((other) => !wanted(other))) await kernel.netlink(0, deleteAddress(entry));
  if (present.some(wanted)) return;
  const broadcast = numberAddress(4, lastOf(subnet));
  await kernel.netlink(0, addAddress({ index: link.index, address, prefixLength: subnet.prefixLength, broadcast }));
}

/** Deletes the host's ends of pairs that are ports of the bridge, carry a name of ours and are none of `keep`. */
export async function deleteStalePorts(
  kernel: NetworkKernel,
  bridge: number,
  isOurs: (name: string) => boolean,
  keep: () => ReadonlySet<string>,
): Promise<void> {
  const links = parseLinks(await kernel.netlink(0, dumpLinks()));
  // Asked after the dump: whatever is in the dump was recorded before it was made.
  const kept = keep();
  for (const link of links) {
    if (link.master !== bridge || link.kind !== "veth" || !isOurs(link.name) || kept.has(link.name)) continue;
    await kernel.netlink(0, deleteLink(link.index)).catch((error: unknown) => log.debug("stale port", { link: link.name, error }));
  }
}
