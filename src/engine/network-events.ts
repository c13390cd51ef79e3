import type { NetworkSettings } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/** `network connect` or `network disconnect`, once for each network that the container is on. */
export function publishNetworkEvents(
  context: EngineContext,
  live: LiveContainer,
  settings: NetworkSettings | undefined,
  action: "connect" | "disconnect",
): void {
  for (const [name, endpoint] of Object.entries(settings?.Networks ?? {})) {
    if (!endpoint.NetworkID) continue;
    const type = name === "none" ? "null" : name === "host" ? "host" : "bridge";
    context.events.publish("network", action, endpoint.NetworkID, { container: live.id, name, type });
  }
}
