/** What the database keeps of networks and endpoints, and the kernel operations that the room needs. */
import type { Kernel } from "../kernel/kernel.ts";
import type { PublishedPort } from "./firewall.ts";

export type NetworkKernel = Pick<Kernel, "run" | "netlink">;

export interface NetworkRecord {
  readonly driver: "bridge" | "host" | "null";
  /** With driver bridge. */
  readonly bridge?: BridgeRecord;
}

export interface BridgeRecord {
  readonly device: string;
  /** False: it was there before us, and stays. */
  readonly made: boolean;
  /** `172.17.0.0/16` */
  readonly subnet: string;
  /** The bridge's own address. */
  readonly address: string;
  /** `--fixed-cidr` */
  readonly range?: string;
  /** The boot during which we turned IP forwarding on; it was off before. */
  readonly forwardingSince?: string;
}

/** A network that the daemon knows, in memory. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly createdNanos: bigint;
  readonly record: NetworkRecord;
}

/** A container's place in a network, from attach to detach. */
export interface Endpoint {
  readonly containerId: string;
  readonly networkId: string;
  readonly endpointId: string;
  readonly sandboxId: string;
  /** The container's name, or what stands for it. */
  readonly name: string;
  /** Only on bridges: */
  readonly link?: { readonly address: string; readonly mac: string; readonly device: string };
  readonly ports: readonly PublishedPort[];
}
