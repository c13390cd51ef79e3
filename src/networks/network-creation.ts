/** `docker network create`: what a request means, checked in Docker's order and words. Nothing is looked up or changed here. */
import { conflict, forbidden, invalidParameter, notFound, systemError } from "../base/base.ts";
import type { NetworkCreateRequest } from "../spec/spec.ts";
import { overlap, parseCidr, type Subnet, subnetText } from "./addresses.ts";
import { type BridgeOptions, readBridgeOptions } from "./bridge-options.ts";
import { goBoolean } from "./go-values.ts";
import { checkIpamConfig, type IpamConfig } from "./ipam-config.ts";
import { configOf, keptPool, planPools, subnetOfPool } from "./pool-planning.ts";
import type { NetworkRecord, PoolRecord } from "./records.ts";
import type { SubnetSource } from "./subnets.ts";
import { readVlanOptions, type VlanOptions } from "./vlan-options.ts";

type Texts = Readonly<Record<string, string>>;

export interface CreationFacts {
  /** What the new network's id will be. */
  readonly id: string;
  readonly networks: readonly { readonly id: string; readonly name: string; readonly record: NetworkRecord }[];
  /** The host's addresses, routes and resolvers: `readHostSubnets`. */
  readonly hostSubnets: readonly Subnet[];
  /** `subnetSources` */
  readonly sources: readonly SubnetSource[];
  /** `--default-network-opt`, by driver. */
  readonly defaultOptions?: Readonly<Record<string, Texts>>;
}

type Config = Pick<NetworkRecord, "enableIPv4" | "enableIPv6" | "labels" | "options" | "ipamOptions"> & {
  readonly ipamDriver: string;
  readonly pools: readonly IpamConfig[];
};

const drivers = ["bridge", "host", "null", "macvlan", "ipvlan"] as const;
const predefined: readonly string[] = ["bridge", "host", "none", "default"];
const enableLabels = { 4: "com.docker.network.enable_ipv4", 6: "com.docker.network.enable_ipv6" } as const;

function familyEnabled(asked: boolean | null | undefined, options: Texts, family: 4 | 6): boolean {
  const label = enableLabels[family];
  if (typeof asked === "boolean") return asked;
  const value = Object.hasOwn(options, label) ? options[label] : undefined;
  if (value === undefined) return family === 4;
  const truth = goBoolean(value);
  if (truth === undefined) throw invalidParameter(`driver-opt ${JSON.stringify(label)} is not a valid bool`);
  return truth;
}

/** The options with the daemon's defaults; one that a field of the request overrides would only mislead in `inspect`. */
function optionsOf(request: NetworkCreateRequest, defaults: Texts | undefined): Texts {
  const options: Record<string, string> = { ...(request.ConfigFrom ? {} : defaults), ...request.Options };
  if (typeof request.EnableIPv4 === "boolean") delete options[enableLabels[4]];
  if (typeof request.EnableIPv6 === "boolean") delete options[enableLabels[6]];
  return options;
}

function configAsked(request: NetworkCreateRequest, driver: string, facts: CreationFacts): Config {
  const options = optionsOf(request, facts.defaultOptions?.[driver]);
  return {
    options,
    enableIPv4: familyEnabled(request.EnableIPv4, options, 4),
    enableIPv6: familyEnabled(request.EnableIPv6, options, 6),
    labels: request.Labels ?? {},
    ipamOptions: request.IPAM?.Options ?? {},
    ipamDriver: request.IPAM?.Driver || "default",
    pools: request.IPAM?.Config ?? [],
  };
}

const isEmpty = (texts: Texts): boolean => Object.keys(texts).length === 0;

function checkConfigNetwork(request: NetworkCreateRequest, config: Config): void {
  const { ConfigOnly: only, ConfigFrom: from } = request;
  if (only === true && (request.Ingress || request.Internal || request.Attachable || request.Scope))
    throw forbidden(
      "configuration network can only contain network specific fields. " +
        "Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
    );
  if (!from?.Network) return;
  if (only === true) throw forbidden("a configuration network cannot depend on another configuration network");
  const usual = config.ipamDriver === "default" && config.enableIPv4 && !config.enableIPv6 && config.pools.length === 0;
  if (!usual || !isEmpty(config.labels) || !isEmpty(config.ipamOptions))
    throw forbidden("user-specified configurations are not supported if the network depends on a configuration network");
  if (!isEmpty(config.options))
    throw forbidden("network driver options are not supported if the network depends on a configuration network");
}

/** The configuration that counts: the request's own, or that of the network it names. @throws NotFound */
function configFor(request: NetworkCreateRequest, own: Config, facts: CreationFacts): Config {
  const name = request.ConfigFrom?.Network;
  if (!name) return own;
  const source = facts.networks.find((network) => network.name === name && network.record.configOnly === true);
  if (source === undefined) throw notFound(`configuration network ${JSON.stringify(name)} does not exist`);
  return { ...source.record, ipamDriver: "default", pools: source.record.pools.map(configOf) };
}

interface Plan {
  readonly facts: CreationFacts;
  readonly config: Config;
  readonly internal: boolean;
}

/** @throws NotFound, Forbidden, InvalidParameter, System */
function plannedPools({ facts, config }: Plan, gateways: { readonly 4: boolean; readonly 6: boolean }): PoolRecord[] {
  const noPools = config.ipamDriver === "null";
  if (!noPools && config.ipamDriver !== "default") throw notFound(`plugin ${JSON.stringify(config.ipamDriver)} not found`);
  const others = facts.networks.filter((network) => network.record.configOnly !== true).flatMap((network) => network.record.pools);
  const of = (family: 4 | 6, enabled: boolean): PoolRecord[] => {
    if (!enabled) return [];
    const pools = noPools ? [] : planPools(config.pools, family, gateways[family], { ...facts, pools: others });
    if (pools.length === 0 || pools[0]?.subnet === "0.0.0.0/0" || pools[0]?.subnet === "::/0")
      throw invalidParameter(`ipv${family} pool is empty`);
    return pools;
  };
  return [...of(4, config.enableIPv4), ...of(6, config.enableIPv6)];
}

const linkLocal = parseCidr("fe80::/64").subnet;
const mapped = parseCidr("::ffff:0:0/96").subnet;
const multicast = parseCidr("ff00::/8").subnet;

function checkIPv6Subnet(pool: PoolRecord): void {
  const subnet = subnetOfPool(pool);
  const text = `${pool.gateway ?? pool.subnet.split("/")[0]}/${subnet.prefixLength}`;
  if (overlap(mapped, subnet) && subnet.prefixLength >= 96) throw invalidParameter(`'${text}' is not a valid IPv6 subnet`);
  if (overlap(multicast, subnet) && subnet.prefixLength >= 8) throw invalidParameter(`multicast subnet '${text}' is not allowed`);
  if (overlap(linkLocal, subnet) && subnetText(subnet) !== subnetText(linkLocal))
    throw invalidParameter(`'${text}' clashes with the Link-Local prefix 'fe80::/64'`);
}

const familyOfPool = (pool: PoolRecord): 4 | 6 => subnetOfPool(pool).family;

/** No two bridges share a device or a subnet, even where networks of other drivers may. */
function checkBridgeConflicts(device: string, pools: readonly PoolRecord[], { id, networks }: CreationFacts): void {
  for (const other of networks) {
    const bridge = other.record.bridge;
    if (bridge === undefined) continue;
    const clash = pools.find((pool) => other.record.pools.some((theirs) => overlap(subnetOfPool(theirs), subnetOfPool(pool))));
    const why =
      bridge.device === device
        ? "networks have same bridge name"
        : clash === undefined
          ? undefined
          : `networks have overlapping IPv${familyOfPool(clash)}`;
    if (why !== undefined)
      throw forbidden(`cannot create network ${id} (${device}): conflicts with network ${other.id} (${bridge.device}): ${why}`);
  }
}

function planBridge(plan: Plan): Pick<NetworkRecord, "pools" | "bridge"> {
  const { config, facts } = plan;
  const options: BridgeOptions = readBridgeOptions(config.options, plan.internal);
  const pools = plannedPools(plan, {
    4: options.gatewayMode[4] !== "isolated" && !(options.inhibitIPv4 && plan.internal),
    6: options.gatewayMode[6] !== "isolated",
  });
  if (pools.length === 0) throw invalidParameter("IPv4 or IPv6 must be enabled");
  if (pools.length > 2 || (pools.length === 2 && new Set(pools.map(familyOfPool)).size === 1))
    throw forbidden("bridge driver doesn't support multiple subnets");
  for (const pool of pools) if (familyOfPool(pool) === 6) checkIPv6Subnet(pool);
  const device = options.name ?? `br-${facts.id.slice(0, 12)}`;
  checkBridgeConflicts(device, pools, facts);
  return { pools, bridge: { device, made: true } };
}

/** Who else uses the parent. ipvlan wants it alone, and so does macvlan in mode passthru. @throws System in Docker's wording */
function checkParentUse(parent: string, { how }: VlanOptions, networks: CreationFacts["networks"]): void {
  for (const { id, record } of networks) {
    if (record.driver !== how.driver || record.parent?.device !== parent) continue;
    if (how.driver === "ipvlan") throw systemError(`network dm-${id.slice(0, 12)} is already using parent interface ${parent}`);
    if (how.mode === "passthru")
      throw systemError(`cannot use mode passthru, macvlan network ${id} is already using parent interface ${parent}`);
    if (record.options["macvlan_mode"] === "passthru")
      throw systemError(`macvlan network ${id} is already using parent interface ${parent} in mode passthru`);
  }
}

function planVlan(plan: Plan, driver: "macvlan" | "ipvlan"): Pick<NetworkRecord, "pools" | "parent"> {
  const { config, facts } = plan;
  const options = readVlanOptions(driver, config.options, plan.internal);
  const hasGateway = !options.closed && !options.routed;
  const pools = plannedPools(plan, { 4: hasGateway, 6: hasGateway });
  const device = options.parent ?? `dm-${facts.id.slice(0, 12)}`;
  checkParentUse(device, options, facts.networks);
  const madeByUs = facts.networks.some(({ record }) => record.parent?.device === device && record.parent.made);
  return { pools, parent: { device, made: options.parent === undefined || madeByUs } };
}

function plannedParts(driver: NetworkRecord["driver"], plan: Plan): Pick<NetworkRecord, "pools" | "bridge" | "parent"> {
  switch (driver) {
    case "bridge":
      return planBridge(plan);
    case "macvlan":
    case "ipvlan":
      return planVlan(plan, driver);
    case "host":
    case "null":
      throw forbidden(`only one instance of ${JSON.stringify(driver)} network is allowed`);
  }
}

function checkName(name: string, networks: CreationFacts["networks"]): void {
  if (name.trim() === "") throw invalidParameter("invalid name: name is empty");
  if (networks.some((network) => network.name === name)) throw conflict(`network with name ${name} already exists`);
}

/** What only a swarm has. */
function checkScope(request: NetworkCreateRequest): void {
  if (request.Ingress === true) throw forbidden("Ingress network can only be global scope network");
  if (request.Scope === "swarm") throw forbidden("cannot create a swarm scoped network when swarm is not active");
}

/**
 * The record of the network that a request asks for. Whether the host has the device that is named, and the kernel
 * what the driver needs, shows when the network is made.
 * @throws InvalidParameter, Forbidden, NotFound, Conflict, System in Docker's wording
 */
export function planNetwork(request: NetworkCreateRequest, facts: CreationFacts): NetworkRecord {
  const { Name: name = "", Internal: internal = false, Attachable: attachable = false } = request;
  if (predefined.includes(name)) throw forbidden(`operation is not permitted on predefined ${name} network `);
  const asked = request.Driver || "bridge";
  if (asked === "overlay")
    throw forbidden(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  const own = configAsked(request, asked, facts);
  checkIpamConfig(own.pools, own.enableIPv6);
  checkName(name, facts.networks);
  checkConfigNetwork(request, own);
  const common = { internal, attachable };
  if (request.ConfigOnly === true) {
    const { ipamDriver: _, ...kept } = own;
    return { ...common, ...kept, driver: "null", pools: own.pools.map(keptPool), configOnly: true };
  }
  const driver = drivers.find((known) => known === asked);
  if (driver === undefined) throw notFound(`plugin ${JSON.stringify(asked)} not found`);
  checkScope(request);
  const config = configFor(request, own, facts);
  const { enableIPv4, enableIPv6, labels, options, ipamOptions } = config;
  const configFrom = request.ConfigFrom?.Network;
  return {
    ...common,
    driver,
    enableIPv4,
    enableIPv6,
    labels,
    options,
    ipamOptions,
    ...plannedParts(driver, { facts, config, internal }),
    ...(configFrom ? { configFrom } : {}),
  };
}
