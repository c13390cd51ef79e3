/** What a container's groups have used: the files of cgroup v1 and v2 read into one shape. Times are in nanoseconds. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cgroups } from "./freezer.ts";

export interface CpuUsage {
  readonly total: number;
  readonly kernel: number;
  readonly user: number;
  /** v1 only: of each possible CPU. */
  readonly each?: readonly number[];
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledTime: number;
}

export interface MemoryUsage {
  readonly usage: number;
  /** v1 only. */
  readonly peak?: number;
  /** Undefined: none of its own. */
  readonly limit?: number;
  /** How often the limit was hit (v1), or the killer called (v2). */
  readonly failures: number;
  /** memory.stat, line by line. Numbers that JavaScript cannot hold come as {@link JSON.rawJSON}. */
  readonly stat: Readonly<Record<string, number>>;
}

export interface BlockEntry {
  readonly major: number;
  readonly minor: number;
  /** v1: `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; v2: `read`, `write`. */
  readonly op: string;
  readonly value: number;
}

export interface CgroupUsage {
  readonly cpu?: CpuUsage;
  readonly memory?: MemoryUsage;
  readonly blockBytes?: readonly BlockEntry[];
  /** v1 only, as v2's count is no part of Docker's answer. */
  readonly blockOperations?: readonly BlockEntry[];
  readonly pids?: { readonly current: number /** Undefined: none. */; readonly limit?: number };
}

const ticksPerSecond = 100;
const nanosPerTick = 1e9 / ticksPerSecond;
const nanosPerMicro = 1000;

/** `memory.limit_in_bytes` of v1 when there is none: the greatest number of pages. Any above what memory can be will do. */
const noLimit = 2 ** 60;

async function text(directory: string | undefined, file: string): Promise<string | undefined> {
  if (directory === undefined) return undefined;
  return await readFile(join(directory, file), "utf8").catch(() => undefined);
}

/** Lines of `key number`. */
export function parseFlat(lines: string): Record<string, number> {
  const result: Record<string, number> = {};
  for (const line of lines.split("\n")) {
    const blank = line.indexOf(" ");
    if (blank > 0) result[line.slice(0, blank)] = Number(line.slice(blank + 1));
  }
  return result;
}

/** The language has it; the compiler's library does not know of it yet. To the encoder its value is a number. */
const { rawJSON } = JSON as unknown as { rawJSON(digits: string): number };

/** The same; a number that would be rounded keeps its digits into the JSON. */
function parseExactly(lines: string): Record<string, number> {
  const result = parseFlat(lines);
  for (const [key, value] of Object.entries(result)) {
    if (Number.isSafeInteger(value)) continue;
    const digits = new RegExp(`^${key} (\\d+)$`, "m").exec(lines)?.[1];
    if (digits !== undefined) result[key] = rawJSON(digits);
  }
  return result;
}

/** v1: lines of `8:0 Read 4096`; the total over all devices, which names none, is left out. */
export function parseBlockV1(lines: string): BlockEntry[] {
  return [...lines.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op = "", value]) => ({
    major: Number(major),
    minor: Number(minor),
    op,
    value: Number(value),
  }));
}

/** v2's io.stat: `8:0 rbytes=1 wbytes=2 rios=…`. */
export function parseBlockV2(lines: string): BlockEntry[] {
  return [...lines.matchAll(/^(\d+):(\d+) .*?\brbytes=(\d+) wbytes=(\d+)/gm)].flatMap(([, major, minor, read, write]) => [
    { major: Number(major), minor: Number(minor), op: "read", value: Number(read) },
    { major: Number(major), minor: Number(minor), op: "write", value: Number(write) },
  ]);
}

const optional = <Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } =>
  value === undefined ? {} : ({ [key]: value } as { [K in Key]?: Value });

/** `max` is no limit. */
function limitOf(value: string | undefined): number | undefined {
  const number = Number(value?.trim() ?? "max");
  return Number.isNaN(number) || number >= noLimit ? undefined : number;
}

async function pidsUsage(directory: string | undefined): Promise<CgroupUsage["pids"]> {
  const [current, limit] = await Promise.all([text(directory, "pids.current"), text(directory, "pids.max")]);
  return current === undefined ? undefined : { current: Number(current), ...optional("limit", limitOf(limit)) };
}

async function cpuV1(cgroups: Cgroups): Promise<CpuUsage | undefined> {
  const [total, each, split, throttling] = await Promise.all([
    text(cgroups["cpuacct"], "cpuacct.usage"),
    text(cgroups["cpuacct"], "cpuacct.usage_percpu"),
    text(cgroups["cpuacct"], "cpuacct.stat"),
    text(cgroups["cpu"], "cpu.stat"),
  ]);
  if (total === undefined) return undefined;
  const times = parseFlat(split ?? "");
  const stat = parseFlat(throttling ?? "");
  return {
    total: Number(total),
    kernel: (times["system"] ?? 0) * nanosPerTick,
    user: (times["user"] ?? 0) * nanosPerTick,
    ...optional("each", each?.trim().split(/\s+/).map(Number)),
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    throttledTime: stat["throttled_time"] ?? 0,
  };
}

async function cpuV2(directory: string): Promise<CpuUsage | undefined> {
  const lines = await text(directory, "cpu.stat");
  if (lines === undefined) return undefined;
  const stat = parseFlat(lines);
  const time = (key: string): number => (stat[key] ?? 0) * nanosPerMicro;
  return {
    total: time("usage_usec"),
    kernel: time("system_usec"),
    user: time("user_usec"),
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    throttledTime: time("throttled_usec"),
  };
}

async function memoryV1(directory: string | undefined): Promise<MemoryUsage | undefined> {
  const [usage, peak, limit, failures, stat] = await Promise.all(
    ["memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes", "memory.failcnt", "memory.stat"].map((file) =>
      text(directory, file),
    ),
  );
  if (usage === undefined) return undefined;
  return {
    usage: Number(usage),
    ...optional("peak", peak === undefined ? undefined : Number(peak)),
    ...optional("limit", limitOf(limit)),
    failures: Number(failures ?? 0),
    stat: parseExactly(stat ?? ""),
  };
}

async function memoryV2(directory: string): Promise<MemoryUsage | undefined> {
  const [usage, limit, events, stat] = await Promise.all(
    ["memory.current", "memory.max", "memory.events", "memory.stat"].map((file) => text(directory, file)),
  );
  if (usage === undefined) return undefined;
  return {
    usage: Number(usage),
    ...optional("limit", limitOf(limit)),
    failures: parseFlat(events ?? "")["oom"] ?? 0,
    stat: parseExactly(stat ?? ""),
  };
}

/** Undefined parts are those whose controller is not there; all of them are when the container has ended. */
export async function readCgroupUsage(cgroups: Cgroups): Promise<CgroupUsage> {
  const unified = cgroups[""];
  if (unified === undefined) {
    const [cpu, memory, pids, bytes, operations] = await Promise.all([
      cpuV1(cgroups),
      memoryV1(cgroups["memory"]),
      pidsUsage(cgroups["pids"]),
      text(cgroups["blkio"], "blkio.throttle.io_service_bytes_recursive"),
      text(cgroups["blkio"], "blkio.throttle.io_serviced_recursive"),
    ]);
    const [blockBytes, blockOperations] = [bytes, operations].map((lines) => (lines === undefined ? undefined : parseBlockV1(lines)));
    return {
      ...optional("cpu", cpu),
      ...optional("memory", memory),
      ...optional("pids", pids),
      ...optional("blockBytes", blockBytes),
      ...optional("blockOperations", blockOperations),
    };
  }
  const [cpu, memory, pids, io] = await Promise.all([cpuV2(unified), memoryV2(unified), pidsUsage(unified), text(unified, "io.stat")]);
  return {
    ...optional("cpu", cpu),
    ...optional("memory", memory),
    ...optional("pids", pids),
    ...optional("blockBytes", io === undefined ? undefined : parseBlockV2(io)),
  };
}
