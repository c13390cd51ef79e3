import { booleanFilter, checkFilterKeys, EngineError, type Filters, hasLabels, invalidParameter, notFound } from "../base/base.ts";
import type { NetworkInspect } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";

export const predefined: readonly string[] = ["bridge", "host", "none"];

/** It was there from the start, and stays. */
export const isPredefined = (network: NetworkInspect): boolean => predefined.includes(network.Name ?? "");

/** Regular expressions, found anywhere, as Docker takes the values of `name` and `id`. */
function matchesAny(values: readonly string[], text: string): boolean {
  return values.some((value) => {
    try {
      return value === text || new RegExp(value).test(text);
    } catch {
      return false;
    }
  });
}

type Test = (network: NetworkInspect, values: readonly string[]) => boolean;

/** Values of one key are alternatives, labels are not. */
const tests: Readonly<Record<string, Test>> = {
  driver: (network, values) => values.includes(network.Driver ?? ""),
  id: (network, values) => matchesAny(values, network.Id ?? ""),
  name: (network, values) => matchesAny(values, network.Name ?? ""),
  idOrName: (network, values) => matchesAny(values, network.Name ?? "") || matchesAny(values, network.Id ?? ""),
  scope: (network, values) => values.includes(network.Scope ?? ""),
  type: (network, values) => values.includes(isPredefined(network) ? "builtin" : "custom"),
  label: (network, values) => hasLabels(network.Labels, values),
};

/** Is `dangling=true`, `false`, or nothing asked for? @throws InvalidParameter in Docker's words */
function danglingAsked(values: readonly string[]): boolean | undefined {
  if (values.length > 1) throw invalidParameter('got more than one value for filter key "dangling"');
  if (values.some((value) => !["0", "1", "false", "true"].includes(value)))
    throw invalidParameter(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
  return booleanFilter("dangling", values);
}

/** `GET /networks`. @param options `containers`: with those that are in each */
export async function listNetworks(
  context: EngineContext,
  filters: Filters,
  options: { readonly containers: boolean },
): Promise<NetworkInspect[]> {
  checkFilterKeys(filters, [...Object.keys(tests), "dangling"]);
  for (const type of filters.get("type") ?? [])
    if (type !== "custom" && type !== "builtin") throw invalidParameter(`invalid filter: 'type'='${type}'`);
  const dangling = danglingAsked(filters.get("dangling") ?? []);
  const found = context.networks
    .list()
    .filter((network) => Object.entries(tests).every(([key, test]) => !filters.get(key)?.length || test(network, filters.get(key) ?? [])));
  if (dangling === undefined && !options.containers) return found;
  return found.flatMap((network) => {
    const whole = context.networks.inspect(network.Id ?? "");
    const isDangling = !isPredefined(network) && Object.keys(whole.Containers ?? {}).length === 0;
    if (dangling !== undefined && dangling !== isDangling) return [];
    return [options.containers ? whole : network];
  });
}

/** `GET /networks/x`. @param options `scope`: it must have this one; "": any */
export async function inspectNetwork(
  context: EngineContext,
  reference: string,
  options: { readonly scope: string },
): Promise<NetworkInspect> {
  try {
    const network = context.networks.inspect(reference);
    if (options.scope !== "" && network.Scope !== options.scope) throw notFound(`network ${reference} not found`);
    return network;
  } catch (error) {
    // Here, Docker says the same the other way round.
    const [, what, count] = (error instanceof EngineError && /^(network .* is ambiguous) \((.*)\)$/.exec(error.message)) || [];
    throw what === undefined ? error : invalidParameter(`${count}: ${what}`, error);
  }
}
