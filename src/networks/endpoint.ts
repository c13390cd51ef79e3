/** An endpoint's part of the launch plan: everything that the kernel is to be told, as bytes made beforehand. */
import { randomInt } from "node:crypto";
import type { HostOp, InitOp, NetlinkOp } from "../kernel/kernel.ts";
import type { TableName } from "../kernel/nftables.ts";
import { addAddress, addBridgeForwarding, addRoute, addVethPair, setBridgePort, setLink } from "../kernel/rtnetlink.ts";
import { lastOf, numberAddress, type Subnet } from "./addresses.ts";
import { inTable, type PublishedPort, publish, unpublish } from "./firewall.ts";
import { holdPorts } from "./port-taking.ts";

const noEntry = 2;
const exists = 17;
const loopbackIndex = 1;
/** The container's first interface. Above what a kernel may put into every new namespace by itself (tunl0, sit0, …). */
const interfaceIndex = 100;

export interface EndpointPlan {
  readonly prepare: readonly HostOp[];
  readonly hostNetwork: readonly NetlinkOp[];
  readonly containerNetwork: readonly InitOp[];
  readonly cleanup: readonly HostOp[];
}

function netlink(protocol: 0 | 12, message: Uint8Array, netnsFdAt: readonly number[] = [], ignore: readonly number[] = []): NetlinkOp {
  return { op: "netlink", protocol, message, netnsFdAt, ignore };
}

const loopbackUp = netlink(0, setLink(loopbackIndex, { up: true }));

/** A namespace with nothing but its loopback. */
export const lonePlan: EndpointPlan = { prepare: [], hostNetwork: [], containerNetwork: [loopbackUp], cleanup: [] };
/** A namespace that is somebody else's. */
export const sharedPlan: EndpointPlan = { prepare: [], hostNetwork: [], containerNetwork: [], cleanup: [] };

export interface BridgeEndpoint {
  /** The host's end of the pair. */
  readonly device: string;
  readonly bridgeIndex: number;
  readonly address: string;
  readonly mac: string;
  readonly subnet: Subnet;
  readonly gateway: string;
  readonly mtu: number;
  readonly ports: readonly PublishedPort[];
  readonly table: TableName;
  /** The kernel has IPv6, which is turned off on the interface: no router of the neighbours' making is believed (CVE-2020-13401). */
  readonly disableIpv6: boolean;
  /**
   * The kernel shows bridged frames to the firewall (net.bridge.bridge-nf-call-iptables). Then it sends a published port's
   * frames on within the bridge, and those of a container to itself need a port that sends back what came from it.
   */
  readonly hairpin: boolean;
}

/** Interface indexes that we choose lie above those that the kernel counts up to, at random: no two daemons agree on one. */
const hostIndex = (): number => randomInt(1 << 24, 1 << 30);

export function bridgePlan(endpoint: BridgeEndpoint): EndpointPlan {
  const { mac, mtu, subnet, address, ports, table } = endpoint;
  const index = hostIndex();
  const pair = addVethPair({
    host: { name: endpoint.device, index, master: endpoint.bridgeIndex },
    peer: { name: "eth0", index: interfaceIndex, mac },
    mtu,
  });
  const broadcast = numberAddress(subnet.family, lastOf(subnet));
  const published = ports.some(inTable);
  return {
    prepare: holdPorts(ports),
    hostNetwork: [
      netlink(0, pair.message, pair.netnsFdAt),
      // The address may have been another container's a moment ago, whose end is still being taken down.
      netlink(0, addBridgeForwarding(index, mac)),
      ...(endpoint.hairpin ? [netlink(0, setBridgePort(index, { hairpin: true }))] : []),
      ...(published ? [netlink(12, publish(table, ports))] : []),
    ],
    containerNetwork: [
      loopbackUp,
      ...(endpoint.disableIpv6 ? [{ op: "sysctl", key: "net.ipv6.conf.eth0.disable_ipv6", value: "1" } as const] : []),
      netlink(0, addAddress({ index: interfaceIndex, address, prefixLength: subnet.prefixLength, broadcast })),
      netlink(0, setLink(interfaceIndex, { up: true })),
      netlink(0, addRoute({ family: 4, gateway: endpoint.gateway, index: interfaceIndex }), [], [exists]),
    ],
    // The pair goes with the container's namespace: deleting it here would make the end wait for the kernel's grace periods.
    cleanup: published ? [netlink(12, unpublish(table, ports), [], [noEntry])] : [],
  };
}
