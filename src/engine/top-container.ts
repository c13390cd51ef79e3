import { totalmem } from "node:os";
import { conflict } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { hostAccounts, type ProcessInfo, readProcesses } from "../kernel/processes.ts";
import type { ContainerTopResponse } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { Moment } from "./process-columns.ts";
import { checkPsTitles, type PsRequest, parsePsArguments } from "./ps-arguments.ts";

/**
 * `GET /containers/x/top`: the container's processes with the host's pids, in ps's columns. Read from the
 * host's /proc alone; no program runs for it, least of all one of the container's (CVE-2022-1227).
 */
export async function topContainer(context: EngineContext, reference: string, psArgs: string): Promise<ContainerTopResponse> {
  checkPsTitles(psArgs);
  const live = context.find(reference);
  const { run } = live;
  const { state } = live.record.status;
  if (state.status === "restarting") throw conflict(`Container ${live.id} is restarting, wait until the container is running`);
  if (!isActive(state) || run === undefined) throw conflict(`container ${live.id} is not running`);
  const names = await hostAccounts();
  const request = parsePsArguments(psArgs, names);
  const processes = await readProcesses(run.running.cgroups, request);
  context.publish(live, "top");
  return formatProcesses(request, processes, { nowMs: Date.now(), memoryBytes: totalmem(), names });
}

/** The table that `top` answers with. */
export function formatProcesses(request: PsRequest, processes: readonly ProcessInfo[], moment: Moment): ContainerTopResponse {
  const { columns, selectors, tree } = request;
  const chosen = processes.filter((process) => selectors.length === 0 || selectors.some((selects) => selects(process)));
  const rows = tree === "no" ? chosen : inTree(chosen);
  return {
    Titles: columns.map((column) => column.title),
    Processes: sorted(rows, request, moment).map((process) =>
      columns.map((column) => `${tree === "marked" && column.command === true ? "\\_ " : ""}${column.show(process, moment)}`),
    ),
  };
}

/** By the keys in turn; numbers as such. What is equal stays in its order. */
function sorted(processes: readonly ProcessInfo[], { order }: PsRequest, moment: Moment): readonly ProcessInfo[] {
  if (order.length === 0) return processes;
  const compare = (a: ProcessInfo, b: ProcessInfo): number => {
    for (const { column, descending } of order) {
      const [left, right] = [column.show(a, moment), column.show(b, moment)];
      const numeric = Number(left) - Number(right);
      const difference = Number.isNaN(numeric) ? (left < right ? -1 : left > right ? 1 : 0) : numeric;
      if (difference !== 0) return descending ? -difference : difference;
    }
    return 0;
  };
  return [...processes].sort(compare);
}

/** Each process before its children. */
function inTree(processes: readonly ProcessInfo[]): ProcessInfo[] {
  const pids = new Set(processes.map((process) => process.pid));
  const below = (parent: number): ProcessInfo[] =>
    processes.filter((process) => process.ppid === parent && process.pid !== parent).flatMap((process) => [process, ...below(process.pid)]);
  return processes.filter((process) => !pids.has(process.ppid)).flatMap((process) => [process, ...below(process.pid)]);
}
