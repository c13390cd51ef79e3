import { BlockList, isIP } from "node:net";
import { ExitError } from "../command.ts";

/** What the flags of `network create` say of addresses. */
export interface IpamFlags {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  /** `name` → address that containers are not given. */
  readonly reserved: Readonly<Record<string, string>>;
}

/** One subnet, as the API has it. */
export interface IpamConfig {
  readonly Subnet: string;
  IPRange?: string;
  Gateway?: string;
  readonly AuxiliaryAddresses: Record<string, string>;
}

function parseCidr(text: string, wrapped = ""): { address: string; prefix: number } {
  const [address = "", length = "", ...rest] = text.split("/");
  const family = isIP(address);
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (family === 0 || address.includes("%") || rest.length > 0 || !(prefix <= (family === 4 ? 32 : 128)))
    throw new ExitError(1, `${wrapped}invalid CIDR address: ${text}`);
  return { address, prefix };
}

/** Whether `subnet` has the address, or the first address of the range. An address that is none is in no subnet. */
function contains(subnet: string, text: string): boolean {
  const { address, prefix } = parseCidr(subnet, "invalid subnet: ");
  const asked = text.includes("/") ? parseCidr(text).address : text;
  const family = isIP(asked);
  if (family === 0 || family !== isIP(address)) return false;
  const name = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, prefix, name);
  return list.check(asked, name);
}

/**
 * Puts each range, gateway and reserved address to the subnet that has it.
 * @throws ExitError with Docker's wording
 */
export function ipamConfigs(flags: IpamFlags): IpamConfig[] {
  const { subnets, ranges, gateways } = flags;
  const fail = (message: string): never => {
    throw new ExitError(1, message);
  };
  if (subnets.length < ranges.length || subnets.length < gateways.length)
    fail("every ip-range or gateway must have a corresponding subnet");
  const configs = new Map<string, IpamConfig>();
  for (const Subnet of subnets) {
    for (const other of configs.keys())
      if (contains(Subnet, other) || contains(other, Subnet)) fail("multiple overlapping subnet configuration is not supported");
    configs.set(Subnet, { Subnet, AuxiliaryAddresses: {} });
  }
  const put = (what: string, text: string, set: (config: IpamConfig) => void): void => {
    const homes = [...configs.values()].filter(({ Subnet }) => contains(Subnet, text));
    if (homes.length === 0) fail(`no matching subnet for ${what} ${text}`);
    for (const home of homes) set(home);
  };
  for (const range of ranges)
    put("range", range, (config) => {
      if (config.IPRange !== undefined)
        fail(`cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`);
      config.IPRange = range;
    });
  for (const gateway of gateways)
    put("gateway", gateway, (config) => {
      if (config.Gateway !== undefined)
        fail(`cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`);
      config.Gateway = gateway;
    });
  for (const [name, address] of Object.entries(flags.reserved))
    put("aux-address", address, (config) => {
      config.AuxiliaryAddresses[name] = address;
    });
  return [...configs.values()];
}
