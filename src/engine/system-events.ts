import { type Filters, hasLabels } from "../base/base.ts";
import type { EventMessage } from "../spec/spec.ts";

const exact = (wanted: readonly string[] | undefined, value: string): boolean =>
  wanted === undefined || wanted.length === 0 || wanted.includes(value);

const prefix = (wanted: readonly string[] | undefined, value: string): boolean =>
  wanted === undefined || wanted.length === 0 || wanted.some((start) => value.startsWith(start));

/** These have the command or the state behind a colon; asked for without, they are meant with any. */
const withDetail: readonly string[] = ["health_status", "exec_create", "exec_start"];

function matchesAction(wanted: readonly string[] | undefined, action: string): boolean {
  const fuzzy = wanted?.some((value) => withDetail.includes(value)) === true;
  return fuzzy ? prefix(wanted, action) : exact(wanted, action);
}

/** `busybox:1.36` → `busybox`. A colon before a slash is a port. */
const withoutTag = (reference: string): string => reference.replace(/:[^:/]*$/, "");

function matchesImage(wanted: readonly string[] | undefined, message: EventMessage): boolean {
  const id = message.Actor?.ID ?? "";
  const name = message.Actor?.Attributes?.[message.Type === "image" ? "name" : "image"] ?? "";
  return [id, name, withoutTag(id), withoutTag(name)].some((value) => exact(wanted, value));
}

/** Whether `docker events --filter …` shows a message: all keys, and of each key any value (labels: all). */
export function matchesFilters(message: EventMessage, filters: Filters): boolean {
  const id = message.Actor?.ID ?? "";
  const attributes = message.Actor?.Attributes ?? {};
  const byName = (key: string): boolean => prefix(filters.get(key), id) || prefix(filters.get(key), attributes["name"] ?? "");
  return (
    matchesAction(filters.get("event"), message.Action ?? "") &&
    exact(filters.get("type"), message.Type ?? "") &&
    exact(filters.get("scope"), message.scope ?? "local") &&
    ["container", "daemon", "network", "volume", "plugin", "node", "service", "secret", "config"].every(byName) &&
    matchesImage(filters.get("image"), message) &&
    hasLabels(attributes, filters.get("label") ?? [])
  );
}
