import { humanDuration } from "../base/base.ts";
import type { ContainerSummary, NetworkSettings, PortSummary } from "../spec/spec.ts";
import type { Health } from "./health.ts";
import type { ContainerRecord } from "./record.ts";
import { type ContainerState, isActive } from "./state.ts";

const nanosPerSecond = 1_000_000_000n;

function since(time: string, nowMs: number): string {
  return humanDuration(Math.max(0, nowMs - Date.parse(time)) / 1000);
}

function healthText(health: Health | undefined): string {
  if (health === undefined) return "";
  return health.Status === "starting" ? " (health: starting)" : ` (${health.Status})`;
}

/** The STATUS column: `Up 3 minutes`, `Exited (0) 5 seconds ago`, `Created`, … */
export function statusText(state: ContainerState, nowMs: number, health?: Health): string {
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${since(state.startedAt, nowMs)}${healthText(health)}`;
    case "paused":
      return `Up ${since(state.startedAt, nowMs)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${since(state.finishedAt, nowMs)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "exited":
      return `Exited (${state.exitCode}) ${since(state.finishedAt, nowMs)} ago`;
  }
}

/** Path and arguments in one line; arguments with spaces get quotes. */
export function commandText(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}

/** The ports of a running container, published ones with their host side. */
export function portList(settings: NetworkSettings | undefined): PortSummary[] {
  const list: PortSummary[] = [];
  for (const [key, bindings] of Object.entries(settings?.Ports ?? {})) {
    const [port, protocol = "tcp"] = key.split("/");
    const common = { PrivatePort: Number(port), Type: protocol as PortSummary["Type"] };
    if (bindings === null || bindings.length === 0) list.push(common);
    for (const binding of bindings ?? []) {
      list.push({ IP: binding.HostIp ?? "", PrivatePort: common.PrivatePort, PublicPort: Number(binding.HostPort), Type: common.Type });
    }
  }
  return list;
}

export interface SummaryOptions {
  readonly nowMs: number;
  /** The image's name as given, or its id when the name means another image by now. */
  readonly imageName: string;
  /** Further names, by links of others. */
  readonly linkNames?: readonly string[];
  readonly networks: NonNullable<NetworkSettings["Networks"]>;
  readonly sizes?: { readonly rw: number; readonly rootFs: number };
}

function annotations(given: Readonly<Record<string, string>> | undefined): { Annotations?: Record<string, string> } {
  return given === undefined || given === null || Object.keys(given).length === 0 ? {} : { Annotations: { ...given } };
}

/** One entry of `GET /containers/json`. */
export function summarize(record: ContainerRecord, options: SummaryOptions): ContainerSummary {
  const { settings } = record;
  const state = record.status.state;
  const summary = {
    Id: record.id,
    Names: [`/${record.name}`, ...(options.linkNames ?? [])].sort(),
    Image: options.imageName,
    ImageID: settings.imageId,
    Command: commandText(settings.path, settings.args),
    Created: Number(record.createdNanos / nanosPerSecond),
    Ports: isActive(state) ? portList(record.status.network) : [],
    ...(options.sizes === undefined
      ? {}
      : { ...(options.sizes.rw === 0 ? {} : { SizeRw: options.sizes.rw }), SizeRootFs: options.sizes.rootFs }),
    Labels: settings.config.Labels ?? {},
    State: state.status,
    Status: statusText(state, options.nowMs, record.status.health),
    HostConfig: { NetworkMode: settings.hostConfig.NetworkMode ?? "", ...annotations(settings.hostConfig.Annotations) },
    NetworkSettings: { Networks: options.networks },
    Mounts: [...settings.mountPoints],
  };
  return summary as ContainerSummary;
}
