/** Which subnets and addresses the default network gets: as the flags say, as its bridge has them, as it had them, or new ones. */
import { invalidParameter } from "../base/base.ts";
import { contains, makeSubnet, numberAddress, overlap, parseCidr, type Subnet, subnetText } from "./addresses.ts";
import { findBridge, type HostNetwork } from "./bridge.ts";
import { reachedSubnets } from "./host-subnets.ts";
import type { NetworkOptions } from "./options.ts";
import { publishAddresses } from "./port-address.ts";
import type { Family, NetworkRecord, PoolRecord } from "./records.ts";
import { chooseSubnet, type SubnetSource } from "./subnets.ts";

interface Layout {
  readonly address: string;
  readonly subnet: Subnet;
}

const firstHost = (subnet: Subnet): string => numberAddress(subnet.family, subnet.base + 1n);

/** What there is to decide by, for one IP version. */
interface Question {
  readonly family: Family;
  readonly asked?: string;
  /** `--fixed-cidr-v6` alone gives an IPv6 subnet, too. */
  readonly range?: string;
  /** As the device has it now. */
  readonly present?: Layout;
  /** We made the device. */
  readonly ours: boolean;
  readonly before?: PoolRecord;
  /** Of others. */
  readonly taken: readonly Subnet[];
  readonly sources: readonly SubnetSource[];
}

function layOut(question: Question): Layout {
  const { family, asked, present, before, taken, range } = question;
  if (asked !== undefined) return layOutAsAsked(question, asked);
  if (present !== undefined) return present;
  if (family === 6 && range !== undefined) {
    const { subnet } = parseCidr(range);
    return { address: firstHost(subnet), subnet };
  }
  if (before?.gateway !== undefined) {
    const { subnet } = parseCidr(before.subnet);
    if (!taken.some((other) => overlap(other, subnet))) return { address: before.gateway, subnet };
  }
  const sources = question.sources.filter((source) => source.base.family === family);
  const subnet = chooseSubnet(sources, taken);
  if (subnet === undefined)
    throw invalidParameter(`could not find an available, non-overlapping IPv${family} address pool among the defaults`);
  return { address: firstHost(subnet), subnet };
}

function layOutAsAsked({ family, present, ours, taken }: Question, asked: string): Layout {
  const { address, subnet } = parseCidr(asked);
  if (subnet.family !== family || (family === 4 && subnet.prefixLength > 30)) throw invalidParameter(`invalid bridge address: ${asked}`);
  if (!ours && present !== undefined && (present.address !== address || present.subnet.prefixLength !== subnet.prefixLength))
    throw invalidParameter(
      `bridge IP (${asked}) does not match existing bridge configuration ${present.address}/${present.subnet.prefixLength}`,
    );
  if (taken.some((other) => overlap(other, subnet)))
    throw invalidParameter(`bridge network ${asked} overlaps with an address or a route of this host`);
  return { address, subnet };
}

function rangeOf(flag: string, text: string | undefined, subnet: Subnet): string | undefined {
  if (text === undefined) return undefined;
  const range = parseCidr(text).subnet;
  if (!contains(subnet, firstHost(range)) || range.prefixLength < subnet.prefixLength)
    throw invalidParameter(`${flag} ${text} is not part of the bridge's subnet ${subnetText(subnet)}`);
  return subnetText(range);
}

export interface DefaultFacts {
  readonly host: HostNetwork;
  readonly device: string;
  readonly options: NetworkOptions;
  /** Of the user-defined networks. */
  readonly others: readonly Subnet[];
  readonly sources: readonly SubnetSource[];
}

/** The record that the default network has from now on. @throws InvalidParameter when an option cannot be honoured */
export function defaultNetwork(before: NetworkRecord, facts: DefaultFacts): NetworkRecord {
  const { host, device, options } = facts;
  const found = findBridge(host, device);
  const known = before.bridge?.device === device ? before : undefined;
  const ours = known?.bridge?.made === true;
  const taken = [...reachedSubnets(host, found?.index), ...facts.others];
  const pool = (family: Family, asked: string | undefined, range: string | undefined, flag: string): PoolRecord => {
    const entry = host.addresses.find((each) => each.index === found?.index && each.family === family && !each.address.startsWith("fe80:"));
    const earlier = known?.pools.find((each) => parseCidr(each.subnet).subnet.family === family);
    const { address, subnet } = layOut({
      family,
      ours,
      taken,
      sources: facts.sources,
      ...(asked === undefined ? {} : { asked }),
      ...(range === undefined ? {} : { range }),
      ...(entry === undefined ? {} : { present: { address: entry.address, subnet: makeSubnet(entry.address, entry.prefixLength) } }),
      ...(earlier === undefined ? {} : { before: earlier }),
    });
    const part = rangeOf(flag, range, subnet);
    return { subnet: subnetText(subnet), gateway: address, auxiliary: {}, automatic: true, ...(part === undefined ? {} : { range: part }) };
  };
  const pools = [pool(4, options.bip, options.fixedCidr, "fixed-cidr")];
  if (options.ipv6 === true) pools.push(pool(6, options.bip6, options.fixedCidrV6, "fixed-cidr-v6"));
  const made = found === undefined || ours;
  return { ...before, enableIPv6: options.ipv6 === true, pools, options: driverOptions(device, options), bridge: { device, made } };
}

function driverOptions(device: string, options: NetworkOptions): Record<string, string> {
  const [first = "", second] = publishAddresses(options, { isDefault: true, options: {} }, false);
  return {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": String(options.icc ?? true),
    "com.docker.network.bridge.enable_ip_masquerade": String(options.ipMasq ?? true),
    "com.docker.network.bridge.host_binding_ipv4": first,
    ...(second === undefined ? {} : { "com.docker.network.bridge.host_binding_ipv6": second }),
    "com.docker.network.bridge.name": device,
    "com.docker.network.driver.mtu": String(options.mtu ?? 1500),
  };
}
