/** The daemon as a whole: version, info, events, shutdown. */
import { release } from "node:os";
import type { Events } from "../events/events.ts";
import type { BuildPruneResponse, EventMessage, SystemDataUsageResponse, SystemInfo, SystemVersion } from "../spec/spec.ts";
import { diskUsage, type UsagePart, type UsagePorts } from "./disk-usage.ts";
import { matchesFilters } from "./system-events.ts";
import { type InfoSources, systemInfo } from "./system-info.ts";

export interface SystemPorts extends Omit<InfoSources, "eventReaders"> {
  readonly events: Events;
  readonly usage: UsagePorts;
  /** Aborts when the daemon ends: streams of events end with it. */
  readonly closing: AbortSignal;
  readonly apiVersion: string;
  readonly minimumApiVersion: string;
  /** Stops all containers. */
  readonly stopAll: () => Promise<void>;
  /** Asks the daemon to end, soon: the answer to the request is still to be sent. */
  readonly endSoon: () => void;
}

export interface EngineSystem {
  info(): Promise<SystemInfo>;
  version(): Promise<SystemVersion>;
  diskUsage(parts: ReadonlySet<UsagePart>): Promise<SystemDataUsageResponse>;
  pruneBuildCache(): Promise<BuildPruneResponse>;
  events(
    options: { since?: bigint; until?: bigint; filters: ReadonlyMap<string, readonly string[]> },
    signal: AbortSignal,
  ): AsyncIterable<EventMessage>;
  shutdown(options: { stop: boolean }): Promise<void>;
}

export function openSystemBackend(ports: SystemPorts): EngineSystem {
  return {
    info: () => systemInfo({ ...ports, eventReaders: () => ports.events.readers }),
    version: async () => versionOf(ports),
    diskUsage: (parts) => diskUsage(ports.usage, parts),
    pruneBuildCache: async () => {
      // There is no build cache: nothing is built in this version.
      ports.events.publish("builder", "prune", "", { reclaimed: "0" });
      return { CachesDeleted: null, SpaceReclaimed: 0 } as unknown as BuildPruneResponse;
    },
    events: ({ since, until, filters }, signal) => {
      const range = { ...(since === undefined ? {} : { sinceNanos: since }), ...(until === undefined ? {} : { untilNanos: until }) };
      // Subscribed at once: what happens before the first read is not missed.
      return filtered(ports.events.subscribe(range, AbortSignal.any([signal, ports.closing])), filters);
    },
    shutdown: async ({ stop }) => {
      if (stop) await ports.stopAll();
      ports.endSoon();
    },
  };
}

async function* filtered(
  source: AsyncIterable<EventMessage>,
  filters: ReadonlyMap<string, readonly string[]>,
): AsyncGenerator<EventMessage> {
  for await (const message of source) if (matchesFilters(message, filters)) yield message;
}

function versionOf(ports: SystemPorts): SystemVersion {
  const { apiVersion, minimumApiVersion } = ports;
  const daemon = ports.daemon();
  const about = {
    GitCommit: daemon.commit,
    // The language's version, where Docker's clients look for it.
    GoVersion: `node${process.versions.node}`,
    Os: "linux",
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    KernelVersion: release(),
    BuildTime: daemon.builtAt,
  };
  const versions = { ApiVersion: apiVersion, MinAPIVersion: minimumApiVersion };
  return {
    Platform: { Name: "Berth" },
    Components: [{ Name: "Engine", Version: daemon.version, Details: { ...versions, ...about, Experimental: "false" } }],
    Version: daemon.version,
    ...versions,
    ...about,
  };
}
