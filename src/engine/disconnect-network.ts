/** `POST /networks/x/disconnect`: a container leaves a network, at once if it runs. */
import { isEngineError, notFound, systemError } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { EndpointSettings, NetworkInspect } from "../spec/spec.ts";
import { assertStays, runOf } from "./connect-network.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer, Run } from "./live-container.ts";
import { changeNetwork } from "./network-change.ts";
import { hostConflict } from "./network-conflicts.ts";
import { publishNetworkEvent } from "./network-events.ts";
import { networkNamed, networkRequest } from "./network-request.ts";

/** @param options `force`: also of a network that is gone. @throws NotFound, InvalidParameter, System in Docker's words */
export async function disconnectContainer(
  context: EngineContext,
  reference: string,
  container: string,
  options: { readonly force: boolean },
): Promise<void> {
  const live = findContainer(context, reference, container, options.force);
  await live.lock.run(async () => {
    assertStays(live);
    const run = runOf(live);
    const network = run === undefined || options.force ? networkNamed(context, reference) : context.networks.find(reference);
    if (run === undefined || network === undefined || !(await disconnectRunning(context, live, run, network)))
      disconnectStopped(context, live, reference, network);
  });
}

/** By force, Docker looks for an endpoint that a container has left behind. There are none: they go with their containers. */
function findContainer(context: EngineContext, reference: string, container: string, force: boolean): LiveContainer {
  try {
    return context.find(container);
  } catch (error) {
    if (!force || !isEngineError(error, "NotFound")) throw error;
    context.networks.find(reference);
    throw notFound(`endpoint ${container} not found`, error);
  }
}

/** What is left without one network, under whichever of its names. */
function without(
  context: EngineContext,
  endpoints: Readonly<Record<string, EndpointSettings>>,
  network: NetworkInspect,
): Record<string, EndpointSettings> {
  const isIt = (name: string): boolean => name === network.Name || networkNamed(context, name)?.Id === network.Id;
  return Object.fromEntries(Object.entries(endpoints).filter(([name]) => !isIt(name)));
}

/** @returns false: it has ended meanwhile */
async function disconnectRunning(context: EngineContext, live: LiveContainer, run: Run, network: NetworkInspect): Promise<boolean> {
  const { record } = live;
  if (record.settings.hostConfig.NetworkMode === "host" && network.Driver === "host") throw hostConflict();
  if (record.status.network?.Networks?.[network.Name ?? ""]?.NetworkID !== network.Id)
    throw systemError(`container ${live.id} is not connected to network ${network.Name}`);
  const endpoints = without(context, record.settings.endpoints, network);
  const request = networkRequest(context, record, endpoints);
  const changed = await changeNetwork(context, live, run, {
    step: "disconnect",
    request,
    plan: (wishes) => context.networks.disconnect(wishes, network.Id ?? ""),
    endpoints,
  });
  // Who has ended meanwhile has left all its networks, and that was told.
  if (changed && isActive(record.status.state)) publishNetworkEvent(context, network, "disconnect", live);
  return changed;
}

function disconnectStopped(context: EngineContext, live: LiveContainer, reference: string, network: NetworkInspect | undefined): void {
  const { settings, status } = live.record;
  const name = network?.Name ?? reference;
  const { [name]: _, ...rest } = settings.endpoints;
  const endpoints = network === undefined ? rest : without(context, settings.endpoints, network);
  if (Object.keys(endpoints).length === Object.keys(settings.endpoints).length)
    throw systemError(`container ${live.id} is not connected to the network ${name}`);
  context.store.setEndpoints(live.record, endpoints);
  // Should it come back to a network of that name, it need not be the same one.
  const { [name]: _left, ...Networks } = status.network?.Networks ?? {};
  if (status.network !== undefined) context.store.update(live.record, { network: { ...status.network, Networks } });
  context.networks.reserve(networkRequest(context, live.record));
  if (network !== undefined) publishNetworkEvent(context, network, "disconnect", live);
}
