import { invalidParameter } from "../base/base.ts";
import { networksOf } from "./inspect.ts";
import type { ContainerRecord } from "./record.ts";
import { endingOf, isActive, type Status } from "./state.ts";
import { portList } from "./summary.ts";

/** Decoded `filters`: key → values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

export interface FilterContext {
  /** An image's id by any reference; undefined: there is no such image. */
  imageId(reference: string): string | undefined;
  /** @throws NotFound */
  find(reference: string): ContainerRecord;
}

export interface ContainerFilter {
  /** The filter speaks about containers that do not run, so they are looked at too. */
  readonly wantsAll: boolean;
  matches(record: ContainerRecord): boolean;
}

const statuses: readonly Status[] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const healths = ["none", "starting", "healthy", "unhealthy"];

type Test = (record: ContainerRecord) => boolean;
type Make = (values: readonly string[], context: FilterContext) => Test;

/** Values of `name` and `id` are regular expressions, found anywhere. */
function patterns(values: readonly string[]): (text: string) => boolean {
  const shapes = values.map((value) => {
    try {
      return new RegExp(value);
    } catch {
      return { test: (text: string): boolean => text === value };
    }
  });
  return (text) => shapes.some((shape) => shape.test(text));
}

function booleanOf(key: string, values: readonly string[]): boolean {
  const value = values[0] ?? "";
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalidParameter(`invalid filter '${key}=[${values.join(" ")}]'`);
}

/** `80`, `80/udp`, `8000-8010/tcp` → `port/protocol` strings. */
function portsOf(key: string, values: readonly string[]): Set<string> {
  const ports = new Set<string>();
  for (const value of values) {
    const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(value);
    if (match === null) throw invalidParameter(`error while looking up for ${key} ${value}: invalid port specification`);
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last > 65535 || first > last) throw invalidParameter(`error while looking up for ${key} ${value}: invalid port range`);
    for (let port = first; port <= last; port++) ports.add(`${port}/${match[3] ?? "tcp"}`);
  }
  return ports;
}

function checked(key: string, values: readonly string[], allowed: readonly string[]): readonly string[] {
  for (const value of values) {
    if (allowed.includes(value)) continue;
    throw invalidParameter(key === "health" ? `unrecognized filter value for health: ${value}` : `invalid filter '${key}=${value}'`);
  }
  return values;
}

/** The one that bounds the list by age; with several values the last that is found counts, as in Docker. */
function bound(values: readonly string[], context: FilterContext): ContainerRecord | undefined {
  let found: ContainerRecord | undefined;
  for (const value of values) found = context.find(value);
  return found;
}

function labelTest(values: readonly string[]): Test {
  const wanted = values.map((value): [string, string | undefined] => {
    const equals = value.indexOf("=");
    return equals < 0 ? [value, undefined] : [value.slice(0, equals), value.slice(equals + 1)];
  });
  return (record) =>
    wanted.every(([key, value]) => {
      const label = record.settings.config.Labels?.[key];
      return label !== undefined && (value === undefined || label === value);
    });
}

const makers: Readonly<Record<string, Make>> = {
  ancestor: (values, context) => {
    const ids = new Set(values.map((value) => context.imageId(value)));
    return (record) => ids.has(record.settings.imageId);
  },
  before: (values, context) => {
    const limit = bound(values, context);
    return (record) => limit === undefined || record.createdNanos < limit.createdNanos;
  },
  since: (values, context) => {
    const limit = bound(values, context);
    return (record) => limit === undefined || record.createdNanos > limit.createdNanos;
  },
  exited: (values) => {
    const codes = new Set(
      values.map((value) => {
        if (!/^-?\d+$/.test(value)) throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
        return Number(value);
      }),
    );
    return (record) => record.status.state.status === "exited" && codes.has(endingOf(record.status.state).exitCode);
  },
  expose: (values) => {
    const ports = portsOf("expose", values);
    return (record) => Object.keys(record.settings.config.ExposedPorts ?? {}).some((port) => ports.has(port));
  },
  publish: (values) => {
    const ports = portsOf("publish", values);
    return (record) =>
      isActive(record.status.state) &&
      portList(record.status.network).some((port) => port.PublicPort !== undefined && ports.has(`${port.PublicPort}/${port.Type}`));
  },
  health: (values) => {
    const wanted = checked("health", values, healths);
    return (record) => wanted.includes(record.status.health?.Status ?? "none");
  },
  id: (values) => {
    const matches = patterns(values);
    return (record) => matches(record.id);
  },
  isolation: (values) => (record) => values.includes(record.settings.hostConfig.Isolation ?? ""),
  "is-task": (values) => {
    const wanted = booleanOf("is-task", values);
    return () => !wanted;
  },
  label: labelTest,
  name: (values) => {
    const matches = patterns(values);
    return (record) => matches(`/${record.name}`) || matches(record.name);
  },
  network: (values) => (record) =>
    Object.entries(networksOf(record)).some(([name, endpoint]) =>
      values.some((value) => value === name || (value !== "" && (endpoint.NetworkID ?? "").startsWith(value))),
    ),
  status: (values) => {
    const wanted = checked("status", values, statuses);
    return (record) => wanted.includes(record.status.state.status);
  },
  volume: (values) => (record) =>
    record.settings.mountPoints.some(
      (mount) => values.includes(mount.Destination ?? "") || values.includes(mount.Name || (mount.Source ?? "")),
    ),
};

/**
 * Makes one test out of all filters of a list.
 * @throws InvalidParameter `invalid filter 'x'` for keys and values that Docker does not have
 */
export function parseFilters(filters: Filters, context: FilterContext): ContainerFilter {
  const tests: Test[] = [];
  for (const [key, values] of filters) {
    const make = makers[key];
    if (make === undefined) throw invalidParameter(`invalid filter '${key}'`);
    if (values.length > 0) tests.push(make(values, context));
  }
  const wantsAll = (filters.get("status")?.length ?? 0) > 0 || (filters.get("exited")?.length ?? 0) > 0;
  return { wantsAll, matches: (record) => tests.every((test) => test(record)) };
}
