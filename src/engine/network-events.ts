import { networksOf } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/** `network connect` or `network disconnect`, once for each network that the container is on. */
export function publishNetworkEvents(context: EngineContext, live: LiveContainer, action: "connect" | "disconnect"): void {
  for (const [name, endpoint] of Object.entries(live.record.status.network?.Networks ?? networksOf(live.record))) {
    if (!endpoint.NetworkID) continue;
    const type = name === "bridge" || name === "host" || name === "none" ? (name === "none" ? "null" : name) : "bridge";
    context.events.publish("network", action, endpoint.NetworkID, { container: live.id, name, type });
  }
}
