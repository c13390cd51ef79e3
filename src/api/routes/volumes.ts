import { invalidParameter, unavailable } from "../../base/base.ts";
import type { VolumeBackend } from "../backend.ts";
import type { Call } from "../call.ts";
import { fitFields } from "../request-shape.ts";
import { volumeCreateShape } from "../request-shapes-table.ts";
import type { Route } from "../router.ts";

async function create(volumes: VolumeBackend, call: Call): Promise<void> {
  const body = await call.body();
  if (body === undefined) throw invalidParameter("invalid JSON: got EOF while reading request body");
  const { ClusterVolumeSpec: cluster, ...request } = fitFields(body, volumeCreateShape, "CreateOptions");
  if (cluster !== undefined)
    throw unavailable(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  call.json(201, await volumes.create(request));
}

async function prune(volumes: VolumeBackend, call: Call): Promise<void> {
  const filters = new Map(call.query.filters());
  // Before 1.42 all that was not in use went.
  if (call.minor < 42) filters.set("all", ["true"]);
  call.json(200, await volumes.prune(filters));
}

export function volumeRoutes(volumes: VolumeBackend): Route[] {
  return [
    {
      method: "GET",
      pattern: "/volumes",
      handler: async (call) => call.json(200, { Volumes: await volumes.list(call.query.filters()), Warnings: null }),
    },
    { method: "POST", pattern: "/volumes/create", handler: (call) => create(volumes, call) },
    { method: "POST", pattern: "/volumes/prune", handler: (call) => prune(volumes, call) },
    {
      method: "GET",
      pattern: "/volumes/{name}",
      handler: async (call) => call.json(200, await volumes.inspect(call.param("name"))),
    },
    {
      method: "DELETE",
      pattern: "/volumes/{name}",
      handler: async (call) => {
        await volumes.remove(call.param("name"), { force: call.query.flag("force") });
        call.empty(204);
      },
    },
  ];
}
