/**
 * Networks: which interfaces, addresses, names and published ports a container has.
 *
 * Life cycle: the daemon opens the room at start (`open` makes or finds the default bridge and the nftables
 * table, and repairs what a crash left). For each start the engine calls `attach`, which allocates addresses
 * and ports, records them, and returns netlink messages and host operations for the launch plan: the monitor
 * sends them itself, so no round trip and no process lies on the start path. When the container has ended,
 * `detach` releases what was allocated; the plan's own `cleanup` has removed the kernel's part already.
 */
import type { ContainerId } from "../base/base.ts";
import type { DnsQuery, HostOp, InitOp, NetlinkOp, NetworkChangePlan } from "../kernel/kernel.ts";
import type {
  EndpointSettings,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkInspect,
  NetworkSettings,
  PortBinding,
} from "../spec/spec.ts";

export { blankEndpoint, blankSettings } from "./settings.ts";

export interface Networks {
  /** Checks a NetworkMode, endpoint settings and ports at create time. @throws NotFound `network x not found`, InvalidParameter */
  validate(request: AttachRequest): void;
  /**
   * Keeps the addresses that a container asks for by name, from its creation on: no other container gets them unasked. In
   * networks that are not among the request's, nothing is kept for it any more.
   */
  reserve(request: AttachRequest): void;
  /** The opposite, and the addresses that it had: when the container is removed. Idempotent. */
  forget(containerId: ContainerId): void;
  /** All networks of a container that starts. */
  attach(request: AttachRequest): Promise<Attachment>;
  /** Releases what a container that has ended had. Idempotent. */
  detach(containerId: ContainerId): Promise<void>;
  /**
   * Joins a running container to one more network; `request.endpoints` has it already.
   * @throws NotFound, InvalidParameter, Forbidden in Docker's wording
   */
  connect(request: AttachRequest, network: string): Promise<NetworkChange>;
  /** `request` as it is to be from now on. @throws NotFound, Forbidden */
  disconnect(request: AttachRequest, network: string): Promise<NetworkChange>;
  /** Publishes what `request` asks for and is not yet, and takes back what is published and no longer asked for. */
  changePorts(request: AttachRequest): Promise<NetworkChange>;
  /** Whether `linked` says something else than what a running container may reach now. */
  hasOtherLinks(request: AttachRequest): boolean;
  /** What `linked` says, for a container that runs. */
  changeLinks(request: AttachRequest): Promise<NetworkChange>;
  /** A container has another name from now on. */
  rename(containerId: ContainerId, name: string): void;
  /** A question from a container's resolver. @returns the answer, at once where it is known; undefined: none is due */
  answer(containerId: ContainerId, query: DnsQuery): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** After the daemon's restart: allocations of containers that no longer run are released. */
  reconcile(running: ReadonlySet<ContainerId>): Promise<void>;
  /**
   * A change to a running container that was under way when the last daemon ended, taken back: an endpoint that was being made
   * or removed is gone afterwards (`request` still has it or not), ports are as they were. Undefined: there is none.
   */
  takeBack(request: AttachRequest): Promise<NetworkChange | undefined>;
  /** @throws InvalidParameter, Conflict, Forbidden in Docker's wording */
  create(request: NetworkCreateRequest): Promise<NetworkCreateResponse>;
  /** @throws NotFound, Forbidden (`error while removing network: … has active endpoints`) */
  remove(reference: string): Promise<{ readonly id: string; readonly name: string; readonly driver: string }>;
  list(): NetworkInspect[];
  /** By name, id or unique id prefix. @throws NotFound */
  inspect(reference: string): NetworkInspect;
  /** The same without who is in it, which costs more the more they are. */
  find(reference: string): NetworkInspect;
  /** What a container's inspect shows, as of now. Undefined when it is not attached. */
  settingsOf(request: AttachRequest): NetworkSettings | undefined;
  /**
   * Takes down what is on the host (bridges, firewall table, forwarding if it was off) unless a container is attached.
   * The records stay: the next start gives the same addresses and ids. Called when the daemon ends.
   */
  close(): Promise<void>;
}

/** One change to a running container's network, planned and recorded as unsettled. Exactly one of the two functions is to be called. */
export interface NetworkChange {
  /** For `Monitor.changeNetwork`. */
  readonly plan: NetworkChangePlan;
  /** Its opposite, for `Monitor.changeNetwork` when the plan has failed halfway; then `abandon`. */
  readonly undo: NetworkChangePlan;
  /** As `docker inspect` shows it afterwards. */
  readonly settings: NetworkSettings;
  readonly files: FileChanges;
  /** The kernel has it: writes that down, inside the caller's transaction. */
  commit(): void;
  /** That transaction is written: what the change has let go of may be others'. */
  settled(): void;
  /** Instead of `settled`, with `undo` done: the kernel refused, or it could not be written down. All is as before. */
  abandon(): Promise<void>;
}

/** What a change means for a running container's files. Users edit them, so lines come and go and the rest stays. */
export interface FileChanges {
  /** Lines of /etc/hosts, without their ends. */
  readonly hostsAdded: readonly string[];
  readonly hostsRemoved: readonly string[];
  /** The new /etc/resolv.conf, to be written only where the file still is what we wrote (`before`). */
  readonly resolvConf?: { readonly before: string; readonly after: string };
}

export interface AttachRequest {
  readonly containerId: ContainerId;
  /** `default`, `bridge`, `none`, `host`, `container:ID`, or a network's name or id. */
  readonly networkMode: string;
  /** The container's name, as messages and `docker network inspect` have it; the hostname stands in. */
  readonly containerName?: string;
  /** With its domain, if it has one. */
  readonly hostname: string;
  /** By the network's name or id, as the user gave it. The mode's network may be missing here. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** `80/tcp` → bindings; an empty HostPort means: choose one. */
  readonly portBindings: Readonly<Record<string, PortBinding[]>>;
  readonly exposedPorts: readonly string[];
  readonly publishAllPorts: boolean;
  /** Ports of the host that are not to be chosen: another program was found to have them. */
  readonly avoidedPorts?: readonly number[];
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  /** `name:address` */
  readonly extraHosts: readonly string[];
  /** What legacy links lead to on the default network: an address, and ports as `80/tcp`. They matter where `--icc` is off. */
  readonly linked?: readonly { readonly address: string; readonly ports: readonly string[] }[];
  readonly macAddress?: string;
}

export interface Attachment {
  /** `private`: a new network namespace; `host`: none; `container`: join that of the named container. */
  readonly namespace: "private" | "host" | "container";
  /** Answer at 127.0.0.11:53 in the container's namespace: see {@link Networks.answer}. */
  readonly dns: boolean;
  /** For the launch plan, each in order. */
  readonly prepare: readonly HostOp[];
  readonly hostNetwork: readonly NetlinkOp[];
  /** Run inside, in order, when the container's /proc is mounted. */
  readonly containerNetwork: readonly InitOp[];
  readonly cleanup: readonly HostOp[];
  /** As `docker inspect` shows it under NetworkSettings. */
  readonly settings: NetworkSettings;
  /** Contents of the container's /etc/hosts and /etc/resolv.conf. */
  readonly hosts: string;
  readonly resolvConf: string;
}
