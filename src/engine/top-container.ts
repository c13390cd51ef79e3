import { totalmem } from "node:os";
import { conflict } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { readProcesses } from "../kernel/procfs.ts";
import type { ContainerTopResponse } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import { formatProcesses, parsePsArgs } from "./process-columns.ts";

/**
 * `GET /containers/x/top`: the container's processes with the host's pids, in ps's columns. Read from the
 * host's /proc alone; no program runs for it, least of all one of the container's (CVE-2022-1227).
 */
export async function topContainer(context: EngineContext, reference: string, psArgs: string): Promise<ContainerTopResponse> {
  const columns = parsePsArgs(psArgs);
  const live = context.find(reference);
  if (!isActive(live.record.status.state) || live.run === undefined) throw conflict(`container ${live.id} is not running`);
  const processes = await readProcesses(live.run.running.cgroups);
  context.publish(live, "top");
  return formatProcesses(columns, processes, { nowMs: Date.now(), memoryBytes: totalmem() });
}
