import { invalidParameter } from "../../base/base.ts";
import type { NetworkBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";

/** A member of the body that is text; "" when it is not there. */
async function word(call: Call, name: string): Promise<string> {
  const value = (await call.body())?.[name] ?? "";
  if (typeof value !== "string")
    throw invalidParameter(`invalid JSON: json: cannot unmarshal ${typeof value} into Go struct field .${name} of type string`);
  return value;
}

export function networkRoutes(networks: NetworkBackend): Route[] {
  const list: Route["handler"] = async (call) => call.json(200, await networks.list(call.query.filters()));
  return [
    { method: "GET", pattern: "/networks", handler: list },
    { method: "GET", pattern: "/networks/", handler: list },
    { method: "POST", pattern: "/networks/create", handler: async (call) => networks.create(await word(call, "Name")) },
    { method: "POST", pattern: "/networks/prune", handler: async (call) => call.json(200, await networks.prune(call.query.filters())) },
    {
      method: "POST",
      pattern: "/networks/{id}/connect",
      handler: async (call) => networks.connect(call.param("id"), await word(call, "Container")),
    },
    {
      method: "POST",
      pattern: "/networks/{id}/disconnect",
      handler: async (call) => networks.disconnect(call.param("id"), await word(call, "Container")),
    },
    { method: "GET", pattern: "/networks/{id}", handler: async (call) => call.json(200, await networks.inspect(call.param("id"))) },
    { method: "DELETE", pattern: "/networks/{id}", handler: (call) => networks.remove(call.param("id")) },
  ];
}
