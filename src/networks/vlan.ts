/** An endpoint on a network of driver macvlan or ipvlan: everything that the kernel is to be told, as bytes made beforehand. */
import { randomInt } from "node:crypto";
import type { InitOp, NetlinkOp } from "../kernel/kernel.ts";
import { addAddress, addStackedLink, setLink } from "../kernel/rtnetlink.ts";
import { lastOf, numberAddress, type Subnet } from "./addresses.ts";
import { netlink } from "./endpoint.ts";
import type { VlanMode } from "./vlan-options.ts";

/** A container's place in one IP version. */
export interface VlanAddress {
  readonly address: string;
  readonly subnet: Subnet;
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

function addressOp({ address, subnet }: VlanAddress, index: number): NetlinkOp {
  const broadcast = subnet.family === 4 && subnet.prefixLength < 31 ? { broadcast: numberAddress(4, lastOf(subnet)) } : {};
  return netlink(0, addAddress({ index, address, prefixLength: subnet.prefixLength, ...broadcast }));
}

/** Routes are chosen over all of a container's interfaces: `gateways.ts`. Nothing is left to clean up: the interface goes with the container's namespace, or by its index. */
export function vlanPlan(endpoint: VlanEndpoint): {
  readonly hostNetwork: readonly NetlinkOp[];
  readonly containerNetwork: readonly (NetlinkOp | Extract<InitOp, { op: "sysctl" }>)[];
} {
  const { how, parent, name, index, mac, addresses } = endpoint;
  const kind = how.driver === "macvlan" ? { kind: how.driver, mode: how.mode } : { kind: how.driver, mode: how.mode, flag: how.flag };
  const own = how.driver === "macvlan" && mac !== undefined ? { mac } : {};
  const link = addStackedLink({ how: kind, parent, name, index, ...own });
  const has = (family: 4 | 6): boolean => addresses.some(({ subnet }) => subnet.family === family);
  return {
    hostNetwork: [netlink(0, link.message, [], link.netnsFdAt)],
    containerNetwork: [
      ...(endpoint.ipv6 && has(4) && !has(6) ? [{ op: "sysctl", key: `net.ipv6.conf.${name}.disable_ipv6`, value: "1" } as const] : []),
      // Neighbours on the LAN may still know the address at somebody else's interface: they are told when this one comes up.
      ...(has(4) ? [{ op: "sysctl", key: `net.ipv4.conf.${name}.arp_notify`, value: "1" } as const] : []),
      ...(has(6) ? [{ op: "sysctl", key: `net.ipv6.conf.${name}.ndisc_notify`, value: "1" } as const] : []),
      ...addresses.map((entry) => addressOp(entry, index)),
      netlink(0, setLink(index, { up: true })),
    ],
  };
}
