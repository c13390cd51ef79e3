/** Which subnets a new network gets, with the gateway and the other addresses that no container has. */
import { forbidden, invalidParameter, systemError } from "../base/base.ts";
import { AddressPool } from "./address-pool.ts";
import { overlap, parseCidr, type Subnet, subnetText } from "./addresses.ts";
import type { IpamConfig } from "./ipam-config.ts";
import type { PoolRecord } from "./records.ts";
import { chooseSubnet, type SubnetSource } from "./subnets.ts";

export interface PoolFacts {
  /** Of the networks that there are. */
  readonly pools: readonly PoolRecord[];
  /** What the host has to do with by itself: such a subnet may be named, but is never chosen. */
  readonly hostSubnets: readonly Subnet[];
  readonly sources: readonly SubnetSource[];
}

const subnetOf = (text: string): Subnet => parseCidr(text).subnet;
const parsed = new WeakMap<PoolRecord, Subnet>();

/** A pool's subnet as numbers. Remembered: a new network is held against all of a thousand. */
export function subnetOfPool(pool: PoolRecord): Subnet {
  const known = parsed.get(pool);
  if (known !== undefined) return known;
  const subnet = subnetOf(pool.subnet);
  parsed.set(pool, subnet);
  return subnet;
}

const canonical = (subnet: string): string => subnetText(subnetOf(subnet));

/**
 * A subnet that is the client's choice. It must not overlap another network's, unless a range is asked for: then the
 * networks share it, as Docker has it (moby issue 46756).
 */
function namedSubnet(subnet: Subnet, range: string | undefined, others: readonly PoolRecord[]): void {
  const text = subnetText(subnet);
  const same = others.filter((other) => other.subnet === text);
  const clash =
    range === undefined ? others.some((other) => overlap(subnetOfPool(other), subnet)) : same.some((other) => other.range === range);
  if (clash) throw forbidden("invalid pool request: Pool overlaps with other one on this address space");
}

function takeGateway(pool: AddressPool, wanted: string | undefined): string {
  const refuse = (why: string): Error => systemError(`failed to allocate gateway (${wanted ?? ""}): ${why}`);
  if (wanted !== undefined && !pool.claim(wanted)) throw refuse("Address already in use");
  const address = wanted ?? pool.allocate();
  if (address === undefined) throw refuse("no available addresses on this pool");
  return address;
}

function planPool(config: IpamConfig, family: 4 | 6, gatewayWanted: boolean, facts: PoolFacts): PoolRecord {
  const { pools: others, hostSubnets, sources } = facts;
  const given = config.Subnet === undefined || config.Subnet === "" ? undefined : subnetOf(config.Subnet);
  const range = config.IPRange === undefined || config.IPRange === "" ? undefined : canonical(config.IPRange);
  if (given !== undefined) namedSubnet(given, range, others);
  const subnet = given ?? chooseSubnet(sources, [...hostSubnets, ...others.map(subnetOfPool)], family);
  if (subnet === undefined) throw invalidParameter("all predefined address pools have been fully subnetted");
  const text = subnetText(subnet);
  const shared = others.filter((other) => other.subnet === text);
  const pool = new AddressPool(subnet, {
    ...(range === undefined ? {} : { range: subnetOf(range) }),
    reserved: shared.flatMap((other) => [...(other.gateway === undefined ? [] : [other.gateway]), ...Object.values(other.auxiliary)]),
  });
  const wanted = config.Gateway || undefined;
  const gateway = wanted !== undefined || gatewayWanted ? takeGateway(pool, wanted) : undefined;
  const auxiliary = config.AuxiliaryAddresses ?? {};
  for (const [name, address] of Object.entries(auxiliary)) {
    if (address !== "" && !pool.claim(address))
      throw systemError(`failed to allocate secondary ip address (${name}:${address}): Address already in use`);
  }
  return {
    subnet: text,
    auxiliary,
    ...(range === undefined ? {} : { range }),
    ...(gateway === undefined ? {} : { gateway }),
  };
}

/**
 * The pools of one family: as the client names them, or one of the daemon's.
 * @throws Forbidden, InvalidParameter, System in Docker's wording
 */
export function planPools(configs: readonly IpamConfig[], family: 4 | 6, gatewayWanted: boolean, facts: PoolFacts): PoolRecord[] {
  const named = configs.filter((config) => subnetOf(config.Subnet ?? "").family === family);
  const planned: PoolRecord[] = [];
  if (named.length === 0) return [{ ...planPool({}, family, gatewayWanted, facts), automatic: true }];
  for (const config of named) planned.push(planPool(config, family, gatewayWanted, { ...facts, pools: [...facts.pools, ...planned] }));
  return planned;
}

/** What a configuration-only network keeps: as it was asked for, nothing chosen. */
export function keptPool(config: IpamConfig): PoolRecord {
  return {
    subnet: canonical(config.Subnet ?? ""),
    auxiliary: config.AuxiliaryAddresses ?? {},
    ...(config.IPRange ? { range: canonical(config.IPRange) } : {}),
    ...(config.Gateway ? { gateway: config.Gateway } : {}),
  };
}

/** The other way round. */
export function configOf(pool: PoolRecord): IpamConfig {
  return {
    Subnet: pool.subnet,
    AuxiliaryAddresses: { ...pool.auxiliary },
    ...(pool.range === undefined ? {} : { IPRange: pool.range }),
    ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
  };
}
