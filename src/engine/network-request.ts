import { isEngineError } from "../base/base.ts";
import { type ContainerRecord, parseLink } from "../containers/containers.ts";
import type { AttachRequest } from "../networks/networks.ts";
import type { EndpointSettings, HostConfig, NetworkInspect, PortBinding } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";

type Endpoints = Readonly<Record<string, EndpointSettings>>;

/** What is not a user's network. */
const special: ReadonlySet<string> = new Set(["", "default", "bridge", "host", "none"]);

const joinsContainer = (mode: string): boolean => mode.startsWith("container:");

/** A network of that name, id or prefix; undefined where there is none, or several. */
export function networkNamed(context: EngineContext, reference: string): NetworkInspect | undefined {
  try {
    return context.networks.find(reference);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return undefined;
  }
}

/** What a network is called, however it is meant; one that is not there as it is meant. */
export function nameOf(context: EngineContext, reference: string): string {
  return isUserDefined(reference) ? (networkNamed(context, reference)?.Name ?? reference) : reference;
}

/** What a client may ask for; the rest of the type is what it gets. @throws InvalidParameter for what is no link */
export function askedOf(settings: EndpointSettings): EndpointSettings {
  const { IPAMConfig, Links, Aliases, MacAddress, DriverOpts, GwPriority } = settings;
  Links?.forEach(parseLink);
  return Object.fromEntries(
    Object.entries({ IPAMConfig, Links, Aliases, MacAddress, DriverOpts, GwPriority }).filter(([, value]) => value !== undefined),
  );
}

function bindingsOf(hostConfig: HostConfig): Record<string, PortBinding[]> {
  const bindings: Record<string, PortBinding[]> = {};
  // A port with no binding at all is one that the host chooses.
  for (const [port, list] of Object.entries(hostConfig.PortBindings ?? {}))
    bindings[port] = list === null || list.length === 0 ? [{}] : list;
  return bindings;
}

/** One of the container's networks: the one of its mode, if it is still to be in that one. */
function mainNetwork(context: EngineContext, mode: string, endpoints: Endpoints): string {
  const [first] = Object.keys(endpoints).sort();
  if (first === undefined || joinsContainer(mode) || Object.hasOwn(endpoints, mode)) return mode;
  const name = nameOf(context, mode);
  return Object.hasOwn(endpoints, name) ? name : first;
}

/**
 * What the network is asked for, from the container's configuration.
 * @param endpoints other ones than the record has
 */
export function networkRequest(
  context: EngineContext,
  record: Pick<ContainerRecord, "id" | "name" | "settings" | "status">,
  endpoints: Endpoints = record.settings.endpoints,
): AttachRequest {
  const { config, hostConfig } = record.settings;
  const bindings = bindingsOf(hostConfig);
  // A network that it has been in is the one with that id; another one of the same name is not meant.
  const key = (name: string): string => (special.has(name) ? "" : record.status.network?.Networks?.[name]?.NetworkID) || name;
  const mode = config.NetworkDisabled === true ? "none" : mainNetwork(context, hostConfig.NetworkMode ?? "bridge", endpoints);
  return {
    containerId: record.id,
    networkMode: key(mode),
    ...(record.name === "" ? {} : { containerName: record.name }),
    hostname: config.Domainname ? `${config.Hostname ?? ""}.${config.Domainname}` : (config.Hostname ?? ""),
    endpoints: Object.fromEntries(Object.entries(endpoints).map(([name, asked]) => [key(name), asked])),
    portBindings: bindings,
    exposedPorts: [...new Set([...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(bindings)])],
    publishAllPorts: hostConfig.PublishAllPorts ?? false,
    dns: hostConfig.Dns ?? [],
    dnsOptions: hostConfig.DnsOptions ?? [],
    dnsSearch: hostConfig.DnsSearch ?? [],
    extraHosts: hostConfig.ExtraHosts ?? [],
    ...(config.MacAddress ? { macAddress: config.MacAddress } : {}),
  };
}

/** A user's own network, which has names for its containers. */
export const isUserDefined = (mode: string): boolean => !special.has(mode) && !joinsContainer(mode);
