import { EngineError, isEngineError, notModified } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { parseSignal, sigkill } from "../kernel/signals.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer, Run } from "./live-container.ts";
import { resumeToEnd } from "./pause-container.ts";
import { abandonRestart } from "./restart-policy.ts";

const lastWordSeconds = 2;
/** setTimeout takes 31 bits of milliseconds. Who waits for weeks waits for ever. */
const longestTimerSeconds = (2 ** 31 - 1) / 1000;

export interface StopOptions {
  readonly signal?: string;
  /** -1 waits for ever; undefined: the container's own, else the daemon's. */
  readonly timeoutSeconds?: number;
}

/** `POST /containers/x/stop`. @throws NotModified when it does not run */
export async function stopContainer(context: EngineContext, reference: string, options: StopOptions): Promise<void> {
  const live = context.find(reference);
  // A start that is under way is let through first; the wait for the end holds nobody up.
  const { abandoned, run } = await live.lock.run(async () => ({ abandoned: abandonRestart(context, live), run: running(live) }));
  if (abandoned) return context.publish(live, "stop");
  if (run === undefined) throw notModified(`container ${live.id} is not running`);
  try {
    await stopRun(context, live, run, options);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    throw new EngineError(error.code, `cannot stop container: ${reference}: ${error.message}`, { cause: error });
  }
}

function running(live: LiveContainer): Run | undefined {
  return isActive(live.record.status.state) ? live.run : undefined;
}

/** Signals, waits, kills. Resolves when the container has ended and its network is released. */
export async function stopRun(context: EngineContext, live: LiveContainer, run: Run, options: StopOptions): Promise<void> {
  const { config } = live.record.settings;
  const signal = parseSignal(options.signal || config.StopSignal || "SIGTERM");
  const timeoutSeconds = options.timeoutSeconds ?? config.StopTimeout ?? context.stopTimeoutSeconds;
  if (!context.stopping) context.store.update(live.record, { stoppedByUser: true });
  await send(context, live, run, signal);
  if (!(await endsWithin(run, timeoutSeconds))) await send(context, live, run, sigkill);
  await run.finished;
  context.publish(live, "stop");
}

/** Sends a signal and says so; a container that has ended meanwhile is fine. */
export async function send(context: EngineContext, live: LiveContainer, run: Run, signal: number): Promise<void> {
  const wakes = live.record.status.state.status === "paused" && meansEnd(live, signal);
  if (signal === sigkill) run.killed = true;
  try {
    const sent = run.running.monitor.signal(signal);
    context.publish(live, "kill", { signal: String(signal) });
    await Promise.all([sent, wakes ? resumeToEnd(context, live, run.running.cgroups, signal === sigkill) : undefined]);
  } catch (error) {
    if (isEngineError(error, "NotFound")) return;
    if (!(await hasEnded(live, run))) throw error;
  }
}

/** Has something failed because the container has just ended? A monitor that has gone has left its last word, which is being read. */
export async function hasEnded(live: LiveContainer, run: Run): Promise<boolean> {
  const isOver = (): boolean => live.run !== run || !isActive(live.record.status.state);
  if (!isOver()) await endsWithin(run, lastWordSeconds);
  return isOver();
}

/**
 * Is this signal meant to end the container? As in Docker: SIGKILL, the container's own stop signal, and where it has
 * none, any. A paused container goes on because of it, and no policy starts it again.
 */
export function meansEnd(live: LiveContainer, signal: number): boolean {
  const { StopSignal } = live.record.settings.config;
  return signal === sigkill || !StopSignal || parseSignal(StopSignal) === signal;
}

async function endsWithin(run: Run, seconds: number): Promise<boolean> {
  if (seconds < 0 || seconds > longestTimerSeconds) {
    await run.exited;
    return true;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000, false);
  });
  try {
    return await Promise.race([run.exited.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
