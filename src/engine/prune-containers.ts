import { conflict, type Filters, log, messageOf } from "../base/base.ts";
import { isStopped, parsePruneFilters } from "../containers/containers.ts";
import type { ContainerPruneResponse } from "../spec/spec.ts";
import { containerSizes } from "./container-size.ts";
import type { EngineContext } from "./context.ts";
import { removeContainer } from "./remove-container.ts";

/**
 * `POST /containers/prune`: removes what does not run, newest first. Their volumes stay. One that cannot be
 * removed does not keep the others. @throws Conflict while another prune is under way
 */
export async function pruneContainers(context: EngineContext, filters: Filters): Promise<ContainerPruneResponse> {
  const matches = parsePruneFilters(filters);
  if (context.pruning) throw conflict("a prune operation is already running");
  context.pruning = true;
  const deleted: string[] = [];
  let reclaimed = 0;
  try {
    for (const record of [...context.store.list()].reverse()) {
      if (!isStopped(record.status.state) || !matches(record)) continue;
      const { rw } = await containerSizes(context, record);
      try {
        await removeContainer(context, record.id, { force: false, volumes: false, link: false });
      } catch (error) {
        log.warn("a container was not pruned", { container: record.id, error: messageOf(error) });
        continue;
      }
      reclaimed += rw;
      deleted.push(record.id);
    }
  } finally {
    context.pruning = false;
  }
  context.events.publish("container", "prune", "", { reclaimed: String(reclaimed) });
  // Docker sends null where nothing was deleted.
  return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed } as ContainerPruneResponse;
}
