import { booleanFilter, type Filters, hasLabels, invalidParameter, messageOf } from "../base/base.ts";
import { networksOf } from "./inspect.ts";
import type { ContainerRecord } from "./record.ts";
import { endingOf, isActive, isStopped, type Status } from "./state.ts";
import { portList } from "./summary.ts";

export interface FilterContext {
  /** The images that a reference stands for. Layers are base first. */
  images(reference: string): readonly { readonly id: string; readonly layers: readonly string[] }[];
  /** By full id or name. @throws NotFound */
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

function portNumber(text: string): number {
  const quoted = JSON.stringify(text);
  if (!/^\d+$/.test(text)) throw invalidParameter(`strconv.ParseUint: parsing ${quoted}: invalid syntax`);
  if (Number(text) > 65535) throw invalidParameter(`strconv.ParseUint: parsing ${quoted}: value out of range`);
  return Number(text);
}

/** `80` → `80/tcp`, `8000-8001/udp` → `8000/udp` and `8001/udp`. @throws InvalidParameter with Docker's wording */
function portsOf(key: string, value: string): string[] {
  if (value.includes(":")) throw invalidParameter(`filter for '${key}' should not contain ':': ${value}`);
  const [range = "", protocol = ""] = value.split("/");
  try {
    if (range === "") throw invalidParameter("empty string specified for ports");
    const [first = 0, last = first] = range.split("-", 2).map(portNumber);
    if (last < first) throw invalidParameter(`invalid range specified for port: ${range}`);
    return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol || "tcp"}`);
  } catch (error) {
    throw invalidParameter(`error while looking up for ${key} ${value}: ${messageOf(error)}`, error);
  }
}

/** Of a running container: one of its published ports, or one of its own. Both filters together ask for either. */
function portTest(filters: Filters): Test | undefined {
  const published = new Set((filters.get("publish") ?? []).flatMap((value) => portsOf("publish", value)));
  const exposed = new Set((filters.get("expose") ?? []).flatMap((value) => portsOf("expose", value)));
  if (published.size + exposed.size === 0) return undefined;
  return (record) =>
    isActive(record.status.state) &&
    portList(record.status.network).some(
      ({ PublicPort, PrivatePort, Type }) => published.has(`${PublicPort ?? 0}/${Type}`) || exposed.has(`${PrivatePort}/${Type}`),
    );
}

function checked(key: string, values: readonly string[], allowed: readonly string[]): readonly string[] {
  for (const value of values) {
    if (allowed.includes(value)) continue;
    throw invalidParameter(key === "health" ? `unrecognized filter value for health: ${value}` : `invalid filter '${key}=${value}'`);
  }
  return values;
}

/** The one that bounds the list by age; with several values the last counts, as in Docker. */
function bound(values: readonly string[], context: FilterContext): ContainerRecord | undefined {
  let found: ContainerRecord | undefined;
  for (const value of values) found = context.find(value);
  return found;
}

const makers: Readonly<Record<string, Make>> = {
  ancestor: (values, context) => {
    const images = values.flatMap((value) => context.images(value));
    return ({ settings }) =>
      images.some(
        ({ id, layers }) =>
          settings.imageId === id || (layers.length < settings.layers.length && layers.every((layer, at) => settings.layers[at] === layer)),
      );
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
        if (!/^-?\d+$/.test(value))
          throw invalidParameter(`invalid filter 'exited=${value}': strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
        return Number(value);
      }),
    );
    return ({ status }) => isStopped(status.state) && status.everStarted && codes.has(endingOf(status.state).exitCode);
  },
  // Both are one test: see portTest.
  expose: () => () => true,
  publish: () => () => true,
  health: (values) => {
    const wanted = checked("health", values, healths);
    return (record) => wanted.includes(record.status.health?.Status ?? "none");
  },
  id: (values) => {
    const matches = patterns(values);
    return (record) => matches(record.id);
  },
  // Means something on Windows only.
  isolation: () => () => true,
  "is-task": (values) => {
    const wanted = booleanFilter("is-task", values);
    return () => wanted !== true;
  },
  label: (values) => (record) => hasLabels(record.settings.config.Labels, values),
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
    const make = Object.hasOwn(makers, key) ? makers[key] : undefined;
    if (make === undefined) throw invalidParameter(`invalid filter '${key}'`);
    if (values.length > 0) tests.push(make(values, context));
  }
  const ports = portTest(filters);
  if (ports !== undefined) tests.push(ports);
  const wantsAll = (filters.get("status")?.length ?? 0) > 0;
  return { wantsAll, matches: (record) => tests.every((test) => test(record)) };
}
