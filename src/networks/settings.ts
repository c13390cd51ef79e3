/** What `docker inspect` shows of a container's network, and `docker network inspect` of a network. */
import { formatNanos } from "../base/base.ts";
import type { EndpointSettings, NetworkInspect, NetworkSettings } from "../spec/spec.ts";
import { parseCidr } from "./addresses.ts";
import { portSettings } from "./port-settings.ts";
import type { Endpoint, Network } from "./records.ts";

export interface BridgeFacts {
  readonly gateway: string;
  readonly prefixLength: number;
}

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

function endpointSettings(endpoint: Endpoint, bridge: BridgeFacts | undefined, asked: EndpointSettings | undefined): EndpointSettings {
  return {
    ...blankEndpoint(asked),
    MacAddress: endpoint.link?.mac ?? "",
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: bridge?.gateway ?? "",
    IPAddress: endpoint.link?.address ?? "",
    IPPrefixLen: bridge?.prefixLength ?? 0,
  };
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

/** The fields beside `Networks` are the default bridge's, kept by Docker for old clients. */
export function containerSettings(options: {
  readonly network: Network;
  readonly endpoint: Endpoint;
  readonly bridge?: BridgeFacts;
  readonly asked?: EndpointSettings;
  readonly exposedPorts: readonly string[];
}): NetworkSettings {
  const { network, endpoint, bridge } = options;
  const own = endpointSettings(endpoint, bridge, options.asked);
  return {
    ...blankSettings,
    SandboxID: endpoint.sandboxId,
    Ports: network.record.driver !== "bridge" ? {} : portSettings(endpoint.ports, options.exposedPorts),
    ...(network.name === "bridge"
      ? {
          EndpointID: endpoint.endpointId,
          Gateway: own.Gateway,
          IPAddress: own.IPAddress,
          IPPrefixLen: own.IPPrefixLen,
          MacAddress: own.MacAddress,
        }
      : {}),
    Networks: { [network.name]: own },
  } as unknown as NetworkSettings;
}

export interface BridgeOptionFacts {
  readonly masquerade: boolean;
  readonly publishAddress: string;
  readonly mtu: number;
}

function bridgeOptions(device: string, facts: BridgeOptionFacts): Record<string, string> {
  return {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": String(facts.masquerade),
    "com.docker.network.bridge.host_binding_ipv4": facts.publishAddress,
    "com.docker.network.bridge.name": device,
    "com.docker.network.driver.mtu": String(facts.mtu),
  };
}

/** `endpoints`: those to be listed under `Containers`. */
export function networkInspect(network: Network, endpoints: readonly Endpoint[], facts: BridgeOptionFacts): NetworkInspect {
  const bridge = network.record.bridge;
  const prefixLength = bridge === undefined ? 0 : parseCidr(bridge.subnet).subnet.prefixLength;
  const containers = endpoints.map((endpoint) => [
    endpoint.containerId,
    {
      Name: endpoint.name,
      EndpointID: endpoint.endpointId,
      MacAddress: endpoint.link?.mac ?? "",
      IPv4Address: endpoint.link === undefined ? "" : `${endpoint.link.address}/${prefixLength}`,
      IPv6Address: "",
    },
  ]);
  const range = bridge?.range === undefined ? {} : { IPRange: bridge.range };
  return {
    Name: network.name,
    Id: network.id,
    Created: formatNanos(network.createdNanos),
    Scope: "local",
    Driver: network.record.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: bridge === undefined ? null : [{ Subnet: bridge.subnet, ...range, Gateway: bridge.address }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(containers),
    Options: bridge === undefined ? {} : bridgeOptions(bridge.device, facts),
    Labels: {},
  } as unknown as NetworkInspect;
}
