import { invalidParameter } from "../base/base.ts";
import type { ContainerCreateRequest, EndpointSettings } from "../spec/spec.ts";
import { gatewayPrioritySince } from "./network-requests.ts";

/** Since when a container is created on several networks, and a MAC address is one of them's: minor version of the API. */
const endpointsSince = 44;

type Endpoints = Readonly<Record<string, EndpointSettings>>;

/** A mode whose network has an address of its own for the container. */
const hasMac = (mode: string): boolean => mode !== "host" && mode !== "none" && !mode.startsWith("container:");

/** The default network is called by its name. */
const byName = (network: string | null): string => (network === null || network === "default" ? "bridge" : network);

function without(endpoints: Endpoints, field: "MacAddress" | "GwPriority"): Record<string, EndpointSettings> {
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, endpoint]) => {
      const { [field]: _, ...rest } = endpoint;
      return [name, rest];
    }),
  );
}

/** The endpoint that has the container's MAC address, for clients that know of one network only. */
function olderEndpoints(given: Endpoints, mac: string, mode: string): Endpoints {
  const names = Object.keys(given);
  if (names.length > 1) throw invalidParameter(`Container cannot be created with multiple network endpoints: ${names.join(", ")}`);
  const endpoints = without(given, "MacAddress");
  if (mac === "") return endpoints;
  if (!hasMac(mode)) throw invalidParameter("conflicting options: mac-address and the network mode");
  const name = names[0] ?? mode;
  return { ...endpoints, [name]: { ...endpoints[name], MacAddress: mac } };
}

/** A MAC address of the whole container is that of its main network. */
function newerEndpoints(given: Endpoints, mac: string, mode: string): Endpoints {
  if (mac === "" || !hasMac(mode)) return given;
  const endpoint = Object.hasOwn(given, mode) ? given[mode] : undefined;
  if (Object.keys(given).length > 0 && endpoint === undefined)
    throw invalidParameter(
      "unable to migrate container-wide MAC address to a specific network: if a container-wide MAC address is supplied, HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks",
    );
  if (endpoint?.MacAddress && endpoint.MacAddress !== mac)
    throw invalidParameter(
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
    );
  return { ...given, [mode]: { ...endpoint, MacAddress: mac } };
}

const macWarning = "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.";

/**
 * The endpoints that a client of that version asks for; the MAC address of the whole container becomes one endpoint's.
 * @returns the request with them, and what to warn of
 */
export function networkingForVersion(
  request: ContainerCreateRequest,
  minor: number,
): { readonly request: ContainerCreateRequest; readonly warnings: readonly string[] } {
  const { MacAddress, ...rest } = request;
  const mac = MacAddress ?? "";
  const given = Object.fromEntries(
    Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {}).map(([name, endpoint]) => [byName(name), endpoint]),
  );
  const mode = byName(request.HostConfig?.NetworkMode || "default");
  const known = minor < gatewayPrioritySince ? without(given, "GwPriority") : given;
  const endpoints = minor < endpointsSince ? olderEndpoints(known, mac, mode) : newerEndpoints(known, mac, mode);
  return {
    request: Object.keys(endpoints).length === 0 ? rest : { ...rest, NetworkingConfig: { EndpointsConfig: { ...endpoints } } },
    warnings: mac !== "" && minor >= endpointsSince ? [macWarning] : [],
  };
}
