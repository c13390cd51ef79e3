import { invalidParameter } from "../../base/base.ts";
import type { NetworkBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import { connectRequest, disconnectRequest, networkCreateRequest } from "../network-requests.ts";
import type { Route } from "../router.ts";

/** Since then lists do not tell who is in a network. */
const shortListsSince = 28;

async function list(networks: NetworkBackend, call: Call): Promise<void> {
  call.json(200, await networks.list(call.query.filters(), { containers: call.minor < shortListsSince }));
}

/** `verbose` adds what swarm knows of a network: nothing here, but it is to be a truth value. */
async function inspect(networks: NetworkBackend, call: Call): Promise<void> {
  const verbose = call.query.text("verbose");
  if (verbose !== "" && !/^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/.test(verbose))
    throw invalidParameter(`invalid value for verbose: ${verbose}: strconv.ParseBool: parsing ${JSON.stringify(verbose)}: invalid syntax`);
  call.json(200, await networks.inspect(call.param("id"), { scope: call.query.text("scope") }));
}

async function create(networks: NetworkBackend, call: Call): Promise<void> {
  call.json(201, await networks.create(networkCreateRequest(await call.body(), call.minor)));
}

async function connect(networks: NetworkBackend, call: Call): Promise<void> {
  const { container, settings } = connectRequest(await call.body(), call.minor);
  await networks.connect(call.param("id"), container, settings);
  call.empty(200);
}

async function disconnect(networks: NetworkBackend, call: Call): Promise<void> {
  const { container, force } = disconnectRequest(await call.body());
  await networks.disconnect(call.param("id"), container, { force });
  call.empty(200);
}

async function remove(networks: NetworkBackend, call: Call): Promise<void> {
  await networks.remove(call.param("id"));
  call.empty(204);
}

export function networkRoutes(networks: NetworkBackend): Route[] {
  return [
    { method: "GET", pattern: "/networks", handler: (call) => list(networks, call) },
    { method: "GET", pattern: "/networks/", handler: (call) => list(networks, call) },
    { method: "POST", pattern: "/networks/create", handler: (call) => create(networks, call) },
    { method: "POST", pattern: "/networks/prune", handler: async (call) => call.json(200, await networks.prune(call.query.filters())) },
    { method: "POST", pattern: "/networks/{id}/connect", handler: (call) => connect(networks, call) },
    { method: "POST", pattern: "/networks/{id}/disconnect", handler: (call) => disconnect(networks, call) },
    { method: "GET", pattern: "/networks/{id}", handler: (call) => inspect(networks, call) },
    { method: "DELETE", pattern: "/networks/{id}", handler: (call) => remove(networks, call) },
  ];
}
