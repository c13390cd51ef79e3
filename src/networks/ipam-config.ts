/** Checks of what a client asks of a network's addresses, before anything is looked up: Docker's, in its words. */
import { invalidParameter } from "../base/base.ts";
import type { NetworkCreateRequest } from "../spec/spec.ts";
import { addressNumber, contains, familyOf, makeSubnet, overlap, type Subnet, sizeOf, subnetText } from "./addresses.ts";

export type IpamConfig = NonNullable<NonNullable<NetworkCreateRequest["IPAM"]>["Config"]>[number];

interface Prefix {
  readonly subnet: Subnet;
  /** Host bits are zero. */
  readonly masked: boolean;
  readonly text: string;
}

const blockName = { 4: "IPv4", 6: "IPv6" } as const;

/** `10.0.0.0/8` as Go's netip takes it: no leading zeros, no zone. Undefined: it is none. */
function parsePrefix(text: string): Prefix | undefined {
  const [, address = "", length = ""] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === undefined || Number(length) > (family === 4 ? 32 : 128)) return undefined;
  const subnet = makeSubnet(address, Number(length));
  return { subnet, masked: addressNumber(address) === subnet.base, text };
}

function wrongRange(range: string | undefined, parent: Subnet): string[] {
  if (range === undefined || range === "") return [];
  const found = parsePrefix(range);
  const refuse = (why: string): string => `invalid ip-range ${range}: ${why}`;
  if (found === undefined) return [refuse("invalid CIDR block notation")];
  const { subnet, masked } = found;
  if (subnet.family !== parent.family) return [refuse(`parent subnet is an ${blockName[parent.family]} block`)];
  return [
    ...(sizeOf(subnet) > sizeOf(parent) ? [refuse(`CIDR block is bigger than its parent subnet ${subnetText(parent)}`)] : []),
    ...(masked ? [] : [refuse(`it should be ${subnetText(subnet)}`)]),
    ...(overlap(subnet, parent) ? [] : [refuse(`parent subnet ${subnetText(parent)} doesn't contain ip-range`)]),
  ];
}

function wrongAddress(address: string | undefined, parent: Subnet): string | undefined {
  if (address === undefined || address === "") return undefined;
  const family = familyOf(address);
  if (family === undefined) return "invalid address";
  if (family !== parent.family) return `parent subnet is an ${blockName[parent.family]} block`;
  return contains(parent, address) ? undefined : `parent subnet ${subnetText(parent)} doesn't contain this address`;
}

function wrongPool(config: IpamConfig, enableIPv6: boolean): string[] {
  const found = parsePrefix(config.Subnet ?? "");
  if (found === undefined) return [`invalid subnet ${config.Subnet ?? ""}: invalid CIDR block notation`];
  const { subnet } = found;
  if (subnet.family === 6 && !enableIPv6) return [];
  const gateway = wrongAddress(config.Gateway, subnet);
  const auxiliary = Object.entries(config.AuxiliaryAddresses ?? {}).flatMap(([name, address]) => {
    const why = wrongAddress(address, subnet);
    return why === undefined ? [] : [`invalid auxiliary address ${name}: ${why}`];
  });
  return [
    ...(found.masked ? [] : [`invalid subnet ${found.text}: it should be ${subnetText(subnet)}`]),
    ...wrongRange(config.IPRange, subnet),
    ...(gateway === undefined ? [] : [`invalid gateway ${config.Gateway}: ${gateway}`]),
    ...auxiliary,
  ];
}

/** Subnets of IPv6 on a network without it are passed over. @throws InvalidParameter with all that is wrong */
export function checkIpamConfig(configs: readonly IpamConfig[], enableIPv6: boolean): void {
  const wrong = configs.flatMap((config) => wrongPool(config, enableIPv6));
  if (wrong.length === 0) return;
  const list = wrong.length === 1 ? wrong[0] : wrong.map((line) => `* ${line}`).join("\n");
  throw invalidParameter(`invalid network config:\n${list}`);
}
