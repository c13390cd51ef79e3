/** Networks that come and go: on the host, in the firewall and in the database. */
import { forbidden, log, messageOf, newId, notFound, nowNanos } from "../base/base.ts";
import type { NetworkCreateRequest, NetworkCreateResponse } from "../spec/spec.ts";
import { parseCidr } from "./addresses.ts";
import { type BridgeAddress, closeBridge, deleteBridges, type HostNetwork, openBridge, readHostNetwork } from "./bridge.ts";
import { isBuiltIn } from "./catalogue.ts";
import type { Ground } from "./ground.ts";
import { readHostSubnets } from "./host-subnets.ts";
import { planNetwork } from "./network-creation.ts";
import { type Addresses, OpenNetwork, poolOf } from "./open-network.ts";
import { families, type Network, type NetworkRecord } from "./records.ts";
import { closeParent, findLink, findParent, openParent } from "./vlan-parent.ts";

const nothingThere: HostNetwork = { links: [], addresses: [], routes: [] };

export class NetworkSet {
  readonly #ground: Ground;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** @throws InvalidParameter, Conflict, Forbidden, NotFound, System in Docker's wording */
  async create(request: NetworkCreateRequest): Promise<NetworkCreateResponse> {
    const { catalogue, host, options } = this.#ground;
    const id = newId<"NetworkId">();
    const record = planNetwork(request, {
      id,
      networks: catalogue.all(),
      hostSubnets: await readHostSubnets(host.kernel),
      sources: this.#ground.subnetSources,
      ...(options.defaultNetworkOptions === undefined ? {} : { defaultOptions: options.defaultNetworkOptions }),
    });
    // Of a device that is not there yet, nothing is to be known: a thousand others are not asked for.
    const device = record.bridge === undefined ? undefined : await findLink(host.kernel, record.bridge.device);
    const state = device === undefined ? nothingThere : await readHostNetwork(host.kernel);
    const network: Network = { id, name: request.Name ?? "", createdNanos: nowNanos(), record: await this.#withDevices(record, state) };
    // From here on nobody else gets its name, its subnets and its device; a daemon that starts makes what is missing.
    catalogue.put(network);
    try {
      await this.open(network, state);
      await this.#allow(network);
    } catch (error) {
      await this.#takeDown(network).catch((suppressed: unknown) => log.warn("a network was not taken down", { suppressed }));
      catalogue.delete(network);
      throw error;
    }
    return { Id: id, Warning: "" };
  }

  /** Whether the host has the devices already, which then stay. @throws System in Docker's wording where one cannot be made */
  async #withDevices(record: NetworkRecord, state: HostNetwork): Promise<NetworkRecord> {
    const { driver, bridge, parent } = record;
    if (bridge !== undefined) return { ...record, bridge: { ...bridge, made: state.links.every(({ name }) => name !== bridge.device) } };
    if (parent === undefined || (driver !== "macvlan" && driver !== "ipvlan")) return record;
    return { ...record, parent: await findParent(this.#ground.host.kernel, driver, parent) };
  }

  /** Puts its device on the host, or finds it there; the firewall is told apart from this. Networks without a device need nothing. */
  async open(network: Network, state: HostNetwork, gateways: Addresses = {}): Promise<void> {
    const { record } = network;
    const { host } = this.#ground;
    if (record.configOnly === true) return;
    switch (record.driver) {
      case "host":
      case "null":
        return;
      case "macvlan":
      case "ipvlan": {
        if (record.parent !== undefined) this.#ground.add(new OpenNetwork(network, await openParent(host.kernel, record.parent)));
        return;
      }
      case "bridge": {
        const { bridge } = record;
        if (bridge === undefined) return;
        const opened = new OpenNetwork(network, 0, gateways);
        const index = await openBridge(host.kernel, state, {
          name: bridge.device,
          made: bridge.made,
          mtu: opened.options.mtu,
          addresses: bridgeAddresses(opened),
          apart: !opened.options.icc && isBuiltIn(network.name),
        });
        for (const family of families) {
          if (opened.subnets[family] !== undefined && !record.internal && this.#ground.options.ipForward !== false)
            await host.forward(family);
        }
        this.#ground.add(new OpenNetwork(network, index, gateways));
      }
    }
  }

  /** In the firewall; the whole table where the host has become a router by it. */
  async #allow(network: Network): Promise<void> {
    const { host, catalogue } = this.#ground;
    const open = this.#ground.opened(network.id);
    if (open === undefined || network.record.driver !== "bridge") return;
    const builtIn = catalogue.builtIn("bridge");
    const before = builtIn.record.forwardingSince ?? {};
    if (families.every((family) => host.forwarding.since[family] === before[family])) {
      await host.addRules(this.#ground.rulesOf(open));
      return;
    }
    catalogue.put({ ...builtIn, record: { ...builtIn.record, forwardingSince: host.forwarding.since } });
    await host.install();
  }

  /** @throws NotFound, Forbidden in Docker's wording */
  async remove(reference: string): Promise<{ id: string; name: string; driver: string }> {
    const { catalogue, sandboxes } = this.#ground;
    const network = catalogue.find(reference);
    if (isBuiltIn(network.name)) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
    const endpoints = sandboxes.endpointsIn(network.id);
    if (endpoints.length > 0) {
      const who = endpoints.map(({ name, endpointId }) => `name:${JSON.stringify(name)} id:${JSON.stringify(endpointId.slice(0, 12))}`);
      throw forbidden(`error while removing network: network ${network.name} has active endpoints (${who.join(", ")})`);
    }
    if (network.record.configOnly === true && catalogue.all().some(({ record }) => record.configFrom === network.name))
      throw forbidden(`error while removing network: configuration network ${JSON.stringify(network.name)} is in use`);
    if (network.record.removing === true) throw notFound(`network ${reference} not found`);
    const removing: Network = { ...network, record: { ...network.record, removing: true } };
    catalogue.put(removing);
    await this.#takeDown(removing);
    catalogue.delete(removing);
    return { id: network.id, name: network.name, driver: network.record.driver };
  }

  /** Removals that an earlier daemon has begun; what of them is on the host has been opened like all else. */
  async finishRemovals(): Promise<void> {
    for (const network of this.#ground.catalogue.all()) {
      if (network.record.removing !== true) continue;
      await this.#takeDown(network).catch((error: unknown) => log.warn("a network was not taken down", { network: network.name, error }));
      this.#ground.catalogue.delete(network);
    }
  }

  async #takeDown(network: Network): Promise<void> {
    const ground = this.#ground;
    const open = ground.opened(network.id);
    if (open === undefined) return;
    ground.drop(network.id);
    if (network.record.driver === "bridge") await ground.host.removeRules(ground.rulesOf(open));
    await this.#takeOffHost(open);
  }

  /** All that there are, when the daemon ends. What fails is logged. */
  async takeAllOffHost(): Promise<void> {
    const [made, others] = [[] as OpenNetwork[], [] as OpenNetwork[]];
    for (const open of this.#ground.allOpen()) (open.record.bridge?.made === true ? made : others).push(open);
    const bridges = made.map(({ index }) => index);
    const steps = [() => deleteBridges(this.#ground.host.kernel, bridges), ...others.map((open) => () => this.#takeOffHost(open))];
    // Whoever ends cannot do more than tell.
    for (const step of steps) await step().catch((error: unknown) => log.warn("a network was not taken down", { error: messageOf(error) }));
  }

  /** A parent that was made goes with the last network on it. */
  async #takeOffHost(open: OpenNetwork): Promise<void> {
    this.#ground.drop(open.id);
    const { bridge, parent } = open.record;
    const { kernel } = this.#ground.host;
    if (bridge !== undefined) await closeBridge(kernel, open.index, bridge);
    const shared = this.#ground.allOpen().some((other) => other.record.parent?.device === parent?.device);
    if (parent !== undefined && !shared) await closeParent(kernel, parent);
  }
}

/** The bridge's own addresses: the gateways. */
function bridgeAddresses({ record, options }: OpenNetwork): BridgeAddress[] {
  return families.flatMap((family) => {
    const pool = poolOf(record, family);
    if (pool?.gateway === undefined || options.gatewayMode[family] === "isolated" || (family === 4 && options.inhibitIPv4)) return [];
    return [{ address: pool.gateway, subnet: parseCidr(pool.subnet).subnet }];
  });
}
