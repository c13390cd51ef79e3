import type { NetworkBackend } from "../backend.ts";
import type { Route } from "../router.ts";

export function networkRoutes(networks: NetworkBackend): Route[] {
  const list: Route["handler"] = async (call) => call.json(200, await networks.list(call.query.filters()));
  return [
    { method: "GET", pattern: "/networks", handler: list },
    { method: "GET", pattern: "/networks/", handler: list },
    { method: "GET", pattern: "/networks/{id}", handler: async (call) => call.json(200, await networks.inspect(call.param("id"))) },
  ];
}
