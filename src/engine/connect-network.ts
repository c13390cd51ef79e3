/** `POST /networks/x/connect`: a container joins a network, at once if it runs. */
import { EngineError, forbidden, isEngineError, systemError } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { AttachRequest } from "../networks/networks.ts";
import type { EndpointSettings, NetworkInspect } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer, Run } from "./live-container.ts";
import { changeNetwork } from "./network-change.ts";
import { mayJoin } from "./network-conflicts.ts";
import { publishNetworkEvent } from "./network-events.ts";
import { askedOf, networkNamed, networkRequest } from "./network-request.ts";

/** @throws NotFound, Forbidden, InvalidParameter in Docker's words */
export async function connectContainer(
  context: EngineContext,
  reference: string,
  container: string,
  settings: EndpointSettings,
): Promise<void> {
  const live = context.find(container);
  const asked = askedOf(settings);
  await live.lock.run(async () => {
    assertStays(live);
    const run = runOf(live);
    if (run === undefined || !(await connectRunning(context, live, run, reference, asked))) connectStopped(context, live, reference, asked);
  });
}

/** @throws System, as Docker does, for a container that is being removed */
export function assertStays(live: LiveContainer): void {
  const { status } = live.record.status.state;
  if (live.removed || status === "removing" || status === "dead")
    throw systemError(`container ${live.id} is marked for removal and cannot be connected or disconnected to the network`);
}

export function runOf(live: LiveContainer): Run | undefined {
  return isActive(live.record.status.state) ? live.run : undefined;
}

/** @returns false: it has ended meanwhile */
async function connectRunning(
  context: EngineContext,
  live: LiveContainer,
  run: Run,
  reference: string,
  asked: EndpointSettings,
): Promise<boolean> {
  const network = context.networks.find(reference);
  const name = network.Name ?? reference;
  const isOutside = mayJoin(context, live, network);
  const endpoints = { ...live.record.settings.endpoints, [name]: asked };
  const request = networkRequest(context, live.record, endpoints);
  validate(context, request, network);
  if (!isOutside) throw forbidden(`endpoint with name ${live.record.name} already exists in network ${name}`);
  const changed = await changeNetwork(context, live, run, {
    step: "connect",
    request,
    plan: (wishes) => context.networks.connect(wishes, network.Id ?? name),
    endpoints,
  });
  if (changed && isActive(live.record.status.state)) publishNetworkEvent(context, network, "connect", live);
  return changed;
}

/** What it is to get at its next start. A network that is not there yet will be looked for then. */
function connectStopped(context: EngineContext, live: LiveContainer, reference: string, asked: EndpointSettings): void {
  const network = networkNamed(context, reference);
  if (network !== undefined && !mayJoin(context, live, network)) return;
  const endpoints = { ...live.record.settings.endpoints, [network?.Name ?? reference]: asked };
  const request = networkRequest(context, live.record, endpoints);
  validate(context, request, network);
  context.store.setEndpoints(live.record, endpoints);
  context.networks.reserve(request);
}

/** A network of the request's that is not there is the next start's error. @throws InvalidParameter in Docker's words */
function validate(context: EngineContext, request: AttachRequest, network: NetworkInspect | undefined): void {
  try {
    context.networks.validate(request);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    if (error.code === "NotFound") return;
    // Only where several networks are asked for at once, Docker says which one it means.
    throw new EngineError(error.code, error.message.replace(`invalid config for network ${network?.Name}: `, ""), { cause: error });
  }
}
