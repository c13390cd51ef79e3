/** Which of a container's networks lead elsewhere, and so which of its addresses host ports are published for. */
import type { DefaultRoute } from "./endpoint.ts";
import { isClosed, type OpenNetwork } from "./open-network.ts";
import type { PortEnd, PortEnds } from "./port-taking.ts";
import { type ByFamily, type Endpoint, type Family, families } from "./records.ts";
import { readVlanOptions } from "./vlan-options.ts";

/** An endpoint with its network. */
export interface Place {
  readonly endpoint: Endpoint;
  readonly open: OpenNetwork;
}

const needsNoRouter = ({ open: { record } }: Place): boolean =>
  record.driver === "ipvlan" && readVlanOptions(record.driver, record.options, record.internal).routed;

const addressOf = ({ endpoint }: Place, family: Family): string | undefined =>
  family === 4 ? endpoint.link?.address : endpoint.link?.address6;

function leadsElsewhere(place: Place, family: Family): boolean {
  if (addressOf(place, family) === undefined || isClosed(place.open.record)) return false;
  return place.open.gateways[family] !== undefined || needsNoRouter(place);
}

/** By `--gw-priority`, then both families before one, then by the network's name, as Docker has it. */
function before(a: Place, b: Place): number {
  const priority = (place: Place): number => place.endpoint.link?.gatewayPriority ?? 0;
  const reach = (place: Place): number => families.filter((family) => leadsElsewhere(place, family)).length;
  return priority(b) - priority(a) || reach(b) - reach(a) || (a.open.name < b.open.name ? -1 : a.open.name > b.open.name ? 1 : 0);
}

export function gatewaysOf(places: readonly Place[]): ByFamily<Place> {
  const sorted = places.length > 1 ? places.toSorted(before) : places;
  const first = (family: Family): ByFamily<Place> => {
    const found = sorted.find((place) => leadsElsewhere(place, family));
    return found === undefined ? {} : { [family]: found };
  };
  return { ...first(4), ...first(6) };
}

export type DefaultRoutes = ByFamily<DefaultRoute>;

export function routesOf(gateways: ByFamily<Place>): DefaultRoutes {
  const route = (family: Family): ByFamily<DefaultRoute> => {
    const place = gateways[family];
    if (place?.endpoint.link === undefined) return {};
    const gateway = needsNoRouter(place) ? undefined : place.open.gateways[family];
    return { [family]: { index: place.endpoint.link.index, ...(gateway === undefined ? {} : { gateway }) } };
  };
  return { ...route(4), ...route(6) };
}

/** Where what comes in at the host's addresses goes to. Only bridges publish. */
export function portEndsOf(gateways: ByFamily<Place>, daemon: { readonly relayAll: boolean; readonly direct: boolean }): PortEnds {
  const end = (family: Family): PortEnd | undefined => {
    const place = gateways[family];
    if (place === undefined || place.open.record.driver !== "bridge") return undefined;
    const address = addressOf(place, family);
    if (address === undefined) return undefined;
    const { options } = place.open;
    return {
      address,
      bridge: place.open.record.bridge?.device ?? "",
      routed: options.gatewayMode[family] === "routed",
      direct: daemon.direct || options.trustedInterfaces.length > 0,
    };
  };
  const [ipv4, ipv6] = [end(4), end(6)];
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }), relayAll: daemon.relayAll };
}
