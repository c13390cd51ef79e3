/** What clients ask of networks beyond looking at them: only the predefined ones exist. */
import { checkFilterKeys, type Filters, forbidden, invalidParameter, notImplemented } from "../base/base.ts";
import type { NetworkPruneResponse } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";

const predefined = ["bridge", "host", "none", "default"];

const unavailable = "user-defined networks are not available in this version";

export async function createNetwork(name: string): Promise<never> {
  if (name === "") throw invalidParameter("invalid name: name is empty");
  if (predefined.includes(name)) throw forbidden(`operation is not permitted on predefined ${name} network `);
  throw notImplemented(unavailable);
}

export async function removeNetwork(context: EngineContext, reference: string): Promise<never> {
  throw forbidden(`${context.networks.inspect(reference).Name} is a pre-defined network and cannot be removed`);
}

export async function changeConnection(context: EngineContext, reference: string, container: string): Promise<never> {
  context.find(container);
  context.networks.inspect(reference);
  throw notImplemented(unavailable);
}

/** `docker network prune` passes over predefined networks. */
export async function pruneNetworks(context: EngineContext, filters: Filters): Promise<NetworkPruneResponse> {
  checkFilterKeys(filters, ["label", "label!", "until"]);
  context.events.publish("network", "prune", "", { reclaimed: "0" });
  return { NetworksDeleted: null } as unknown as NetworkPruneResponse;
}
