/** The room's interface, over its use cases. */
import { type ContainerId, forbidden, log, messageOf, notFound } from "../base/base.ts";
import type { Resolver } from "../dns/dns.ts";
import type { DnsQuery } from "../kernel/kernel.ts";
import type { NetworkCreateRequest, NetworkCreateResponse, NetworkInspect, NetworkSettings } from "../spec/spec.ts";
import { attach, detach } from "./attaching.ts";
import { deleteStalePorts } from "./bridge.ts";
import type { Ground } from "./ground.ts";
import { LiveChanges } from "./live-changes.ts";
import { addNames, deleteNames, Names } from "./names.ts";
import type { NetworkSet } from "./network-set.ts";
import type { Attachment, AttachRequest, NetworkChange, Networks } from "./networks.ts";
import { portWishes } from "./port-bindings.ts";
import type { Endpoint, Network } from "./records.ts";
import { type AskedPlace, addressesAsked, checkRequest, placesAsked, placesThere } from "./request.ts";
import { networkInspect } from "./settings.ts";
import { settingsOf } from "./shown.ts";

/** How long a dying namespace may take for its end of a pair before we take it. */
const lingerMs = 500;

export class BerthNetworks implements Networks {
  readonly #ground: Ground;
  readonly #set: NetworkSet;
  readonly #changes: LiveChanges;
  readonly #names: Names;
  readonly #leaving = new Set<Promise<void>>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(ground: Ground, set: NetworkSet, resolver: Resolver) {
    this.#ground = ground;
    this.#set = set;
    this.#changes = new LiveChanges(ground);
    this.#names = new Names(ground, resolver);
  }

  validate(request: AttachRequest): void {
    const ground = this.#ground;
    const [first] = this.#checkPlaces(request);
    portWishes(request, ground.publishAddresses(first === undefined ? undefined : ground.opened(first.network.id)));
  }

  #checkPlaces(request: AttachRequest): readonly AskedPlace[] {
    const places = placesAsked(request, this.#ground.catalogue, this.#ground.hasBridge);
    checkRequest(request, places);
    for (const { network } of places) this.#checkUsable(network);
    return places;
  }

  #checkUsable(network: Network): void {
    if (network.record.configOnly === true) throw forbidden("cannot create endpoint on configuration-only network");
    if (network.record.driver === "host" || network.record.driver === "null") return;
    this.#ground.open(network);
  }

  reserve(request: AttachRequest): void {
    const ground = this.#ground;
    const { containerId } = request;
    const places = placesThere(request, ground.catalogue);
    const there = new Set(places.map(({ network }) => network.id));
    for (const open of ground.allOpen())
      if (!there.has(open.id) && open.unreserve(containerId)) ground.rows.deletePlaces(containerId, open.id);
    for (const place of places) {
      const addresses = Object.values(addressesAsked(place));
      if (addresses.length > 0) ground.opened(place.network.id)?.reserve(containerId, addresses, true);
    }
  }

  forget(containerId: ContainerId): void {
    let any = false;
    for (const open of this.#ground.allOpen()) any = open.unreserve(containerId) || any;
    if (any) this.#ground.rows.deletePlaces(containerId);
  }

  async attach(request: AttachRequest): Promise<Attachment> {
    this.#checkPlaces(request);
    await this.detach(request.containerId);
    return await this.#onceFree(() => attach(this.#ground, request));
  }

  async detach(containerId: ContainerId): Promise<void> {
    if (this.#ground.sandboxes.get(containerId) === undefined) return;
    const leaving = detach(this.#ground, containerId);
    this.#leaving.add(leaving);
    await leaving.finally(() => this.#leaving.delete(leaving));
    this.#sweepSoon();
  }

  /**
   * Who was told that a container has ended may want its ports and addresses at once, while the kernel is still asked
   * whether anything leads to them. What fails meanwhile is tried again behind that.
   */
  async #onceFree<T>(take: () => Promise<T>): Promise<T> {
    try {
      return await take();
    } catch (error) {
      if (this.#leaving.size === 0) throw error;
      await Promise.allSettled(this.#leaving);
      return await take();
    }
  }

  connect(request: AttachRequest, network: string): Promise<NetworkChange> {
    return this.#onceFree(() => this.#changes.connect(request, network));
  }

  disconnect(request: AttachRequest, network: string): Promise<NetworkChange> {
    return this.#changes.disconnect(request, network);
  }

  changePorts(request: AttachRequest): Promise<NetworkChange> {
    return this.#onceFree(() => this.#changes.changePorts(request));
  }

  hasOtherLinks(request: AttachRequest): boolean {
    const sandbox = this.#ground.sandboxes.get(request.containerId);
    if (sandbox === undefined) return false;
    const { endpoints } = this.#changes.linked(request, sandbox);
    return endpoints.some((endpoint, index) => endpoint !== sandbox.endpoints[index]);
  }

  changeLinks(request: AttachRequest): Promise<NetworkChange> {
    return this.#changes.changeLinks(request);
  }

  takeBack(request: AttachRequest): Promise<NetworkChange | undefined> {
    return this.#changes.takeBack(request);
  }

  rename(containerId: ContainerId, name: string): void {
    const { sandboxes } = this.#ground;
    const sandbox = sandboxes.get(containerId);
    if (sandbox === undefined) return;
    const renamed = (endpoint: Endpoint): Endpoint => ({
      ...endpoint,
      name,
      dnsNames: [...new Set(endpoint.dnsNames.map((each) => (each === endpoint.name ? name : each)))],
    });
    for (const place of this.#ground.places(sandbox.endpoints)) deleteNames(place);
    const after = { ...sandbox, endpoints: sandbox.endpoints.map(renamed) };
    sandboxes.put(after, sandbox);
    for (const place of this.#ground.places(after.endpoints)) addNames(place);
  }

  answer(containerId: ContainerId, query: DnsQuery): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return this.#names.answer(containerId, query);
  }

  /** A namespace that someone still sits in (a container that joined) would keep its pair, and answer for its address. */
  #sweepSoon(): void {
    this.#sweep ??= setTimeout(() => {
      this.#sweep = undefined;
      this.#deleteStale().catch((error: unknown) => log.warn("stale links were not removed", { error: messageOf(error) }));
    }, lingerMs).unref();
  }

  async #deleteStale(): Promise<void> {
    const { host, sandboxes } = this.#ground;
    await host.refresh();
    const bridges = new Set(this.#ground.allOpen().flatMap((open) => (open.record.driver === "bridge" ? [open.index] : [])));
    if (bridges.size === 0) return;
    await deleteStalePorts(
      host.kernel,
      bridges,
      () => new Set(sandboxes.all().flatMap(({ endpoints }) => endpoints.map(({ link }) => link?.device ?? ""))),
    );
  }

  async reconcile(running: ReadonlySet<ContainerId>): Promise<void> {
    for (const { containerId } of this.#ground.sandboxes.all()) if (!running.has(containerId)) await this.detach(containerId);
    await this.#deleteStale();
  }

  async create(request: NetworkCreateRequest): Promise<NetworkCreateResponse> {
    return await this.#set.create(request);
  }

  async remove(reference: string): Promise<{ id: string; name: string; driver: string }> {
    return await this.#set.remove(reference);
  }

  /** Without the default bridge's network where the daemon has none. */
  list(): NetworkInspect[] {
    return this.#ground.catalogue
      .all()
      .filter((network) => this.#isThere(network))
      .map((network) => networkInspect(network, []));
  }

  inspect(reference: string): NetworkInspect {
    const network = this.#find(reference);
    return networkInspect(network, this.#ground.sandboxes.endpointsIn(network.id));
  }

  find(reference: string): NetworkInspect {
    return networkInspect(this.#find(reference), []);
  }

  #find(reference: string): Network {
    const network = this.#ground.catalogue.find(reference);
    if (!this.#isThere(network)) throw notFound(`network ${reference} not found`);
    return network;
  }

  #isThere(network: Network): boolean {
    return network.record.removing !== true && (network.name !== "bridge" || this.#ground.hasBridge);
  }

  settingsOf(request: AttachRequest): NetworkSettings | undefined {
    const sandbox = this.#ground.sandboxes.get(request.containerId);
    return sandbox === undefined ? undefined : settingsOf(this.#ground, request, sandbox);
  }

  async close(): Promise<void> {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    this.#names.close();
    const ground = this.#ground;
    if (ground.sandboxes.count > 0 || ground.allOpen().length === 0) {
      ground.host.leave();
      return;
    }
    await ground.host.close().catch((error: unknown) => log.warn("the firewall was not taken down", { error: messageOf(error) }));
    await this.#set.takeAllOffHost();
  }
}
