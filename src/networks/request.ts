/** Reading what is asked of a container's network. */
import { invalidParameter } from "../base/base.ts";
import { macBytes } from "../kernel/netlink-address.ts";
import type { EndpointSettings } from "../spec/spec.ts";
import { familyOf } from "./addresses.ts";
import { checkNames, type ResolverOptions } from "./name-files.ts";
import type { AttachRequest } from "./networks.ts";
import type { NetworkOptions } from "./options.ts";
import type { Network } from "./records.ts";

export const joinsContainer = (mode: string): boolean => mode.startsWith("container:");

/** Under which names clients give the settings of the default bridge. */
const defaultNames = ["default", "bridge"];

/** The endpoint settings for the network that the container is to be in. */
export function settingsAsked(request: AttachRequest): EndpointSettings | undefined {
  const { networkMode: mode, endpoints } = request;
  if (mode !== "" && !defaultNames.includes(mode)) return Object.hasOwn(endpoints, mode) ? endpoints[mode] : undefined;
  return endpoints["default"] ?? endpoints["bridge"] ?? endpoints[""];
}

/** The MAC address that is asked for, as it is shown. */
export function macOf(request: AttachRequest): string | undefined {
  return (settingsAsked(request)?.MacAddress || request.macAddress)?.toLowerCase().replaceAll("-", ":") || undefined;
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
  if (macOf(request) !== undefined) conflict("mac-address and the network mode");
  if (Object.keys(request.portBindings).length > 0 || request.publishAllPorts)
    conflict("port publishing and the container type network mode");
}

/** @throws InvalidParameter. `network` undefined: another container's */
export function checkRequest(request: AttachRequest, network: Network | undefined): void {
  checkNames(request.extraHosts, request);
  checkMac(macOf(request));
  if (network === undefined) {
    checkJoining(request);
    return;
  }
  const asked = settingsAsked(request);
  const addresses = [asked?.IPAMConfig?.IPv4Address, asked?.IPAMConfig?.IPv6Address].filter((text) => text !== undefined && text !== "");
  for (const address of addresses) if (familyOf(address ?? "") === undefined) throw invalidParameter(`invalid IP address: ${address}`);
  const refuse = (why: string): never => {
    throw invalidParameter(`invalid config for network ${network.name}: invalid endpoint settings:\n${why}`);
  };
  if (addresses.length > 0) refuse("user-specified IP address is supported on user-defined networks only");
  if ((asked?.Aliases ?? []).length > 0) refuse("network-scoped aliases are only supported for user-defined networks");
}
