/**
 * Health checks: while a container with a check runs and is not paused, its probe is executed as an exec session
 * of its own, one after the other. A container without a check costs nothing here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration, formatNanos, log, messageOf, nowNanos } from "../base/base.ts";
import {
  afterProbe,
  isActive,
  type ProbeResult,
  probeCommand,
  probeDelayMs,
  probeTimeoutMs,
  startingHealth,
  unwatchedHealth,
} from "../containers/containers.ts";
import type { ExecSession } from "../kernel/kernel.ts";
import { sigkill } from "../kernel/signals.ts";
import type { EngineContext } from "./context.ts";
import { addExec, forgetExec, launchExec } from "./exec-sessions.ts";
import type { LiveContainer } from "./live-container.ts";
import { ProbeOutput } from "./probe-output.ts";

/** setTimeout takes 31 bits of milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/** The container has started, or was found running: its health is not known yet. */
export function startHealthChecks(context: EngineContext, live: LiveContainer): void {
  const { config } = live.record.settings;
  const health = startingHealth(config, live.record.status.health);
  if (health === undefined) return;
  context.store.note(live.record, { health });
  resumeHealthChecks(context, live);
}

/** Goes on with the checks of a container that runs (again). */
export function resumeHealthChecks(context: EngineContext, live: LiveContainer): void {
  const command = probeCommand(live.record.settings.config);
  if (command === undefined || live.endHealthChecks !== undefined || live.record.status.state.status !== "running") return;
  const controller = new AbortController();
  live.endHealthChecks = () => controller.abort();
  const check = { live, command, signal: controller.signal };
  context.inBackground("checking a container's health", repeat(context, check));
}

/** It pauses or has ended: a probe that is under way no longer counts. */
export function suspendHealthChecks(context: EngineContext, live: LiveContainer): void {
  if (live.endHealthChecks === undefined) return;
  live.endHealthChecks();
  live.endHealthChecks = undefined;
  context.store.note(live.record, unwatchedHealth(live.record.status.health));
}

interface Check {
  readonly live: LiveContainer;
  readonly command: readonly string[];
  readonly signal: AbortSignal;
}

async function repeat(context: EngineContext, check: Check): Promise<void> {
  const { live, signal } = check;
  const { config } = live.record.settings;
  for (;;) {
    const { state, health } = live.record.status;
    await wait(probeDelayMs(config, health, state.startedAt, Date.now()), signal);
    if (signal.aborted) return;
    const result = await probe(context, check);
    if (signal.aborted) return;
    record(context, live, result);
  }
}

/** Less than the time when the signal aborts. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  for (let left = ms; left > 0 && !signal.aborted; left -= longestTimerMs) {
    await sleep(Math.min(left, longestTimerMs), undefined, { signal, ref: false }).catch(() => undefined);
  }
}

function record(context: EngineContext, live: LiveContainer, result: ProbeResult): void {
  const { state, health: before } = live.record.status;
  if (before === undefined || !isActive(state)) return;
  const health = afterProbe(live.record.settings.config, before, result, state.startedAt);
  context.store.note(live.record, { health });
  if (health.Status !== before.Status) context.publish(live, `health_status: ${health.Status}`);
}

async function probe(context: EngineContext, check: Check): Promise<ProbeResult> {
  const { live, command, signal } = check;
  const Start = formatNanos(nowNanos());
  const result = (ExitCode: number, Output: string): ProbeResult => ({ Start, End: formatNanos(nowNanos()), ExitCode, Output });
  context.healthChecks.run++;
  try {
    const { config } = live.record.settings;
    const exec = addExec(context, live, { Cmd: [...command], AttachStdout: true, AttachStderr: true });
    try {
      const { session, recorded } = await launchExec(context, live, exec, { tty: false, detach: false });
      const output = new ProbeOutput();
      session.stream.on("data", (chunk: Buffer) => output.take(chunk));
      session.stream.end();
      const timeoutMs = probeTimeoutMs(config);
      const exitCode = await endWithin(session, timeoutMs, signal);
      await recorded;
      if (exitCode !== undefined) return result(exitCode, output.text());
      const printed = output.text();
      return result(-1, `Health check exceeded timeout (${formatDuration(timeoutMs * 1_000_000)})${printed === "" ? "" : `: ${printed}`}`);
    } finally {
      forgetExec(context, live, exec);
    }
  } catch (error) {
    context.healthChecks.failed++;
    if (!signal.aborted) log.warn("a health check could not be run", { container: live.id, error: messageOf(error) });
    return result(-1, messageOf(error));
  }
}

/** @returns the exit code; undefined when the time was up, or the check was called off, and the probe was killed */
async function endWithin(session: ExecSession, timeoutMs: number, signal: AbortSignal): Promise<number | undefined> {
  const late = Promise.withResolvers<undefined>();
  const giveUp = (): void => late.resolve(undefined);
  const timer = setTimeout(giveUp, Math.min(timeoutMs, longestTimerMs));
  signal.addEventListener("abort", giveUp, { once: true });
  const streamEnd = new Promise((resolve) => session.stream.once("end", resolve).once("close", resolve));
  const ended = Promise.all([session.exited, streamEnd]).then(([{ exitCode }]) => exitCode);
  try {
    const exitCode = signal.aborted ? undefined : await Promise.race([ended, late.promise]);
    if (exitCode !== undefined) return exitCode;
    // Probes must not pile up: the next one waits for the end of this one.
    await session.signal(sigkill).catch(() => undefined);
    await session.exited;
    return undefined;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
    session.stream.destroy();
  }
}
