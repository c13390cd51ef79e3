/** Bridge devices on the host: made, adopted, put right, taken down. */
import { invalidParameter, log } from "../base/base.ts";
import type { HostOp } from "../kernel/kernel.ts";
import { addAddress, addBridge, deleteAddress, deleteGroup, deleteLink, dumpLinks, setLink } from "../kernel/rtnetlink.ts";
import { type Link, type LinkAddress, parseLinks } from "../kernel/rtnetlink-dump.ts";
import { writeNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import { lastOf, macFor, numberAddress, type Subnet } from "./addresses.ts";
import { isDeviceName } from "./bridge-options.ts";
import { hostIndex } from "./endpoint.ts";
import { type HostReach, ofEveryLink, readReach } from "./host-subnets.ts";
import type { NetworkKernel } from "./records.ts";

/** What the host has of a network, as of one moment. */
export interface HostNetwork extends HostReach {
  readonly links: readonly Link[];
}

export async function readHostNetwork(kernel: NetworkKernel): Promise<HostNetwork> {
  return { links: parseLinks(await kernel.netlink(0, dumpLinks())), ...(await readReach(kernel)) };
}

/** An address with the subnet that it is in. */
export interface BridgeAddress {
  readonly address: string;
  readonly subnet: Subnet;
}

export interface BridgeDevice {
  readonly name: string;
  readonly mtu: number;
  /** At most one a family. */
  readonly addresses: readonly BridgeAddress[];
  /** False: it was there before us. */
  readonly made: boolean;
  /** Its ports are isolated from each other: what goes from one to another, where a link allows it, is led over the host. */
  readonly apart: boolean;
}

/** @throws InvalidParameter when a device of that name is no bridge */
export function findBridge(host: HostNetwork, name: string): Link | undefined {
  if (!isDeviceName(name)) throw invalidParameter(`invalid bridge name: ${name}`);
  const found = host.links.find((link) => link.name === name);
  if (found !== undefined && found.kind !== "bridge") throw invalidParameter(`${name} is not a bridge, but ${found.kind || "a device"}`);
  return found;
}

function settingsOf({ name, addresses, made, apart }: BridgeDevice): HostOp[] {
  const ipv6 = addresses.some(({ subnet }) => subnet.family === 6);
  return [
    // Lets answers to the host's own loopback come back through the bridge; the firewall's guard keeps all else out.
    writeNetworkSetting(["ipv4", "conf", name, "route_localnet"], "1"),
    ...(apart
      ? [
          writeNetworkSetting(["ipv4", "conf", name, "proxy_arp_pvlan"], "1"),
          writeNetworkSetting(["ipv4", "conf", name, "send_redirects"], "0"),
        ]
      : []),
    // No address is made up, no router is believed (CVE-2020-13401).
    writeNetworkSetting(["ipv6", "conf", name, "accept_ra"], "0", true),
    // Nobody else can have the bridge's own addresses; while the kernel looks for somebody, two seconds long, it asks for no neighbours.
    ...(made ? [writeNetworkSetting(["ipv6", "conf", name, "accept_dad"], "0", true)] : []),
    ...(made || ipv6 ? [writeNetworkSetting(["ipv6", "conf", name, "disable_ipv6"], ipv6 ? "0" : "1", true)] : []),
  ];
}

/** Makes or adopts the bridge, with its addresses, up. @returns its index */
export async function openBridge(kernel: NetworkKernel, host: HostNetwork, device: BridgeDevice): Promise<number> {
  const found = findBridge(host, device.name);
  const [first] = device.addresses;
  const index = found?.index ?? hostIndex();
  const mac = first === undefined || first.subnet.family === 6 ? macFor(numberAddress(4, BigInt(index))) : macFor(first.address);
  if (found === undefined) await kernel.netlink(0, addBridge({ name: device.name, index, mac, mtu: device.mtu }));
  try {
    await kernel.run(settingsOf(device));
    await setAddresses(kernel, host, index, device);
    await kernel.netlink(0, setLink(index, { up: true }));
  } catch (error) {
    if (found === undefined) await kernel.netlink(0, deleteLink(index)).catch(() => undefined);
    throw error;
  }
  return index;
}

async function setAddresses(kernel: NetworkKernel, host: HostNetwork, index: number, device: BridgeDevice): Promise<void> {
  const present = host.addresses.filter((entry) => entry.index === index && !ofEveryLink(entry.address));
  const same = (entry: LinkAddress, { address, subnet }: BridgeAddress): boolean =>
    entry.address === address && entry.prefixLength === subnet.prefixLength;
  // An address of an earlier --bip would keep its route.
  if (device.made) {
    for (const entry of present.filter((other) => device.addresses.every((wanted) => !same(other, wanted))))
      await kernel.netlink(0, deleteAddress(entry));
  }
  for (const wanted of device.addresses) {
    if (present.some((entry) => same(entry, wanted))) continue;
    const { address, subnet } = wanted;
    const broadcast = subnet.family === 4 ? { broadcast: numberAddress(4, lastOf(subnet)) } : {};
    await kernel.netlink(0, addAddress({ index, address, prefixLength: subnet.prefixLength, ...broadcast }));
  }
}

/** Takes down what was made; of a bridge that was there before us, only our settings. */
export async function closeBridge(
  kernel: NetworkKernel,
  index: number,
  device: { readonly device: string; readonly made: boolean },
): Promise<void> {
  if (device.made) await kernel.netlink(0, deleteLink(index));
  else
    await kernel.run(
      ["route_localnet", "proxy_arp_pvlan"].map((key) => writeNetworkSetting(["ipv4", "conf", device.device, key], "0", true)),
    );
}

/** Takes down bridges that were made, in half the time that each alone would take, 40 ms. One that has gone is passed over. */
export async function deleteBridges(kernel: NetworkKernel, indexes: readonly number[]): Promise<void> {
  const group = hostIndex();
  let any = false;
  for (const index of indexes) {
    await kernel.netlink(0, setLink(index, { group })).then(
      () => {
        any = true;
      },
      (error: unknown) => log.debug("a bridge was not taken down", { index, error }),
    );
  }
  if (any) await kernel.netlink(0, deleteGroup(group));
}

const isDevice = (name: string): boolean => /^veth[0-9a-f]{11}$/.test(name);

/** Deletes the host's ends of pairs that are ports of our bridges, carry a name of ours and are none of `keep`. */
export async function deleteStalePorts(
  kernel: NetworkKernel,
  bridges: ReadonlySet<number>,
  keep: () => ReadonlySet<string>,
): Promise<void> {
  const links = parseLinks(await kernel.netlink(0, dumpLinks()));
  // Asked after the dump: whatever is in the dump was recorded before it was made.
  const kept = keep();
  for (const link of links) {
    if (link.master === undefined || !bridges.has(link.master) || link.kind !== "veth" || !isDevice(link.name) || kept.has(link.name))
      continue;
    await kernel.netlink(0, deleteLink(link.index)).catch((error: unknown) => log.debug("stale port", { link: link.name, error }));
  }
}
