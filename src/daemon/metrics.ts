/**
 * Metrics in Prometheus' text form, in the families and labels that dockerd has, so that its dashboards work. They are
 * kept only when `--metrics-addr` is given: without it nothing here is loaded on any path of a request.
 */
import type { Backends } from "../api/api.ts";
import type { Events } from "../events/events.ts";
import type { SystemInfo } from "../spec/spec.ts";

const upperBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** Durations in seconds, counted in buckets, a set of these for each value of one label. */
class Histogram {
  readonly #label: string;
  readonly #series: Map<string, { readonly counts: number[]; sum: number; count: number }> = new Map();

  constructor(label: string, values: readonly string[]) {
    this.#label = label;
    for (const value of values) this.#series.set(value, { counts: upperBounds.map(() => 0), sum: 0, count: 0 });
  }

  observe(value: string, seconds: number): void {
    const series = this.#series.get(value);
    if (series === undefined) return;
    series.sum += seconds;
    series.count++;
    for (const [index, bound] of upperBounds.entries()) if (seconds <= bound) series.counts[index] = (series.counts[index] ?? 0) + 1;
  }

  lines(name: string): string[] {
    return [...this.#series].flatMap(([value, { counts, sum, count }]) => {
      const label = `${this.#label}="${value}"`;
      return [
        ...upperBounds.map((bound, index) => `${name}_bucket{${label},le="${bound}"} ${counts[index]}`),
        `${name}_bucket{${label},le="+Inf"} ${count}`,
        `${name}_sum{${label}} ${sum}`,
        `${name}_count{${label}} ${count}`,
      ];
    });
  }
}

export interface MetricSources {
  readonly info: () => Promise<SystemInfo>;
  readonly commit: string;
  readonly counts: () => { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly healthChecks: () => { readonly run: number; readonly failed: number };
  readonly events: Pick<Events, "published" | "readers">;
  /** The process as the kernel sees it. */
  readonly process: () => Promise<{ readonly openFiles: number; readonly maxFiles: number; readonly virtualBytes: number }>;
}

/** Methods of backends → dockerd's names of the actions. */
const containerActions = { changes: "changes", commit: "commit", create: "create", remove: "delete", start: "start" } as const;
const hostFunctions = { info: "system_info", version: "system_version" } as const;

export class Metrics {
  readonly #containers: Histogram = new Histogram("action", Object.values(containerActions));
  readonly #host: Histogram = new Histogram("function", Object.values(hostFunctions));

  /** The same backends, whose calls are timed. */
  timed(backends: Backends): Backends {
    return {
      ...backends,
      containers: timedMethods(backends.containers, containerActions, this.#containers),
      system: timedMethods(backends.system, hostFunctions, this.#host),
    };
  }

  /** The exposition: text/plain; version=0.0.4. */
  async text(sources: MetricSources): Promise<string> {
    const [info, own] = await Promise.all([sources.info(), sources.process()]);
    const counts = sources.counts();
    const checks = sources.healthChecks();
    const engine = {
      architecture: info.Architecture,
      commit: sources.commit,
      daemon_id: info.ID,
      graphdriver: info.Driver,
      kernel: info.KernelVersion,
      os: info.OperatingSystem,
      os_type: info.OSType,
      os_version: info.OSVersion,
      version: info.ServerVersion,
    };
    const cpu = process.cpuUsage();
    const families: readonly (readonly [name: string, type: "counter" | "gauge" | "histogram", help: string, lines: readonly string[]])[] =
      [
        [
          "engine_daemon_container_actions_seconds",
          "histogram",
          "The number of seconds it takes to process each container action",
          this.#containers.lines("engine_daemon_container_actions_seconds"),
        ],
        [
          "engine_daemon_container_states_containers",
          "gauge",
          "The count of containers in various states",
          (["paused", "running", "stopped"] as const).map(
            (state) => `engine_daemon_container_states_containers{state="${state}"} ${counts[state]}`,
          ),
        ],
        one("engine_daemon_engine_cpus_cpus", "gauge", "The number of cpus that the host system of the engine has", info.NCPU ?? 0),
        [
          "engine_daemon_engine_info",
          "gauge",
          "The information related to the engine and the OS it is running on",
          [`engine_daemon_engine_info{${labels(engine)}} 1`],
        ],
        one(
          "engine_daemon_engine_memory_bytes",
          "gauge",
          "The number of bytes of memory that the host system of the engine has",
          info.MemTotal ?? 0,
        ),
        one("engine_daemon_events_subscribers_total", "gauge", "The number of current subscribers to events", sources.events.readers),
        one("engine_daemon_events_total", "counter", "The number of events logged", sources.events.published),
        one("engine_daemon_health_checks_failed_total", "counter", "The total number of failed health checks", checks.failed),
        one("engine_daemon_health_checks_total", "counter", "The total number of health checks", checks.run),
        [
          "engine_daemon_host_info_functions_seconds",
          "histogram",
          "The number of seconds it takes to call functions gathering info about the host",
          this.#host.lines("engine_daemon_host_info_functions_seconds"),
        ],
        one("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", (cpu.user + cpu.system) / 1e6),
        one("process_max_fds", "gauge", "Maximum number of open file descriptors.", own.maxFiles),
        one("process_open_fds", "gauge", "Number of open file descriptors.", own.openFiles),
        one("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", process.memoryUsage.rss()),
        one("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", startSeconds),
        one("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", own.virtualBytes),
      ];
    return families.map(([name, type, help, lines]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`).join("");
  }
}

const startSeconds = Math.round(Date.now() - process.uptime() * 1000) / 1000;

function one(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: number,
): readonly [string, "counter" | "gauge", string, string[]] {
  return [name, type, help, [`${name} ${value}`]];
}

function labels(values: Readonly<Record<string, string | undefined>>): string {
  const quoted = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return Object.entries(values)
    .map(([name, value = ""]) => `${name}="${quoted(value)}"`)
    .join(",");
}

/** Calls that succeed are timed, as dockerd does. */
function timedMethods<T extends object>(backend: T, actions: Readonly<Record<string, string>>, histogram: Histogram): T {
  return new Proxy(backend, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      const action = typeof name === "string" ? actions[name] : undefined;
      if (action === undefined || typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        const start = performance.now();
        const result: unknown = await Reflect.apply(method, target, args);
        histogram.observe(action, (performance.now() - start) / 1000);
        return result;
      };
    },
  });
}
