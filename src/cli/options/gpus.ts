import type { HostConfig } from "../../spec/spec.ts";
import { csvFields } from "./csv.ts";
import { pairsToMap } from "./files.ts";

type DeviceRequest = NonNullable<HostConfig["DeviceRequests"]>[number];

function parseOne(text: string): DeviceRequest {
  const request: { Driver: string; Count: number; DeviceIDs: string[]; Capabilities: string[][]; Options: Record<string, string> } = {
    Driver: "",
    Count: 0,
    DeviceIDs: [],
    Capabilities: [["gpu"]],
    Options: {},
  };
  let counted = false;
  for (const field of csvFields(text)) {
    const equals = field.indexOf("=");
    const key = equals < 0 ? "count" : field.slice(0, equals);
    const value = equals < 0 ? field : field.slice(equals + 1);
    switch (key) {
      case "driver":
        request.Driver = value;
        break;
      case "count":
        if (value !== "all" && !/^-?\d+$/.test(value))
          throw new Error(`invalid count (${value}): value must be either "all" or an integer`);
        request.Count = value === "all" ? -1 : Number(value);
        counted = true;
        break;
      case "device":
        request.DeviceIDs.push(...value.split(","));
        break;
      case "capabilities":
        request.Capabilities = [[...new Set([...value.split(","), "gpu"])]];
        break;
      case "options":
        Object.assign(request.Options, pairsToMap(value.split(",")));
        break;
      default:
        throw new Error(`unexpected key '${key}' in '${field}'`);
    }
  }
  if (!counted && request.DeviceIDs.length === 0) request.Count = 1;
  return request;
}

/** `--gpus` as device requests. The engine says that it has none. */
export function parseGpus(values: readonly string[]): DeviceRequest[] {
  return values.map(parseOne);
}
