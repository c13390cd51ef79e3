/**
 * The parts of the API that this version does not have. Where Docker has an answer of its own for a daemon without
 * the part (no swarm, no plugins), that is given; elsewhere 501 says what is missing.
 */
import { type EngineError, notFound, notImplemented, unavailable } from "../../base/base.ts";
import type { Call } from "../call.ts";
import type { Route } from "../router.ts";

type Endpoint = readonly [method: Route["method"], pattern: string];

const ofManagers: readonly Endpoint[] = [
  ["GET", "/swarm"],
  ["POST", "/swarm/update"],
  ["GET", "/swarm/unlockkey"],
  ["POST", "/swarm/unlock"],
  ["GET", "/nodes"],
  ["POST", "/nodes/{id}/update"],
  ["GET", "/nodes/{id}"],
  ["DELETE", "/nodes/{id}"],
  ["GET", "/services"],
  ["POST", "/services/create"],
  ["POST", "/services/{id}/update"],
  ["GET", "/services/{id}/logs"],
  ["GET", "/services/{id}"],
  ["DELETE", "/services/{id}"],
  ["GET", "/tasks"],
  ["GET", "/tasks/{id}/logs"],
  ["GET", "/tasks/{id}"],
  ["GET", "/secrets"],
  ["POST", "/secrets/create"],
  ["POST", "/secrets/{id}/update"],
  ["GET", "/secrets/{id}"],
  ["DELETE", "/secrets/{id}"],
  ["GET", "/configs"],
  ["POST", "/configs/create"],
  ["POST", "/configs/{id}/update"],
  ["GET", "/configs/{id}"],
  ["DELETE", "/configs/{id}"],
];

const ofPlugins: readonly Endpoint[] = [
  ["GET", "/plugins/{name}/json"],
  ["POST", "/plugins/{name}/enable"],
  ["POST", "/plugins/{name}/disable"],
  ["POST", "/plugins/{name}/upgrade"],
  ["POST", "/plugins/{name}/push"],
  ["POST", "/plugins/{name}/set"],
  ["DELETE", "/plugins/{name}"],
];

const notThere: readonly (readonly [...Endpoint, what: string])[] = [
  ["POST", "/swarm/init", "swarm mode is not available in this version"],
  ["POST", "/swarm/join", "swarm mode is not available in this version"],
  ["GET", "/plugins/privileges", "plugins are not available in this version"],
  ["POST", "/plugins/pull", "plugins are not available in this version"],
  ["POST", "/plugins/create", "plugins are not available in this version"],
  ["POST", "/build", "builds are not available in this version"],
  ["POST", "/session", "builds are not available in this version"],
];

const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function refuse([method, pattern]: Endpoint, why: (call: Call) => EngineError): Route {
  return {
    method,
    pattern,
    handler: (call) => {
      // The rest of an upload is dropped, so that the client comes to read the answer.
      call.request.resume();
      throw why(call);
    },
  };
}

export function unavailableRoutes(): Route[] {
  return [
    { method: "GET", pattern: "/plugins", handler: (call) => call.json(200, []) },
    refuse(["POST", "/swarm/leave"], () => unavailable("This node is not part of a swarm")),
    refuse(["PUT", "/volumes/{name}"], () => unavailable("volume update only valid for cluster volumes, but swarm is unavailable")),
    ...notThere.map(([method, pattern, what]) => refuse([method, pattern], () => notImplemented(what))),
    ...ofManagers.map((endpoint) => refuse(endpoint, () => unavailable(noManager))),
    ...ofPlugins.map((endpoint) => refuse(endpoint, (call) => notFound(`plugin "${call.param("name")}" not found`))),
  ];
}
