import type { ContainerRecord } from "./record.ts";
import { endingOf } from "./state.ts";

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** Who has run this long starts afresh. */
const healthyMs = 10_000;

/** Is the container, which has just ended, to be started again? */
export function restartsAfterExit(record: ContainerRecord, exitCode: number): boolean {
  return !record.status.stoppedByUser && wantsRestart(record, exitCode);
}

function wantsRestart({ settings, status }: ContainerRecord, exitCode: number): boolean {
  const { Name = "no", MaximumRetryCount = 0 } = settings.hostConfig.RestartPolicy ?? {};
  if (Name === "always" || Name === "unless-stopped") return true;
  if (Name !== "on-failure" || exitCode === 0) return false;
  return MaximumRetryCount === 0 || status.restartCount < MaximumRetryCount;
}

/** Is a container that does not run to be started with the daemon? Only `unless-stopped` remembers that someone stopped it, as in Docker. */
export function restartsWithDaemon(record: ContainerRecord): boolean {
  const { status, settings } = record;
  if (!status.everStarted) return false;
  if (settings.hostConfig.RestartPolicy?.Name === "unless-stopped" && status.stoppedByUser) return false;
  return wantsRestart(record, endingOf(status.state).exitCode);
}

/** How long to wait before the next try: twice as long as `previousMs`, from 100 ms (0: none before) to a minute. */
export function nextRestartDelayMs(record: ContainerRecord, previousMs: number): number {
  const { startedAt, finishedAt } = endingOf(record.status.state);
  const ranMs = Date.parse(finishedAt) - Date.parse(startedAt);
  if (previousMs === 0 || ranMs >= healthyMs) return firstDelayMs;
  return Math.min(longestDelayMs, previousMs * 2);
}
