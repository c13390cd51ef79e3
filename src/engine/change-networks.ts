/** Networks come and go. Who is in them is the business of `connect-network.ts` and `disconnect-network.ts`. */
import {
  checkFilterKeys,
  conflict,
  type Filters,
  forbidden,
  isEngineError,
  labelsMatch,
  log,
  parseTime,
  untilFilter,
} from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import type { NetworkCreateRequest, NetworkCreateResponse, NetworkInspect, NetworkPruneResponse } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import { isPredefined, predefined } from "./list-networks.ts";
import { publishNetworkEvent } from "./network-events.ts";

/** `POST /networks/create`. */
export async function createNetwork(context: EngineContext, request: NetworkCreateRequest): Promise<NetworkCreateResponse> {
  // Old clients call the default network so.
  if ([...predefined, "default"].includes(request.Name))
    throw forbidden(`operation is not permitted on predefined ${request.Name} network `);
  return await context.networkLock.run(async () => {
    const made = await context.networks.create(request);
    failpoint("network.created");
    publishNetworkEvent(context, context.networks.find(made.Id), "create");
    return made;
  });
}

/** `DELETE /networks/x`. @throws NotFound, Forbidden when it is predefined or in use */
export async function removeNetwork(context: EngineContext, reference: string): Promise<void> {
  await context.networkLock.run(() => remove(context, context.networks.find(reference)));
}

async function remove(context: EngineContext, network: NetworkInspect): Promise<void> {
  if (isPredefined(network)) throw forbidden(`${network.Name} is a pre-defined network and cannot be removed`);
  const id = network.Id ?? "";
  await context.networks.remove(id);
  failpoint("network.removed");
  context.networkTypes.delete(id);
  // One that only lends its configuration to others comes with an event and goes without.
  if (network.ConfigOnly !== true) publishNetworkEvent(context, network, "destroy");
}

/** `POST /networks/prune`: all that nobody is in; as in Docker, those too that only stopped containers are to be in. */
export async function pruneNetworks(context: EngineContext, filters: Filters): Promise<NetworkPruneResponse> {
  checkFilterKeys(filters, ["label", "label!", "until"]);
  const until = untilFilter(filters);
  if (context.pruningNetworks) throw conflict("a prune operation is already running");
  context.pruningNetworks = true;
  const deleted: string[] = [];
  try {
    for (const network of context.networks.list()) {
      if (isPredefined(network) || network.ConfigOnly === true) continue;
      if (until !== undefined && (parseTime(network.Created ?? "") ?? 0n) > until) continue;
      if (!labelsMatch(filters, network.Labels)) continue;
      if (await context.networkLock.run(() => removeUnused(context, network))) deleted.push(network.Name ?? "");
    }
  } finally {
    context.pruningNetworks = false;
  }
  context.events.publish("network", "prune", "", { reclaimed: "0" });
  return { NetworksDeleted: deleted.length === 0 ? null : deleted } as unknown as NetworkPruneResponse;
}

/** @returns whether it is gone by this */
async function removeUnused(context: EngineContext, network: NetworkInspect): Promise<boolean> {
  try {
    if (Object.keys(context.networks.inspect(network.Id ?? "").Containers ?? {}).length > 0) return false;
    await remove(context, network);
    return true;
  } catch (error) {
    // Someone has joined it, or removed it, meanwhile.
    if (!isEngineError(error)) throw error;
    log.warn("a network was not pruned", { network: network.Name, error: error.message });
    return false;
  }
}
