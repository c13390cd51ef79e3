/** Reading what is asked of a container's networks. */
import { type EngineError, invalidParameter } from "../base/base.ts";
import { macBytes } from "../kernel/netlink-address.ts";
import type { EndpointSettings } from "../spec/spec.ts";
import { contains, familyOf, parseCidr } from "./addresses.ts";
import { type Catalogue, isBuiltIn } from "./catalogue.ts";
import { checkNames, type ResolverOptions } from "./name-files.ts";
import type { AttachRequest } from "./networks.ts";
import type { NetworkOptions } from "./options.ts";
import type { ByFamily, Network } from "./records.ts";

export const joinsContainer = (mode: string): boolean => mode.startsWith("container:");

/** A network that a container is to be in, and what it asks for there. */
export interface AskedPlace {
  readonly network: Network;
  readonly asked: EndpointSettings;
}

const isUserDefined = (network: Network): boolean => !isBuiltIn(network.name);

/** Under which names clients give the settings of the default bridge. */
const defaultNames = ["", "default", "bridge"];

/**
 * The network that a mode or a key of the endpoints means.
 * @param bridge whether the daemon has a default bridge; `default` means `none` where it has not
 * @throws NotFound, InvalidParameter
 */
export function networkMeant(catalogue: Catalogue, name: string, bridge: boolean): Network {
  if (name === "" || name === "default") return catalogue.builtIn(bridge ? "bridge" : "none");
  return catalogue.find(name);
}

/** The mode's network first, the others in the order given; empty: another container's. */
export function placesAsked(request: AttachRequest, catalogue: Catalogue, bridge: boolean): AskedPlace[] {
  const { networkMode: mode, endpoints } = request;
  if (joinsContainer(mode)) return [];
  const places = new Map<string, AskedPlace>();
  const first = networkMeant(catalogue, mode, bridge);
  places.set(first.id, { network: first, asked: {} });
  for (const [name, asked] of Object.entries(endpoints)) {
    const network = defaultNames.includes(name) && defaultNames.includes(mode) ? first : networkMeant(catalogue, name, bridge);
    places.set(network.id, { network, asked: asked ?? {} });
  }
  return [...places.values()];
}

/** Those of the endpoints' networks that there are: one that is not is the start's error. */
export function placesThere({ endpoints }: AttachRequest, catalogue: Catalogue): AskedPlace[] {
  return Object.entries(endpoints).flatMap(([name, asked]) => {
    const network = catalogue.named(name) ?? catalogue.get(name);
    return network === undefined ? [] : [{ network, asked: asked ?? {} }];
  });
}

/** The MAC address that is asked for, as it is shown. The container's own is for its first network. */
export function macAsked(request: AttachRequest, place: AskedPlace, first: boolean): string | undefined {
  const text = place.asked.MacAddress || (first ? request.macAddress : undefined);
  return text?.toLowerCase().replaceAll("-", ":") || undefined;
}

export function addressesAsked({ asked }: AskedPlace): ByFamily<string> {
  const [four, six] = [asked.IPAMConfig?.IPv4Address, asked.IPAMConfig?.IPv6Address];
  return { ...(four ? { 4: four } : {}), ...(six ? { 6: six } : {}) };
}

/** What the container asks of its resolver, and where it asks nothing, what the daemon has. */
export function resolverOf(request: AttachRequest, options: NetworkOptions): ResolverOptions {
  const given = (own: readonly string[], daemon: readonly string[] | undefined): readonly string[] =>
    own.length > 0 ? own : (daemon ?? []);
  return {
    dns: given(request.dns, options.dns),
    dnsOptions: given(request.dnsOptions, options.dnsOptions),
    dnsSearch: given(request.dnsSearch, options.dnsSearch),
  };
}

function checkMac(mac: string | undefined): void {
  if (mac === undefined) return;
  try {
    macBytes(mac);
  } catch {
    throw invalidParameter(`invalid MAC address: ${mac}`);
  }
}

/** Who joins a container has its network as it is. */
function checkJoining(request: AttachRequest): void {
  const conflict = (what: string): never => {
    throw invalidParameter(`conflicting options: ${what}`);
  };
  if (request.dns.length > 0) conflict("dns and the network mode");
  if (request.extraHosts.length > 0) conflict("custom host-to-IP mapping and the network mode");
  if (request.macAddress || Object.values(request.endpoints).some((asked) => asked.MacAddress))
    conflict("mac-address and the network mode");
  if (Object.keys(request.portBindings).length > 0 || request.publishAllPorts)
    conflict("port publishing and the container type network mode");
}

/** What is wrong with the addresses asked for, in Docker's words. */
function addressFaults(network: Network, asked: EndpointSettings): string[] {
  const { IPv4Address: four, IPv6Address: six, LinkLocalIPs: linkLocal } = asked.IPAMConfig ?? {};
  const faults: string[] = [];
  if (!isUserDefined(network) && (four || six)) return ["user-specified IP address is supported on user-defined networks only"];
  if (four && familyOf(four) !== 4) faults.push(`invalid IPv4 address: ${four}`);
  if (six && familyOf(six) !== 6) faults.push(`invalid IPv6 address: ${six}`);
  for (const address of linkLocal ?? []) if (familyOf(address) === undefined) faults.push(`invalid link-local IP address: ${address}`);
  const configured = network.record.pools.filter(({ automatic }) => automatic !== true).map(({ subnet }) => parseCidr(subnet).subnet);
  for (const [family, address] of [[4, four] as const, [6, six] as const]) {
    if (!address) continue;
    const subnets = configured.filter((subnet) => subnet.family === family);
    if (subnets.length === 0)
      faults.push("user specified IP address is supported only when connecting to networks with user configured subnets");
    else if (familyOf(address) !== family || !subnets.some((subnet) => contains(subnet, address)))
      faults.push(`no configured subnet or ip-range contain the IP address ${address}`);
  }
  return faults;
}

/** @throws InvalidParameter */
function checkPlace({ network, asked }: AskedPlace): void {
  checkMac(asked.MacAddress || undefined);
  const faults = addressFaults(network, asked);
  if (!isUserDefined(network) && (asked.Aliases ?? []).length > 0)
    faults.push("network-scoped aliases are only supported for user-defined networks");
  faults.push(...settingFaults(asked));
  const [only] = faults;
  if (only !== undefined) throw badEndpoint(network.name, faults.length === 1 ? only : faults.map((fault) => `* ${fault}`).join("\n"));
}

const badEndpoint = (network: string, why: string): EngineError =>
  invalidParameter(`invalid config for network ${network}: invalid endpoint settings:\n${why}`);

/** @throws InvalidParameter. No places: another container's network */
export function checkRequest(request: AttachRequest, places: readonly AskedPlace[]): void {
  checkNames(request.extraHosts, request);
  checkMac(request.macAddress || undefined);
  if (joinsContainer(request.networkMode)) {
    checkJoining(request);
    return;
  }
  for (const place of places) checkPlace(place);
  const alone = places.find(({ network }) => network.record.driver === "host" || network.record.driver === "null");
  if (alone === undefined || places.length === 1) return;
  const mode = alone.network.record.driver === "host" ? "host" : "none";
  throw invalidParameter(
    mode === "host"
      ? "container cannot be connected to multiple networks with one of the networks in host network mode"
      : "container cannot be connected to multiple networks with one of the networks in private (none) mode",
  );
}

const nameOption = "com.docker.network.endpoint.ifname";
const settingsOption = "com.docker.network.endpoint.sysctls";
const interfaceName = /^[^\s/:.]{1,15}$/;
const settingName = /^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.IFNAME\.[\w-]+$/;

/** The interface's name inside, where the user chooses it. */
export const nameAsked = ({ asked }: AskedPlace): string | undefined => asked.DriverOpts?.[nameOption] || undefined;

/** Settings of the interface, `net.ipv4.conf.IFNAME.log_martians=1` each, IFNAME as it stands. */
export function settingsAsked({ asked }: AskedPlace): (readonly [key: string, value: string])[] {
  const text = asked.DriverOpts?.[settingsOption];
  if (!text) return [];
  return text.split(",").map((part) => {
    const [key = "", ...rest] = part.split("=");
    return [key.trim().replaceAll("/", "."), rest.join("=").trim()] as const;
  });
}

function settingFaults(asked: EndpointSettings): string[] {
  const faults: string[] = [];
  const name = asked.DriverOpts?.[nameOption];
  if (name && !interfaceName.test(name)) faults.push(`invalid interface name ${JSON.stringify(name)}`);
  for (const [key, value] of settingsAsked({ asked } as AskedPlace))
    if (!settingName.test(key) || value === "" || /\s/.test(value))
      faults.push(`invalid endpoint sysctl ${JSON.stringify(`${key}=${value}`)}`);
  return faults;
}
