import { asGoMap, asGoStruct, GoTime, isRecord, Nil } from "../template/values.ts";
import {
  absentContainerFields,
  absentImageFields,
  absentNetworkFields,
  absentVolumeFields,
  goFieldNames,
  goLists,
  goMapFields,
  goStructFields,
  imageConfigFields,
} from "./absent-fields-table.ts";
import { goTimeString } from "./text.ts";

/**
 * Gives a parsed answer the types that Docker's client has for it, so that a template prints as it does
 * there: maps know their keys' order and forgive missing ones, nil lists print as empty.
 */
function typed(value: unknown, path: string): unknown {
  if (value === null) return goLists.has(path) ? new Nil("[]") : goMapFields.has(path) ? new Nil("map[]") : null;
  if (Array.isArray(value)) return value.map((one) => typed(one, `${path}.*`));
  if (!isRecord(value)) return value;
  const isMap = goMapFields.has(path);
  const inner = (key: string): string => (path === "" ? key : `${path}.${isMap ? "*" : key}`);
  const object = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, typed(one, inner(key))] as const));
  return isMap ? asGoMap(object) : asStruct(object, path);
}

/** Fields that the document leaves out, or names otherwise, are there for templates alone. */
function asStruct(object: Record<string, unknown>, path: string): Record<string, unknown> {
  const fields = goStructFields[path];
  if (fields === undefined) return object;
  for (const [name, json, empty] of fields) {
    if (Object.hasOwn(object, name)) continue;
    hide(object, name, Object.hasOwn(object, json) ? object[json] : empty === "map" ? new Nil("map[]") : empty);
  }
  return asGoStruct(
    object,
    fields.map(([name]) => name),
  );
}

export type InspectedKind = "container" | "image" | "network" | "volume" | "context";

const isEmpty = (value: unknown): boolean =>
  value === null || value === "" || value === false || (typeof value === "object" && Object.keys(value).length === 0);

/** Docker's type of an image's configuration knows what the OCI's has, and leaves out what is empty. */
function imageConfig(value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(imageConfigFields.flatMap((name) => (isEmpty(value[name] ?? null) ? [] : [[name, value[name]]])));
}

/** Gives a record a field that templates can read and JSON does not show. */
function hide(record: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(record, name, { value, enumerable: false });
}

/** Fields of the API under the names that they have in Go, which templates use, where these differ. */
export function withGoNames(record: Record<string, unknown>): Record<string, unknown> {
  const own = { ...record };
  for (const [field, name] of goFieldNames) if (Object.hasOwn(own, field)) hide(own, name, own[field]);
  return own;
}

export function typedValue(kind: InspectedKind, json: string): unknown {
  const document: unknown = JSON.parse(json);
  const image = kind === "image" && isRecord(document) && isRecord(document["Config"]);
  const value = typed(image ? { ...document, Config: imageConfig(document["Config"]) } : document, "");
  // Docker's own name of the field; templates use both.
  if (isRecord(value) && "Id" in value) hide(value, "ID", value["Id"]);
  if (kind === "network" && isRecord(value) && typeof value["Created"] === "string")
    value["Created"] = new GoTime(value["Created"], goTimeString(value["Created"]));
  const mounts = kind === "container" && isRecord(value) ? value["Mounts"] : undefined;
  if (Array.isArray(mounts))
    for (const mount of mounts)
      for (const name of ["Name", "Source", "Driver"]) if (isRecord(mount) && !(name in mount)) hide(mount, name, "");
  return value;
}

const absentFields: Readonly<Record<InspectedKind, Readonly<Record<string, unknown>>>> = {
  container: absentContainerFields,
  image: absentImageFields,
  network: absentNetworkFields,
  volume: absentVolumeFields,
  context: {},
};

/** What Docker's typed answer has in fields that the document leaves out; undefined for fields that it has not. */
export function absentField(kind: InspectedKind, path: readonly string[]): unknown {
  const table = absentFields[kind];
  const name = path.join(".");
  if (!Object.hasOwn(table, name)) return undefined;
  const value = table[name];
  if (Array.isArray(value) && value.length === 0) return new Nil("[]");
  return isRecord(value) && Object.keys(value).length === 0 ? new Nil("map[]") : value;
}
