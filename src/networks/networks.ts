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
import type { HostOp, InitOp, NetlinkOp } from "../kernel/kernel.ts";
import type { EndpointSettings, NetworkInspect, NetworkSettings, PortBinding } from "../spec/spec.ts";

export { blankEndpoint, blankSettings } from "./settings.ts";

export interface Networks {
  /** Checks a NetworkMode and endpoint settings at create time. @throws NotFound `network x not found`, InvalidParameter */
  validate(request: AttachRequest): void;
  attach(request: AttachRequest): Promise<Attachment>;
  /** Idempotent. */
  detach(containerId: ContainerId): Promise<void>;
  /** Allocations of containers that are no longer running are released (after the daemon's restart). */
  reconcile(running: ReadonlySet<ContainerId>): Promise<void>;
  list(): NetworkInspect[];
  /** By name, id or unique id prefix. @throws NotFound */
  inspect(reference: string): NetworkInspect;
  /**
   * Takes down what is on the host (bridge, firewall table, forwarding if it was off) unless a container is attached.
   * The records stay: the next start gives the same addresses and ids. Called when the daemon ends.
   */
  close(): Promise<void>;
}

export interface AttachRequest {
  readonly containerId: ContainerId;
  /** `default`, `bridge`, `none`, `host`, `container:ID`, or a network's name or id. */
  readonly networkMode: string;
  /** The container's name, as messages and `docker network inspect` have it; the hostname stands in. */
  readonly containerName?: string;
  /** With its domain, if it has one. */
  readonly hostname: string;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** `80/tcp` → bindings; an empty HostPort means: choose one. */
  readonly portBindings: Readonly<Record<string, PortBinding[]>>;
  readonly exposedPorts: readonly string[];
  readonly publishAllPorts: boolean;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  /** `name:address` */
  readonly extraHosts: readonly string[];
  readonly macAddress?: string;
}

export interface Attachment {
  /** `private`: a new network namespace; `host`: none; `container`: join that of the named container. */
  readonly namespace: "private" | "host" | "container";
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
