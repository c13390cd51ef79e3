/** What all of the room's use cases stand on: the networks that are open, who is in them, and the host. */
import { notFound } from "../base/base.ts";
import type { NetworkRows } from "../state/state.ts";
import type { Catalogue } from "./catalogue.ts";
import type { NetworkRules } from "./firewall.ts";
import type { Place } from "./gateways.ts";
import type { Host } from "./host.ts";
import type { HostPorts } from "./host-ports.ts";
import type { OpenNetwork } from "./open-network.ts";
import type { NetworkOptions } from "./options.ts";
import { publishAddresses } from "./port-address.ts";
import type { Endpoint, Network } from "./records.ts";
import type { Sandboxes } from "./sandbox.ts";
import { type SubnetSource, subnetSources } from "./subnets.ts";

interface Parts {
  readonly rows: NetworkRows;
  readonly catalogue: Catalogue;
  readonly sandboxes: Sandboxes;
  readonly ports: HostPorts;
  readonly options: NetworkOptions;
  /** Programs of the host can listen at ::1. */
  readonly hostIpv6: boolean;
}

export class Ground {
  readonly rows: NetworkRows;
  readonly catalogue: Catalogue;
  readonly sandboxes: Sandboxes;
  readonly ports: HostPorts;
  readonly options: NetworkOptions;
  readonly host: Host;
  readonly #hostIpv6: boolean;
  readonly #open = new Map<string, OpenNetwork>();

  constructor(parts: Parts, host: (ground: Ground) => Host) {
    this.rows = parts.rows;
    this.catalogue = parts.catalogue;
    this.sandboxes = parts.sandboxes;
    this.ports = parts.ports;
    this.options = parts.options;
    this.#hostIpv6 = parts.hostIpv6;
    this.host = host(this);
  }

  /** The daemon has a default bridge. */
  get hasBridge(): boolean {
    return this.#open.has(this.catalogue.builtIn("bridge").id);
  }

  /** What networks get subnets from that name none. @throws InvalidParameter */
  get subnetSources(): readonly SubnetSource[] {
    return subnetSources(this.options.defaultAddressPools, this.options.engineId ?? this.catalogue.builtIn("bridge").id);
  }

  /** @throws NotFound */
  open(network: Network): OpenNetwork {
    const open = this.#open.get(network.id);
    if (open === undefined) throw notFound(`network ${network.name} not found`);
    return open;
  }

  opened(id: string): OpenNetwork | undefined {
    return this.#open.get(id);
  }

  allOpen(): OpenNetwork[] {
    return [...this.#open.values()];
  }

  add(open: OpenNetwork): void {
    this.#open.set(open.id, open);
  }

  drop(id: string): void {
    this.#open.delete(id);
  }

  places(endpoints: readonly Endpoint[]): Place[] {
    return endpoints.flatMap((endpoint) => {
      const open = this.#open.get(endpoint.networkId);
      return open === undefined ? [] : [{ endpoint, open }];
    });
  }

  /** Where ports are published that name no address, for a container whose way out is this network. */
  publishAddresses(open: OpenNetwork | undefined): readonly string[] {
    const network = { isDefault: open?.name === "bridge", options: open?.record.options ?? {} };
    return publishAddresses(this.options, network, this.#hostIpv6);
  }

  rulesOf(open: OpenNetwork): NetworkRules {
    return open.rules(this.options.allowDirectRouting ?? false);
  }

  /** What `host-gateway` stands for: an address of each family that the default network has. */
  get hostGateways(): readonly string[] {
    const bridge = this.#open.get(this.catalogue.builtIn("bridge").id);
    return this.options.hostGateways ?? bridge?.record.pools.flatMap(({ gateway }) => gateway ?? []) ?? [];
  }
}
