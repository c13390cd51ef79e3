/** What makes an endpoint's interface, by the driver of its network. */
import type { NetlinkOp } from "../kernel/kernel.ts";
import { bridgePort, type InsideOp, type Interface, interfaceSettings, removeBridgePort, removeLink, setUpInterface } from "./endpoint.ts";
import type { Place } from "./gateways.ts";
import type { Ground } from "./ground.ts";
import type { OpenNetwork } from "./open-network.ts";
import { type EndpointLink, families } from "./records.ts";
import { type AskedPlace, settingsAsked } from "./request.ts";
import { type VlanAddress, vlanPlan } from "./vlan.ts";
import { readVlanOptions } from "./vlan-options.ts";

export interface InterfacePlan {
  readonly hostNetwork: readonly NetlinkOp[];
  readonly containerNetwork: readonly InsideOp[];
}

/** Makes the interface and gives it its addresses. Routes are chosen over all interfaces of a container: see `gateways.ts`. */
export function makeInterface(ground: Ground, place: Place, asked: AskedPlace | undefined): InterfacePlan {
  const { link } = place.endpoint;
  if (link === undefined) return { hostNetwork: [], containerNetwork: [] };
  const settings = asked === undefined ? [] : settingsAsked(asked);
  switch (place.open.record.driver) {
    case "host":
    case "null":
      return { hostNetwork: [], containerNetwork: [] };
    case "bridge":
      return makePair(ground, place.open, link, { settings, announce: Boolean(asked?.asked.MacAddress) });
    case "macvlan":
    case "ipvlan":
      return makeStacked(ground, place.open, link, settings);
  }
}

type Settings = Interface["settings"];

/** RFC 8200, 5. An interface with less has no IPv6 that could be turned off. */
const leastMtuOfIpv6 = 1280;

function makePair(
  ground: Ground,
  open: OpenNetwork,
  link: EndpointLink,
  { settings, announce }: { settings: Settings; announce: boolean },
): InterfacePlan {
  const { mtu } = open.options;
  return {
    hostNetwork: bridgePort({
      link,
      bridgeIndex: open.index,
      mtu,
      hairpin: ground.host.hairpin,
      isolated: !open.options.icc && !ground.host.hairpin,
    }),
    containerNetwork: setUpInterface({
      link,
      subnets: open.subnets,
      ipv6Kernel: ground.host.ipv6 && mtu >= leastMtuOfIpv6,
      announce,
      settings,
    }),
  };
}

function makeStacked(ground: Ground, open: OpenNetwork, link: EndpointLink, settings: Settings): InterfacePlan {
  const { record } = open;
  if (record.driver !== "macvlan" && record.driver !== "ipvlan") throw new TypeError(`${open.name} has no parent`);
  const addresses: VlanAddress[] = families.flatMap((family) => {
    const [address, subnet] = [family === 4 ? link.address : link.address6, open.subnets[family]];
    return address === undefined || subnet === undefined ? [] : [{ address, subnet }];
  });
  const { how } = readVlanOptions(record.driver, record.options, record.internal);
  const plan = vlanPlan({ how, parent: open.index, name: link.name, index: link.index, mac: link.mac, addresses, ipv6: ground.host.ipv6 });
  return { ...plan, containerNetwork: [...plan.containerNetwork, ...interfaceSettings(link.name, settings)] };
}

/** Takes the interface of a running container away. */
export function removeInterface({ endpoint, open }: Place): InterfacePlan {
  const { link } = endpoint;
  if (link === undefined) return { hostNetwork: [], containerNetwork: [] };
  // The container may have moved a pair's end elsewhere, but not the host's; one made on a parent has nothing on the host.
  if (open.record.driver === "bridge") return { hostNetwork: [removeBridgePort(link.device)], containerNetwork: [] };
  return { hostNetwork: [], containerNetwork: [removeLink(link.index)] };
}
