import type { RegistryBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";

/** X-Registry-Auth, as it came. */
export function authOf(call: Call): { auth?: string } {
  const auth = call.request.headers["x-registry-auth"];
  return typeof auth === "string" ? { auth } : {};
}

async function search(registries: RegistryBackend, call: Call): Promise<void> {
  const { query } = call;
  const limit = query.integer("limit");
  const options = { filters: query.filters(), ...authOf(call), signal: call.signal, ...(limit === undefined ? {} : { limit }) };
  call.json(200, await registries.search(query.text("term"), options));
}

export function registryRoutes(registries: RegistryBackend): Route[] {
  return [
    {
      method: "POST",
      pattern: "/auth",
      handler: async (call) => call.json(200, await registries.login((await call.body()) ?? {}, call.signal)),
    },
    { method: "GET", pattern: "/images/search", handler: (call) => search(registries, call) },
    {
      method: "GET",
      pattern: "/distribution/{name}/json",
      handler: async (call) => call.json(200, await registries.inspect(call.param("name"), { ...authOf(call), signal: call.signal })),
    },
  ];
}
