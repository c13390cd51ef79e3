import { invalidParameter } from "../base/base.ts";
import type { ContainerConfig, HealthConfig } from "../spec/spec.ts";

/** One probe, as inspect lists it. Times are RFC 3339. */
export interface ProbeResult {
  readonly Start: string;
  readonly End: string;
  /** -1: the probe could not be started, or did not end in time. */
  readonly ExitCode: number;
  readonly Output: string;
}

/** `State.Health` of `docker inspect`. */
export interface Health {
  readonly Status: "starting" | "healthy" | "unhealthy";
  readonly FailingStreak: number;
  /** The last five, oldest first. */
  readonly Log: readonly ProbeResult[];
}

const nanosPerMillisecond = 1_000_000;
const loggedProbes = 5;
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startIntervalMs: 5_000, retries: 3 } as const;
const defaultShell: readonly string[] = ["/bin/sh", "-c"];

function milliseconds(nanos: number | undefined, otherwise: number): number {
  return nanos === undefined || nanos === 0 ? otherwise : nanos / nanosPerMillisecond;
}

/** What a probe executes; undefined: the container's health is not checked. */
export function probeCommand(config: ContainerConfig): readonly string[] | undefined {
  const [kind, ...words] = config.Healthcheck?.Test ?? [];
  if (kind === "CMD") return words;
  if (kind !== "CMD-SHELL") return undefined;
  const shell = config.Shell ?? [];
  return [...(shell.length === 0 ? defaultShell : shell), ...words];
}

export function probeTimeoutMs(config: ContainerConfig): number {
  return milliseconds(config.Healthcheck?.Timeout, defaults.timeoutMs);
}

/** How long to wait before the next probe; in the start period it may be another time, until the first success. */
export function probeDelayMs(config: ContainerConfig, health: Health | undefined, startedAt: string, nowMs: number): number {
  const check = config.Healthcheck ?? {};
  const starting = health?.Status === "starting" && nowMs - Date.parse(startedAt) < milliseconds(check.StartPeriod, 0);
  return starting ? milliseconds(check.StartInterval, defaults.startIntervalMs) : milliseconds(check.Interval, defaults.intervalMs);
}

/** The health of a container that starts now; undefined without a check. What earlier runs logged stays. */
export function startingHealth(config: ContainerConfig, before: Health | undefined): Health | undefined {
  if (probeCommand(config) === undefined) return undefined;
  return { Status: "starting", FailingStreak: 0, Log: before?.Log ?? [] };
}

/** A container that is not looked at, paused or ended, counts as unhealthy. */
export function unwatchedHealth(health: Health | undefined): { readonly health?: Health } {
  return health === undefined ? {} : { health: { ...health, Status: "unhealthy" } };
}

/** The health after one more probe. Failures of the start period do not count. */
export function afterProbe(config: ContainerConfig, before: Health, result: ProbeResult, startedAt: string): Health {
  const Log = [...before.Log, result].slice(-loggedProbes);
  if (result.ExitCode === 0) return { Status: "healthy", FailingStreak: 0, Log };
  const check = config.Healthcheck ?? {};
  const age = Date.parse(result.Start) - Date.parse(startedAt);
  if (before.Status === "starting" && age < milliseconds(check.StartPeriod, 0)) return { ...before, Log };
  const FailingStreak = before.FailingStreak + 1;
  const retries = (check.Retries ?? 0) > 0 ? (check.Retries ?? 0) : defaults.retries;
  return { Status: FailingStreak >= retries ? "unhealthy" : before.Status, FailingStreak, Log };
}

const durations = ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const;

/** What the user leaves open is the image's; values that say nothing are left out, as dockerd does. */
export function mergeHealthcheck(user: HealthConfig | null | undefined, image: HealthConfig | null | undefined): HealthConfig | undefined {
  if ((user === undefined || user === null) && (image === undefined || image === null)) return undefined;
  const [own, base] = [user ?? {}, image ?? {}] as Readonly<Record<string, number | string[] | undefined>>[];
  const merged: Record<string, unknown> = {};
  const test = user?.Test ?? [];
  const command = test.length > 0 ? test : (image?.Test ?? []);
  if (command.length > 0) merged["Test"] = command;
  for (const key of [...durations, "Retries"]) {
    const value = own?.[key] || base?.[key];
    if (value) merged[key] = value;
  }
  return merged as HealthConfig;
}

/** @throws InvalidParameter in Docker's words */
export function checkHealthcheck(health: HealthConfig | undefined): void {
  if (health === undefined) return;
  const values = health as Readonly<Record<string, number | undefined>>;
  const checkDuration = (key: string): void => {
    const value = values[key] ?? 0;
    if (value !== 0 && value < nanosPerMillisecond) throw invalidParameter(`${key} in Healthcheck cannot be less than 1ms`);
  };
  checkDuration("Interval");
  checkDuration("Timeout");
  if ((health.Retries ?? 0) < 0) throw invalidParameter("Retries in Healthcheck cannot be negative");
  checkDuration("StartPeriod");
  checkDuration("StartInterval");
}
