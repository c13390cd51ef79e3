/** What the database keeps of networks and endpoints, and the kernel operations that the room needs. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Link, PublishedPort } from "./firewall.ts";

export type NetworkKernel = Pick<Kernel, "run" | "netlink" | "onFirewallChange">;

export type Driver = "bridge" | "host" | "null" | "macvlan" | "ipvlan";

export type Family = 4 | 6;
/** What there may be one of for each IP version. */
export type ByFamily<T> = { readonly [family in Family]?: T };
export const families: readonly Family[] = [4, 6];

/** One subnet of a network, as `docker network create` fixed it. */
export interface PoolRecord {
  /** `172.18.0.0/16` */
  readonly subnet: string;
  /** `--ip-range`: unasked, containers get addresses of this part only. */
  readonly range?: string;
  /** The containers' default gateway; the bridge's own address with driver bridge. Undefined: none is wanted. */
  readonly gateway?: string;
  /** `--aux-address`: names and addresses that no container gets. */
  readonly auxiliary: Readonly<Record<string, string>>;
  /** Chosen by us: then users do not name addresses in it. */
  readonly automatic?: true;
}

export interface NetworkRecord {
  readonly driver: Driver;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** `--opt`, as given. */
  readonly options: Readonly<Record<string, string>>;
  readonly ipamOptions: Readonly<Record<string, string>>;
  /** IPv4 before IPv6. */
  readonly pools: readonly PoolRecord[];
  readonly configOnly?: true;
  /** The name of the configuration-only network whose settings these are. */
  readonly configFrom?: string;
  /** With driver bridge: its device. */
  readonly bridge?: BridgeRecord;
  /** With drivers macvlan and ipvlan: the host's interface below, and whether it is one that we made. */
  readonly parent?: { readonly device: string; readonly made: boolean };
  /** Of the built-in bridge network: the boot during which we turned IP forwarding on; it was off before. */
  readonly forwardingSince?: ByFamily<string>;
  /** Its removal has begun: nobody can use it any more, and the next start finishes it. */
  readonly removing?: true;
}

export interface BridgeRecord {
  readonly device: string;
  /** False: it was there before us, and stays. */
  readonly made: boolean;
}

/** A network that the daemon knows, in memory. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly createdNanos: bigint;
  readonly record: NetworkRecord;
}

/** A container's place in a network. */
export interface Endpoint {
  readonly containerId: string;
  readonly networkId: string;
  readonly endpointId: string;
  readonly sandboxId: string;
  /** The container's name, or what stands for it. */
  readonly name: string;
  /** What its fellows on a user-defined network find it by: name, aliases, short id, hostname. */
  readonly dnsNames: readonly string[];
  /** Names that this container alone has for others: `name:alias`. */
  readonly links: readonly string[];
  readonly resolver: EndpointResolver;
  /** Not with host and none. */
  readonly link?: EndpointLink;
  /** Published for this container here, since its default gateway of that family is here. */
  readonly ports: readonly PublishedPort[];
  /** What legacy links let it reach where fellows may not meet. */
  readonly allowed?: readonly Link[];
  /** A change to a running container that is under way: a daemon that finds one takes it back. */
  readonly pending?: PendingChange;
}

/** What the container asks of names that no network knows. */
export interface EndpointResolver {
  /** `--dns`, or the daemon's; none: the host's. */
  readonly servers: readonly string[];
  /** `--dns-option ndots:…` */
  readonly ndotsSet: boolean;
}

export type PendingChange =
  | { readonly kind: "link" }
  | { readonly kind: "ports"; readonly added: readonly PublishedPort[]; readonly removed: readonly PublishedPort[] };

/** The container's interface. */
export interface EndpointLink {
  /** The host's end; "" with macvlan and ipvlan. */
  readonly device: string;
  /** Inside: `eth0`. */
  readonly name: string;
  /** Inside. */
  readonly index: number;
  readonly mac: string;
  readonly address?: string;
  readonly address6?: string;
  /** `--gw-priority` */
  readonly gatewayPriority: number;
}

/** In an endpoint's place when its container has ended: others get its addresses only when no more are left. */
export interface KeptAddresses {
  readonly kept: readonly string[];
}
