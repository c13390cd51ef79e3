import {
  type ContainerId,
  type EngineError,
  isEngineError,
  log,
  messageOf,
  newId,
  notFound,
  notImplemented,
  systemError,
} from "../base/base.ts";
import type { NetworkInspect, NetworkSettings } from "../spec/spec.ts";
import type { NetworkRows } from "../state/state.ts";
import { macFor } from "./addresses.ts";
import { deleteStalePorts } from "./bridge.ts";
import type { Catalogue } from "./catalogue.ts";
import type { DefaultBridge } from "./default-bridge.ts";
import { bridgePlan, type EndpointPlan, lonePlan, sharedPlan } from "./endpoint.ts";
import type { PublishedPort } from "./firewall.ts";
import type { HostPorts } from "./host-ports.ts";
import { hostHostsText, hostsText, readHostResolver, resolverText } from "./name-files.ts";
import type { Attachment, AttachRequest, Networks } from "./networks.ts";
import type { NetworkOptions } from "./options.ts";
import { publishAddresses } from "./port-address.ts";
import { portWishes } from "./port-bindings.ts";
import { claimPorts, releasePorts, takePorts } from "./port-taking.ts";
import type { Endpoint, Network, NetworkKernel } from "./records.ts";
import { checkRequest, joinsContainer, macOf, resolverOf, settingsAsked } from "./request.ts";
import { blankSettings, containerSettings, networkInspect } from "./settings.ts";

/** How long a dying namespace may take for its end of a pair before we take it. */
const lingerMs = 500;
const anyAddress = "0.0.0.0";
const unavailable = "user-defined networks are not available in this version";
/** Addresses remembered for containers that are not attached. */
const rememberedAddresses = 4096;

interface Parts {
  readonly rows: NetworkRows;
  readonly catalogue: Catalogue;
  readonly ports: HostPorts;
  readonly options: NetworkOptions;
  readonly kernel: NetworkKernel;
  /** Undefined: the daemon has no default bridge. */
  readonly bridge?: DefaultBridge;
  /** A program of the host can listen at ::1. */
  readonly hostHasIpv6: boolean;
}

const deviceOf = (endpointId: string): string => `veth${endpointId.slice(0, 11)}`;
const isDevice = (name: string): boolean => /^veth[0-9a-f]{11}$/.test(name);

/** The room's interface on one default bridge. */
export class BerthNetworks implements Networks {
  readonly #parts: Parts;
  readonly #endpoints = new Map<string, Endpoint>();
  /** The last address of each container, so that it finds it again. */
  readonly #lastAddress = new Map<string, string>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    for (const row of parts.rows.endpoints()) {
      const endpoint = JSON.parse(row.record) as Endpoint;
      this.#endpoints.set(row.containerId, endpoint);
      if (endpoint.link !== undefined) parts.bridge?.pool.claim(endpoint.link.address);
      claimPorts(parts.ports, endpoint.ports);
    }
  }

  publishedPorts(): PublishedPort[] {
    return [...this.#endpoints.values()].flatMap((endpoint) => endpoint.ports);
  }

  /** The network that a mode means; undefined: another container's. @throws NotFound */
  #network(mode: string): Network | undefined {
    const { catalogue, bridge } = this.#parts;
    if (joinsContainer(mode)) return undefined;
    if (mode === "" || mode === "default") return catalogue.builtIn(bridge === undefined ? "none" : "bridge");
    const network = catalogue.find(mode);
    if (network.record.driver === "bridge" && bridge === undefined) throw notFound(`network ${mode} not found`);
    return network;
  }

  validate(request: AttachRequest): void {
    const network = this.#network(request.networkMode);
    for (const name of Object.keys(request.endpoints)) this.#network(name);
    checkRequest(request, network);
    portWishes(request, this.#publishAddresses);
  }

  async attach(request: AttachRequest): Promise<Attachment> {
    this.validate(request);
    await this.detach(request.containerId);
    const network = this.#network(request.networkMode);
    if (network === undefined) {
      return { namespace: "container", dns: false, ...sharedPlan, settings: blankSettings, hosts: "", resolvConf: "" };
    }
    switch (network.record.driver) {
      case "host":
        return this.#attachPlain(request, network, "host", sharedPlan);
      case "null":
        return this.#attachPlain(request, network, "private", lonePlan);
      case "bridge":
        return this.#attachBridge(request, network);
    }
  }

  #newEndpoint(request: AttachRequest, network: Network): Omit<Endpoint, "link" | "ports"> {
    return {
      containerId: request.containerId,
      networkId: network.id,
      endpointId: newId<"EndpointId">(),
      sandboxId: newId<"SandboxId">(),
      name: request.containerName ?? request.hostname,
    };
  }

  #record(endpoint: Endpoint): void {
    this.#parts.rows.putEndpoint({ containerId: endpoint.containerId, networkId: endpoint.networkId, record: JSON.stringify(endpoint) });
    this.#endpoints.set(endpoint.containerId, endpoint);
  }

  get #publishAddresses(): readonly string[] {
    return publishAddresses(this.#parts.options, { isDefault: true, options: {} }, this.#parts.hostHasIpv6);
  }

  get #hostGateways(): readonly string[] {
    const own = this.#parts.bridge?.record.address;
    return this.#parts.options.hostGateways ?? (own === undefined ? [] : [own]);
  }

  async #attachPlain(request: AttachRequest, network: Network, namespace: "host" | "private", plan: EndpointPlan): Promise<Attachment> {
    const { extraHosts, hostname } = request;
    const gateways = this.#hostGateways;
    const kind = namespace === "private" ? "direct" : "host";
    const resolvConf = resolverText(await readHostResolver(kind), resolverOf(request, this.#parts.options), kind);
    const hosts =
      namespace === "host"
        ? await hostHostsText(extraHosts, gateways)
        : hostsText({ extraHosts, hostname, gateways, addresses: [], ipv6: true });
    const endpoint: Endpoint = { ...this.#newEndpoint(request, network), ports: [] };
    this.#record(endpoint);
    return { namespace, dns: false, ...plan, settings: this.#settings(request, network, endpoint), hosts, resolvConf };
  }

  async #attachBridge(request: AttachRequest, network: Network): Promise<Attachment> {
    const { bridge, ports: hostPorts, options } = this.#parts;
    if (bridge === undefined) throw notFound(`network ${network.name} not found`);
    const base = this.#newEndpoint(request, network);
    const resolvConf = resolverText(await readHostResolver("direct"), resolverOf(request, options), "direct");
    const address = bridge.pool.allocate(this.#lastAddress.get(request.containerId));
    if (address === undefined) throw setUpFailed(`no available IPv4 addresses on this network's address pools: bridge (${network.id})`);
    let endpoint: Endpoint;
    try {
      const ports = await takePorts(hostPorts, portWishes(request, this.#publishAddresses), {
        ipv4: { address, bridge: bridge.record.device },
        relayAll: options.publishMode === "input",
      });
      endpoint = { ...base, link: { address, mac: macOf(request) ?? macFor(address), device: deviceOf(base.endpointId) }, ports };
    } catch (error) {
      bridge.pool.release(address);
      const where = `driver failed programming external connectivity on endpoint ${base.name} (${base.endpointId})`;
      throw isEngineError(error) ? error : setUpFailed(`${where}: ${messageOf(error)}`);
    }
    this.#record(endpoint);
    const gateways = this.#hostGateways;
    const { extraHosts, hostname } = request;
    return {
      namespace: "private",
      dns: false,
      ...planOf(bridge, endpoint),
      settings: this.#settings(request, network, endpoint),
      hosts: hostsText({ extraHosts, hostname, gateways, addresses: [address], ipv6: true }),
      resolvConf,
    };
  }

  #settings(request: AttachRequest, network: Network, endpoint: Endpoint): NetworkSettings {
    const asked = settingsAsked(request);
    const { bridge } = this.#parts;
    return containerSettings({
      network,
      endpoint,
      exposedPorts: request.exposedPorts,
      ...(asked === undefined ? {} : { asked }),
      ...(bridge === undefined || endpoint.link === undefined
        ? {}
        : { bridge: { gateway: bridge.gateway, prefixLength: bridge.subnet.prefixLength } }),
    });
  }

  async detach(containerId: ContainerId): Promise<void> {
    const endpoint = this.#endpoints.get(containerId);
    if (endpoint === undefined) return;
    this.#endpoints.delete(containerId);
    const { bridge, ports, rows } = this.#parts;
    // Only when nothing leads to them any more may others have the ports and the address.
    await bridge?.unpublish(endpoint.ports);
    releasePorts(ports, endpoint.ports);
    if (endpoint.link !== undefined) {
      bridge?.pool.release(endpoint.link.address);
      this.#remember(containerId, endpoint.link.address);
      this.#sweepSoon();
    }
    // Unless the container has been attached again meanwhile.
    if (!this.#endpoints.has(containerId)) rows.deleteEndpoints(containerId);
  }

  #remember(containerId: string, address: string): void {
    this.#lastAddress.delete(containerId);
    this.#lastAddress.set(containerId, address);
    const [oldest] = this.#lastAddress.keys();
    if (this.#lastAddress.size > rememberedAddresses && oldest !== undefined) this.#lastAddress.delete(oldest);
  }

  /** A namespace that someone still sits in (a container that joined) would keep its pair, and answer for its address. */
  #sweepSoon(): void {
    this.#sweep ??= setTimeout(() => {
      this.#sweep = undefined;
      this.#deleteStale().catch((error: unknown) => log.warn("stale links were not removed", { error: messageOf(error) }));
    }, lingerMs).unref();
  }

  async #deleteStale(): Promise<void> {
    const { bridge, kernel } = this.#parts;
    if (bridge === undefined) return;
    await bridge.refresh();
    await deleteStalePorts(
      kernel,
      bridge.index,
      isDevice,
      () => new Set([...this.#endpoints.values()].map((endpoint) => endpoint.link?.device ?? "")),
    );
  }

  async reconcile(running: ReadonlySet<ContainerId>): Promise<void> {
    const ended = [...this.#endpoints.keys()].filter((id) => !running.has(id as ContainerId));
    for (const id of ended) await this.detach(id as ContainerId);
    await this.#deleteStale();
  }

  #inspect(network: Network, endpoints: readonly Endpoint[]): NetworkInspect {
    const { options } = this.#parts;
    return networkInspect(network, endpoints, {
      masquerade: options.ipMasq ?? true,
      publishAddress: options.publishAddress ?? anyAddress,
      mtu: options.mtu ?? 1500,
    });
  }

  /** Without the default bridge's network where the daemon has none. */
  list(): NetworkInspect[] {
    const { catalogue, bridge } = this.#parts;
    return catalogue
      .all()
      .filter((network) => network.record.driver !== "bridge" || bridge !== undefined)
      .map((network) => this.#inspect(network, []));
  }

  inspect(reference: string): NetworkInspect {
    const network = this.#parts.catalogue.find(reference);
    if (network.record.driver === "bridge" && this.#parts.bridge === undefined) throw notFound(`network ${reference} not found`);
    return this.#inspect(
      network,
      [...this.#endpoints.values()].filter((endpoint) => endpoint.networkId === network.id),
    );
  }

  reserve(): void {}

  forget(): void {}

  async connect(): Promise<never> {
    throw notImplemented(unavailable);
  }

  async disconnect(): Promise<never> {
    throw notImplemented(unavailable);
  }

  async changePorts(): Promise<never> {
    throw notImplemented(unavailable);
  }

  rename(): void {}

  async answer(): Promise<undefined> {}

  async create(): Promise<never> {
    throw notImplemented(unavailable);
  }

  async remove(): Promise<never> {
    throw notImplemented(unavailable);
  }

  settingsOf(): undefined {}

  async close(): Promise<void> {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    if (this.#endpoints.size === 0) await this.#parts.bridge?.close();
  }
}

const setUpFailed = (why: string): EngineError => systemError(`failed to set up container networking: ${why}`);

function planOf(bridge: DefaultBridge, endpoint: Endpoint): EndpointPlan {
  if (endpoint.link === undefined) return lonePlan;
  return bridgePlan({
    ...endpoint.link,
    bridgeIndex: bridge.index,
    subnet: bridge.subnet,
    gateway: bridge.gateway,
    mtu: bridge.mtu,
    ports: endpoint.ports,
    table: bridge.table,
    disableIpv6: bridge.disableIpv6,
    hairpin: bridge.hairpin,
  });
}
