/** `berth update --publish-add`, `--publish-rm`: other published ports, at once if the container runs. */
import { isDeepStrictEqual } from "node:util";
import { isEngineError } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { AttachRequest } from "../networks/networks.ts";
import type { HostConfig } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { changeNetwork } from "./network-change.ts";
import { networkRequest } from "./network-request.ts";

type Ports = Pick<HostConfig, "PortBindings" | "PublishAllPorts">;

/** Modes in which ports of the host lead nowhere: they are written down, and that is all. */
const withoutPorts: ReadonlySet<string> = new Set(["host", "none"]);

/**
 * Gives a container, whose lock the caller holds, the ports that `asked` has; one that does not run gets them with its next
 * start. New connections to a port that is no longer published are refused, and those that are there go on.
 * @throws InvalidParameter; System in Docker's wording when a port is taken: then all is as before
 */
export async function updatePorts(context: EngineContext, live: LiveContainer, asked: Ports): Promise<void> {
  const before = live.record.settings.hostConfig;
  const hostConfig: HostConfig = { ...before, ...portsOf(asked) };
  if (isDeepStrictEqual(hostConfig, before)) return;
  const request = requestFor(context, live, hostConfig);
  try {
    context.networks.validate(request);
  } catch (error) {
    // A network that is gone is the next start's error.
    if (!isEngineError(error, "NotFound")) throw error;
  }
  const { run } = live;
  const mode = before.NetworkMode ?? "";
  if (run !== undefined && isActive(live.record.status.state) && !withoutPorts.has(mode)) {
    const wanted = { step: "publish", request, plan: (wishes: AttachRequest) => context.networks.changePorts(wishes), hostConfig } as const;
    if (await changeNetwork(context, live, run, wanted)) return;
  }
  context.store.configure(live.record, hostConfig);
}

/** What is asked for; what is not stays as it is. */
export function portsOf({ PortBindings, PublishAllPorts }: Ports): Ports {
  return { ...(PortBindings == null ? {} : { PortBindings }), ...(PublishAllPorts == null ? {} : { PublishAllPorts }) };
}

function requestFor(context: EngineContext, live: LiveContainer, hostConfig: HostConfig): AttachRequest {
  const { id, name, settings, status } = live.record;
  return networkRequest(context, { id, name, status, settings: { ...settings, hostConfig } });
}
