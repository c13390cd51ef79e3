import { type Filters, hasLabels, invalidParameter } from "../base/base.ts";
import type { NetworkInspect } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";

type Test = (network: NetworkInspect, value: string) => boolean;

const builtIn = new Set(["bridge", "host", "none"]);

const tests: Readonly<Record<string, Test>> = {
  driver: (network, value) => network.Driver === value,
  id: (network, value) => (network.Id ?? "").includes(value),
  name: (network, value) => (network.Name ?? "").includes(value),
  scope: (network, value) => network.Scope === value,
  type: (network, value) => (value === "builtin") === builtIn.has(network.Name ?? ""),
  dangling: (network, value) => {
    const unused = Object.keys(network.Containers ?? {}).length === 0 && !builtIn.has(network.Name ?? "");
    return /^(1|t|true)$/i.test(value) === unused;
  },
  label: (network, value) => hasLabels(network.Labels, [value]),
};

/** `GET /networks`. Values of one key are alternatives, labels are not. */
export async function listNetworks(context: EngineContext, filters: Filters): Promise<NetworkInspect[]> {
  const wanted = [...filters].map(([key, values]) => {
    const test = Object.hasOwn(tests, key) ? tests[key] : undefined;
    if (test === undefined) throw invalidParameter(`invalid filter '${key}'`);
    const matches = (network: NetworkInspect): boolean =>
      key === "label" ? values.every((value) => test(network, value)) : values.some((value) => test(network, value));
    return values.length === 0 ? (): boolean => true : matches;
  });
  return context.networks.list().filter((network) => wanted.every((matches) => matches(network)));
}
