/** What `docker inspect` shows of a container's networks, and `docker network inspect` of a network. */
import { formatNanos } from "../base/base.ts";
import type { EndpointSettings, NetworkInspect, NetworkSettings } from "../spec/spec.ts";
import { isBuiltIn } from "./catalogue.ts";
import type { Place } from "./gateways.ts";
import type { ByFamily, Endpoint, Network, PoolRecord } from "./records.ts";

/** An endpoint that has no address: what was asked for, the rest blank. The SDK's types leave out the nulls that Docker sends. */
export function blankEndpoint(asked: EndpointSettings = {}): EndpointSettings {
  return {
    IPAMConfig: asked.IPAMConfig ?? null,
    Links: asked.Links ?? null,
    Aliases: asked.Aliases ?? null,
    MacAddress: asked.MacAddress ?? "",
    DriverOpts: asked.DriverOpts ?? null,
    GwPriority: asked.GwPriority ?? 0,
    NetworkID: "",
    EndpointID: "",
    Gateway: "",
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  } as unknown as EndpointSettings;
}

/** What an endpoint has got: with the host's network and with none, nothing. */
function endpointSettings(endpoint: Endpoint, place: Place | undefined, asked: EndpointSettings): EndpointSettings {
  const { link } = endpoint;
  const gateways: ByFamily<string> = place?.open.gateways ?? {};
  const prefix = (family: 4 | 6, address: string | undefined): number =>
    address === undefined ? 0 : (place?.open.subnets[family]?.prefixLength ?? 0);
  return {
    ...blankEndpoint(asked),
    MacAddress: link?.mac ?? "",
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: gateways[4] ?? "",
    IPAddress: link?.address ?? "",
    IPPrefixLen: prefix(4, link?.address),
    IPv6Gateway: gateways[6] ?? "",
    GlobalIPv6Address: link?.address6 ?? "",
    GlobalIPv6PrefixLen: prefix(6, link?.address6),
    DNSNames: endpoint.dnsNames.length === 0 ? null : [...endpoint.dnsNames],
  } as unknown as EndpointSettings;
}

/** Of a container that has no network of its own (it joins another's), or none now. */
export const blankSettings: NetworkSettings = {
  Bridge: "",
  SandboxID: "",
  SandboxKey: "",
  Ports: {},
  HairpinMode: false,
  LinkLocalIPv6Address: "",
  LinkLocalIPv6PrefixLen: 0,
  SecondaryIPAddresses: null,
  SecondaryIPv6Addresses: null,
  EndpointID: "",
  Gateway: "",
  GlobalIPv6Address: "",
  GlobalIPv6PrefixLen: 0,
  IPAddress: "",
  IPPrefixLen: 0,
  IPv6Gateway: "",
  MacAddress: "",
  Networks: {},
} as unknown as NetworkSettings;

/** The default bridge's, which Docker keeps beside `Networks` for old clients. */
const legacyFields = [
  "EndpointID",
  "Gateway",
  "GlobalIPv6Address",
  "GlobalIPv6PrefixLen",
  "IPAddress",
  "IPPrefixLen",
  "IPv6Gateway",
  "MacAddress",
] as const;

export interface ShownEndpoint {
  readonly network: Network;
  readonly endpoint: Endpoint;
  /** Not with host and none. */
  readonly place?: Place;
  readonly asked: EndpointSettings;
}

export function containerSettings(sandboxId: string, shown: readonly ShownEndpoint[], ports: NetworkSettings["Ports"]): NetworkSettings {
  const networks = shown.map(({ network, endpoint, place, asked }) => [network.name, endpointSettings(endpoint, place, asked)] as const);
  const [, onBridge] = networks.find(([name]) => name === "bridge") ?? [];
  return {
    ...blankSettings,
    SandboxID: sandboxId,
    Ports: ports,
    ...Object.fromEntries(onBridge === undefined ? [] : legacyFields.map((field) => [field, onBridge[field]])),
    Networks: Object.fromEntries(networks),
  } as unknown as NetworkSettings;
}

function poolConfig(pool: PoolRecord): Record<string, unknown> {
  return {
    Subnet: pool.subnet,
    ...(pool.range === undefined ? {} : { IPRange: pool.range }),
    ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
    ...(Object.keys(pool.auxiliary).length === 0 ? {} : { AuxiliaryAddresses: pool.auxiliary }),
  };
}

/** `endpoints`: those to be listed under `Containers`. */
export function networkInspect(network: Network, endpoints: readonly Endpoint[]): NetworkInspect {
  const { record } = network;
  const withPrefix = (address: string | undefined): string => {
    if (address === undefined) return "";
    const pool = record.pools.find(({ subnet }) => subnet.includes(":") === address.includes(":"));
    return `${address}/${pool?.subnet.split("/")[1] ?? ""}`;
  };
  const containers = endpoints.map((endpoint) => [
    endpoint.containerId,
    {
      Name: endpoint.name,
      EndpointID: endpoint.endpointId,
      MacAddress: endpoint.link?.mac ?? "",
      IPv4Address: withPrefix(endpoint.link?.address),
      IPv6Address: withPrefix(endpoint.link?.address6),
    },
  ]);
  return {
    Name: network.name,
    Id: network.id,
    Created: formatNanos(network.createdNanos),
    Scope: "local",
    Driver: record.driver,
    EnableIPv4: record.enableIPv4,
    EnableIPv6: record.enableIPv6,
    IPAM: {
      Driver: "default",
      Options: isBuiltIn(network.name) ? null : record.ipamOptions,
      Config: record.pools.length === 0 && isBuiltIn(network.name) ? null : record.pools.map(poolConfig),
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: record.configFrom ?? "" },
    ConfigOnly: record.configOnly ?? false,
    Containers: Object.fromEntries(containers),
    Options: record.options,
    Labels: record.labels,
  } as unknown as NetworkInspect;
}
