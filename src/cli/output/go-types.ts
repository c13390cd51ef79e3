import { asGoMap, isRecord, Nil } from "../template/values.ts";
import { absentContainerFields, absentImageFields, absentVolumeFields, goLists, goMapFields } from "./absent-fields-table.ts";

/**
 * Gives a parsed answer the types that Docker's client has for it, so that a template prints as it does
 * there: maps know their keys' order and forgive missing ones, nil lists print as empty.
 */
function typed(value: unknown, path: string): unknown {
  if (value === null) return goLists.has(path) ? new Nil("[]") : goMapFields.has(path) ? new Nil("map[]") : null;
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, typed(one, path === "" ? key : `${path}.${key}`)] as const);
  const object = Object.fromEntries(entries);
  return goMapFields.has(path) ? asGoMap(object) : object;
}

export type InspectedKind = "container" | "image" | "network" | "volume" | "context";

export function typedValue(json: string): unknown {
  const value = typed(JSON.parse(json), "");
  // Docker's own name of the field; templates use both.
  if (isRecord(value) && "Id" in value) Object.defineProperty(value, "ID", { value: value["Id"], enumerable: false });
  return value;
}

const absentFields: Readonly<Record<InspectedKind, Readonly<Record<string, unknown>>>> = {
  container: absentContainerFields,
  image: absentImageFields,
  network: {},
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
