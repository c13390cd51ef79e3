/** The networks room in memory: it keeps the promises of its interface that the use cases rely on. For tests. */
import { type ContainerId, conflict, forbidden, formatNanos, invalidParameter, newId, notFound, nowNanos } from "../base/base.ts";
import type { DnsQuery, NetworkChangePlan } from "../kernel/kernel.ts";
import {
  type Attachment,
  type AttachRequest,
  blankEndpoint,
  blankSettings,
  type FileChanges,
  type NetworkChange,
  type Networks,
} from "../networks/networks.ts";
import type { EndpointSettings, NetworkCreateRequest, NetworkCreateResponse, NetworkInspect, NetworkSettings } from "../spec/spec.ts";

const blankPlan: NetworkChangePlan = {
  prepare: [],
  hostNetwork: [],
  containerNetwork: [],
  dns: false,
  release: [],
  networkCleanup: [],
};

interface FakeEndpoint {
  readonly network: string;
  readonly settings: EndpointSettings;
  settled: boolean;
}

export class FakeNetworks implements Networks {
  /** Containers that are attached, each with its endpoints. */
  readonly attached: Map<string, FakeEndpoint[]> = new Map();
  /** Changes cannot be written down. */
  commitFailure: Error | undefined;
  readonly reserved: Map<string, AttachRequest> = new Map();
  readonly names: Map<string, string> = new Map();
  /** What the last request for a start or a change was. */
  asked: AttachRequest | undefined;
  reconciled: ReadonlySet<ContainerId> | undefined;
  /** What is said to change of files. */
  files: FileChanges = { hostsAdded: [], hostsRemoved: [] };
  answerTo: (query: DnsQuery) => Uint8Array | undefined | Promise<Uint8Array | undefined> = () => undefined;
  readonly #networks: NetworkInspect[] = [];
  #addresses = 1;

  constructor() {
    for (const [Name, Driver] of [
      ["bridge", "bridge"],
      ["host", "host"],
      ["none", "null"],
    ])
      this.#networks.push({ Name: Name ?? "", Driver: Driver ?? "", Id: newId(), Created: formatNanos(nowNanos()), Scope: "local" });
  }

  async create(request: NetworkCreateRequest): Promise<NetworkCreateResponse> {
    if (this.#networks.some(({ Name }) => Name === request.Name)) throw conflict(`network with name ${request.Name} already exists`);
    const { Name, Driver = "bridge", Labels = {}, ConfigOnly = false } = request;
    const Id = newId<"NetworkId">();
    this.#networks.push({ Name, Driver, Labels, ConfigOnly, Id, Created: formatNanos(nowNanos()), Scope: "local" });
    return { Id, Warning: "" };
  }

  #of(network: string): [string, FakeEndpoint][] {
    return [...this.attached].flatMap(([id, endpoints]) =>
      endpoints.filter((endpoint) => endpoint.network === network).map((endpoint): [string, FakeEndpoint] => [id, endpoint]),
    );
  }

  async remove(reference: string): Promise<{ id: string; name: string; driver: string }> {
    const { Id: id = "", Name: name = "", Driver: driver = "" } = this.inspect(reference);
    if (["bridge", "host", "none"].includes(name)) throw forbidden(`${name} is a pre-defined network and cannot be removed`);
    const users = this.#of(id).map(([container]) => `name:"${this.names.get(container)}" id:"${container.slice(0, 12)}"`);
    if (users.length > 0) throw forbidden(`error while removing network: network ${name} has active endpoints (${users.join(", ")})`);
    this.#networks.splice(
      this.#networks.findIndex((network) => network.Id === id),
      1,
    );
    return { id, name, driver };
  }

  list(): NetworkInspect[] {
    return this.#networks.map((network) => ({ ...network, Containers: {} }));
  }

  inspect(reference: string): NetworkInspect {
    const fitting = this.#networks.filter(({ Id = "" }) => reference !== "" && Id.startsWith(reference));
    const exact = this.#networks.find(({ Id, Name }) => Id === reference || Name === reference);
    if (exact === undefined && fitting.length > 1)
      throw invalidParameter(`network ${reference} is ambiguous (${fitting.length} matches found based on ID prefix)`);
    const network = exact ?? fitting[0];
    if (network === undefined) throw notFound(`network ${reference} not found`);
    const containers = this.#of(network.Id ?? "").map(([id, { settings }]) => [id, { EndpointID: settings.EndpointID ?? "" }]);
    return { ...network, Containers: Object.fromEntries(containers) };
  }

  find(reference: string): NetworkInspect {
    return { ...this.inspect(reference), Containers: {} };
  }

  validate(request: AttachRequest): void {
    for (const [name, { IPAMConfig }] of Object.entries(request.endpoints)) {
      const network = this.inspect(name);
      if (network.Name === "bridge" && IPAMConfig?.IPv4Address)
        throw invalidParameter("user-specified IP address is supported on user-defined networks only");
    }
  }

  reserve(request: AttachRequest): void {
    this.reserved.set(request.containerId, request);
  }

  forget(id: ContainerId): void {
    this.reserved.delete(id);
  }

  #endpoint(network: NetworkInspect, asked: EndpointSettings = {}): FakeEndpoint {
    const hasAddress = network.Driver !== "host" && network.Driver !== "null";
    const settings: EndpointSettings = {
      ...blankEndpoint(asked),
      NetworkID: network.Id ?? "",
      EndpointID: newId(),
      IPAddress: hasAddress ? (asked.IPAMConfig?.IPv4Address ?? `172.17.0.${++this.#addresses}`) : "",
    };
    return { network: network.Id ?? "", settings, settled: true };
  }

  async attach(request: AttachRequest): Promise<Attachment> {
    this.asked = request;
    this.names.set(request.containerId, request.containerName ?? "");
    const joins = request.networkMode.startsWith("container:");
    const wanted = joins ? [] : [...new Set([request.networkMode, ...Object.keys(request.endpoints)])];
    const endpoints = wanted.map((name) => this.#endpoint(this.inspect(name), request.endpoints[name]));
    this.attached.set(request.containerId, endpoints);
    return {
      namespace: joins ? "container" : "private",
      prepare: [],
      hostNetwork: [],
      containerNetwork: [],
      dns: false,
      cleanup: [],
      settings: this.#settings(endpoints),
      hosts: "127.0.0.1 localhost\n",
      resolvConf: "nameserver 192.0.2.1\n",
    };
  }

  #settings(endpoints: readonly FakeEndpoint[]): NetworkSettings {
    const named = endpoints.map(({ network, settings }) => [this.inspect(network).Name, settings]);
    return { ...blankSettings, Networks: Object.fromEntries(named) };
  }

  async detach(id: ContainerId): Promise<void> {
    this.attached.delete(id);
  }

  #change(request: AttachRequest, after: readonly FakeEndpoint[], settle: () => void, undo: () => void): NetworkChange {
    this.asked = request;
    let open = true;
    const once = (end: () => void) => (): void => {
      if (!open) throw new Error("a change is settled once");
      open = false;
      // The container may have ended, and nothing of it is left.
      if (this.attached.has(request.containerId)) end();
    };
    const abandon = once(undo);
    return {
      plan: blankPlan,
      undo: blankPlan,
      settings: this.#settings(after),
      files: this.files,
      commit: () => {
        if (this.commitFailure !== undefined) throw this.commitFailure;
      },
      settled: once(settle),
      abandon: async () => abandon(),
    };
  }

  async connect(request: AttachRequest, network: string): Promise<NetworkChange> {
    const found = this.inspect(network);
    const endpoints = this.attached.get(request.containerId) ?? [];
    const asked = request.endpoints[found.Name ?? ""] ?? request.endpoints[network];
    const endpoint = { ...this.#endpoint(found, asked), settled: false };
    endpoints.push(endpoint);
    return this.#change(
      request,
      endpoints,
      () => {
        endpoint.settled = true;
      },
      () => void endpoints.splice(endpoints.indexOf(endpoint), 1),
    );
  }

  async disconnect(request: AttachRequest, network: string): Promise<NetworkChange> {
    const { Id } = this.inspect(network);
    const endpoints = this.attached.get(request.containerId) ?? [];
    const endpoint = endpoints.find((one) => one.network === Id);
    if (endpoint === undefined) throw new Error("is asked only of who is connected");
    endpoint.settled = false;
    return this.#change(
      request,
      endpoints.filter((one) => one !== endpoint),
      () => void endpoints.splice(endpoints.indexOf(endpoint), 1),
      () => {
        endpoint.settled = true;
      },
    );
  }

  hasOtherLinks(): boolean {
    return false;
  }

  changeLinks(request: AttachRequest): Promise<NetworkChange> {
    return this.changePorts(request);
  }

  async changePorts(request: AttachRequest): Promise<NetworkChange> {
    const nothing = (): void => undefined;
    return this.#change(request, this.attached.get(request.containerId) ?? [], nothing, nothing);
  }

  /** The room drops unsettled endpoints by itself here. */
  async takeBack(): Promise<undefined> {}

  rename(id: ContainerId, name: string): void {
    this.names.set(id, name);
  }

  answer(_id: ContainerId, query: DnsQuery): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return this.answerTo(query);
  }

  async reconcile(running: ReadonlySet<ContainerId>): Promise<void> {
    this.reconciled = running;
    for (const [id, endpoints] of this.attached) {
      if (!running.has(id as ContainerId)) this.attached.delete(id);
      else
        this.attached.set(
          id,
          endpoints.filter((endpoint) => endpoint.settled),
        );
    }
  }

  settingsOf(request: AttachRequest): NetworkSettings | undefined {
    const endpoints = this.attached.get(request.containerId) ?? [];
    return endpoints.length === 0 ? undefined : this.#settings(endpoints);
  }

  async close(): Promise<void> {}
}
