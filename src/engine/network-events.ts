import type { NetworkInspect, NetworkSettings } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { networkNamed } from "./network-request.ts";

/** `create` and `destroy` of a network, `connect` and `disconnect` of a container. */
export function publishNetworkEvent(
  context: EngineContext,
  network: NetworkInspect,
  action: "create" | "destroy" | "connect" | "disconnect",
  live?: LiveContainer,
): void {
  const container = live === undefined ? {} : { container: live.id };
  context.events.publish("network", action, network.Id ?? "", { ...container, name: network.Name ?? "", type: network.Driver ?? "" });
}

/** `network connect` or `network disconnect`, once for each network that the container is on. */
export function publishNetworkEvents(
  context: EngineContext,
  live: LiveContainer,
  settings: NetworkSettings | undefined,
  action: "connect" | "disconnect",
): void {
  for (const [name, endpoint] of Object.entries(settings?.Networks ?? {})) {
    const { NetworkID } = endpoint;
    if (!NetworkID) continue;
    context.events.publish("network", action, NetworkID, { container: live.id, name, type: typeOf(context, NetworkID, name) });
  }
}

/** A network's driver. It is remembered: the network may go as soon as the last container has left it. */
function typeOf(context: EngineContext, id: string, name: string): string {
  if (name === "bridge" || name === "host") return name;
  if (name === "none") return "null";
  const known = context.networkTypes.get(id);
  if (known !== undefined) return known;
  const type = networkNamed(context, id)?.Driver ?? "bridge";
  context.networkTypes.set(id, type);
  return type;
}
