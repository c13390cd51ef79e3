/** An endpoint on a network of driver macvlan or ipvlan: everything that the kernel is to be told, as bytes made beforehand. */
import { randomInt } from "node:crypto";
import type { InitOp, NetlinkOp } from "../kernel/kernel.ts";
import { addAddress, addRoute, addStackedLink, setLink } from "../kernel/rtnetlink.ts";
import { lastOf, numberAddress, type Subnet } from "./addresses.ts";
import type { VlanMode, VlanOptions } from "./vlan-options.ts";

const exists = 17;

/** A container's place in one IP version. */
export interface VlanAddress {
  readonly address: string;
  readonly subnet: Subnet;
  /** The container's default route is here: `{}` straight out of the interface, without a gateway. */
  readonly defaultRoute?: { readonly gateway?: string };
}

export interface VlanEndpoint {
  readonly how: VlanMode;
  /** Index of the host's interface below. */
  readonly parent: number;
  /** The container's interface: `eth0`. */
  readonly name: string;
  /** {@link vlanIndex} */
  readonly index: number;
  /** Of macvlan; ipvlan interfaces have their parent's. */
  readonly mac?: string;
  /** At most one of each IP version; none: whatever the container does with it. */
  readonly addresses: readonly VlanAddress[];
  /** The kernel has IPv6. */
  readonly ipv6: boolean;
}

/**
 * An index for the container's interface. Above what kernels count up to, on the host too: those before 6.13 look there
 * whether it is in use.
 */
export const vlanIndex = (): number => randomInt(1 << 24, 1 << 30);

/** The default route that a container gets from a network, if it is the one whose routes count. */
export function vlanDefaultRoute(options: VlanOptions, gateway: string | undefined): VlanAddress["defaultRoute"] {
  if (options.closed) return undefined;
  if (!options.gateway) return {};
  return gateway === undefined ? undefined : { gateway };
}

function netlink(message: Uint8Array, netnsFdAt: readonly number[] = [], ignore: readonly number[] = []): NetlinkOp {
  return { op: "netlink", protocol: 0, message, netnsFdAt, ignore };
}

function addressOps({ address, subnet, defaultRoute }: VlanAddress, index: number): { address: NetlinkOp; route: NetlinkOp[] } {
  const broadcast = subnet.family === 4 && subnet.prefixLength < 31 ? { broadcast: numberAddress(4, lastOf(subnet)) } : {};
  return {
    address: netlink(addAddress({ index, address, prefixLength: subnet.prefixLength, ...broadcast })),
    route: defaultRoute === undefined ? [] : [netlink(addRoute({ family: subnet.family, index, ...defaultRoute }), [], [exists])],
  };
}

/** Nothing is left to clean up: the interface goes with the container's namespace, or by its index. */
export function vlanPlan(endpoint: VlanEndpoint): {
  readonly hostNetwork: readonly NetlinkOp[];
  readonly containerNetwork: readonly (NetlinkOp | Extract<InitOp, { op: "sysctl" }>)[];
} {
  const { how, parent, name, index, mac, addresses } = endpoint;
  const kind = how.driver === "macvlan" ? { kind: how.driver, mode: how.mode } : { kind: how.driver, mode: how.mode, flag: how.flag };
  const own = how.driver === "macvlan" && mac !== undefined ? { mac } : {};
  const link = addStackedLink({ how: kind, parent, name, index, ...own });
  const has = (family: 4 | 6): boolean => addresses.some(({ subnet }) => subnet.family === family);
  const parts = addresses.map((entry) => addressOps(entry, index));
  return {
    hostNetwork: [netlink(link.message, link.netnsFdAt)],
    containerNetwork: [
      ...(endpoint.ipv6 && has(4) && !has(6) ? [{ op: "sysctl", key: `net.ipv6.conf.${name}.disable_ipv6`, value: "1" } as const] : []),
      // Neighbours on the LAN may still know the address at somebody else's interface: they are told when this one comes up.
      ...(has(4) ? [{ op: "sysctl", key: `net.ipv4.conf.${name}.arp_notify`, value: "1" } as const] : []),
      ...(has(6) ? [{ op: "sysctl", key: `net.ipv6.conf.${name}.ndisc_notify`, value: "1" } as const] : []),
      ...parts.map((part) => part.address),
      netlink(setLink(index, { up: true })),
      ...parts.flatMap((part) => part.route),
    ],
  };
}
