/** A network that containers can be attached to: its addresses, names and rules, and what of it is on the host. */
import { type EngineError, forbidden, systemError } from "../base/base.ts";
import { Zone } from "../dns/dns.ts";
import { AddressPool } from "./address-pool.ts";
import { parseCidr, type Subnet } from "./addresses.ts";
import { type BridgeOptions, bridgeOptionsOf, gatewayElsewhere } from "./bridge-options.ts";
import type { NetworkRules } from "./firewall.ts";
import { type ByFamily, type Family, families, type Network, type NetworkRecord, type PoolRecord } from "./records.ts";
import { readVlanOptions } from "./vlan-options.ts";

/** What an endpoint may ask for, or was given. */
export type Addresses = ByFamily<string>;

/** By family; a network has at most one of each that addresses are given out from. */
export function poolOf(record: NetworkRecord, family: Family): PoolRecord | undefined {
  return record.pools.find((pool) => parseCidr(pool.subnet).subnet.family === family);
}

const allFamilies = <T>(of: (family: Family) => T | undefined): ByFamily<T> =>
  Object.fromEntries(families.flatMap((family) => [of(family)].flatMap((value) => (value === undefined ? [] : [[family, value]]))));

export class OpenNetwork {
  readonly network: Network;
  readonly options: BridgeOptions;
  readonly subnets: ByFamily<Subnet>;
  /** Where containers send what is for elsewhere. */
  readonly gateways: Addresses;
  /** Names are resolved on networks that users have made. */
  readonly zone: Zone | undefined;
  /** The bridge's index on the host, or the parent's. */
  readonly index: number;
  readonly #pools: ByFamily<AddressPool>;
  /** For whom something is kept. */
  readonly #owners = new Set<string>();

  /** `gateways`: in place of the bridge's own addresses. */
  constructor(network: Network, index: number, gateways: Addresses = {}) {
    const { record } = network;
    this.network = network;
    this.index = index;
    this.options = bridgeOptionsOf(record);
    this.zone = network.name === "bridge" ? undefined : new Zone(network.name);
    this.subnets = allFamilies((family) => {
      const pool = poolOf(record, family);
      return pool === undefined ? undefined : parseCidr(pool.subnet).subnet;
    });
    const gatewayOf = (family: Family): string | undefined =>
      gateways[family] ?? gatewayElsewhere(record.pools, family) ?? poolOf(record, family)?.gateway;
    this.gateways = isClosed(record) ? {} : allFamilies(gatewayOf);
    this.#pools = allFamilies((family) => {
      const pool = poolOf(record, family);
      if (pool === undefined) return undefined;
      const reserved = [pool.gateway, gateways[family], ...Object.values(pool.auxiliary)].filter((address) => address !== undefined);
      return new AddressPool(parseCidr(pool.subnet).subnet, {
        reserved,
        ...(pool.range === undefined ? {} : { range: parseCidr(pool.range).subnet }),
      });
    });
  }

  get name(): string {
    return this.network.name;
  }

  get id(): string {
    return this.network.id;
  }

  get record(): NetworkRecord {
    return this.network.record;
  }

  /** An address of each family that the network has, all or none. @throws Forbidden, InvalidParameter, System in Docker's wording */
  allocate(owner: string, asked: Addresses): Addresses {
    const given: { 4?: string; 6?: string } = {};
    try {
      for (const family of families) {
        const pool = this.#pools[family];
        if (pool !== undefined) given[family] = this.#take(pool, family, owner, asked[family]);
      }
      return given;
    } catch (error) {
      this.release(given);
      throw error;
    }
  }

  #take(pool: AddressPool, family: Family, owner: string, asked: string | undefined): string {
    if (asked !== undefined) {
      if (pool.claim(asked)) return asked;
      throw forbidden("Address already in use");
    }
    const address = pool.allocate(undefined, owner);
    if (address === undefined)
      throw setUpFailed(`no available IPv${family} addresses on this network's address pools: ${this.name} (${this.id})`);
    return address;
  }

  /** At the daemon's start: what a container has already. */
  claim(addresses: Addresses): void {
    for (const family of families) {
      const address = addresses[family];
      if (address !== undefined) this.#pools[family]?.claim(address);
    }
  }

  release(addresses: Addresses): void {
    for (const family of families) {
      const address = addresses[family];
      if (address !== undefined) this.#pools[family]?.release(address);
    }
  }

  /** Keeps addresses for a container that does not run. */
  reserve(owner: string, addresses: readonly string[], asked: boolean): void {
    for (const address of addresses) this.#pools[address.includes(":") ? 6 : 4]?.reserve(address, owner, asked ? "static" : "sticky");
    this.#owners.add(owner);
  }

  /** @returns false when there was nothing */
  unreserve(owner: string): boolean {
    if (!this.#owners.delete(owner)) return false;
    for (const family of families) this.#pools[family]?.unreserve(owner);
    return true;
  }

  /** Of a network with a bridge. */
  rules(directRouting: boolean): NetworkRules {
    const { options, record } = this;
    return {
      bridge: record.bridge?.device ?? "",
      subnets: Object.values(this.subnets),
      own: record.pools.flatMap(({ gateway }) => gateway ?? []),
      masquerade: options.masquerade,
      sourceAddress: options.sourceAddress,
      internal: record.internal,
      icc: options.icc,
      gatewayMode: options.gatewayMode,
      trustedInterfaces: options.trustedInterfaces,
      directRouting,
    };
  }
}

/** Nothing leads out of it. */
export function isClosed({ driver, internal, options }: NetworkRecord): boolean {
  return internal || ((driver === "macvlan" || driver === "ipvlan") && readVlanOptions(driver, options, internal).closed);
}

export const setUpFailed = (why: string): EngineError => systemError(`failed to set up container networking: ${why}`);
