import { parseDuration } from "../../base/duration.ts";
import { parseBytes } from "../../base/units.ts";
import type { FlagSpec } from "./flag.ts";

const truths: Readonly<Record<string, string>> = {
  "1": "true",
  t: "true",
  T: "true",
  true: "true",
  TRUE: "true",
  True: "true",
  "0": "false",
  f: "false",
  F: "false",
  false: "false",
  FALSE: "false",
  False: "false",
};

function integer(value: string, call: string, least: bigint, most: bigint): string {
  if (!/^[+-]?(\d+|0x[0-9a-f]+|0o?[0-7]+|0b[01]+)$/i.test(value) || (least === 0n && /^[+-]/.test(value)))
    throw new Error(`strconv.${call}: parsing ${JSON.stringify(value)}: invalid syntax`);
  const sign = value.startsWith("-") ? -1n : 1n;
  const number = sign * BigInt(value.replace(/^[+-]/, "").replace(/^0(?=[0-7]+$)/, "0o"));
  if (number < least || number > most) throw new Error(`strconv.${call}: parsing ${JSON.stringify(value)}: value out of range`);
  return String(number);
}

/** Billionths of a processor: at most nine digits behind the point. */
function decimal(value: string): string {
  const match = /^\+?(\d*)(?:\.(\d*))?$/.exec(value);
  if (match === null || (match[1] ?? "") + (match[2] ?? "") === "") throw new Error(`failed to parse ${value} as a rational number`);
  if ((match[2] ?? "").replace(/0+$/, "").length > 9) throw new Error("value is too precise");
  return value;
}

function duration(value: string): string {
  const nanos = parseDuration(value);
  if (nanos !== undefined) return String(nanos);
  const what = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value) ? "missing unit in" : "invalid";
  throw new Error(`time: ${what} duration ${JSON.stringify(value)}`);
}

function filter(value: string): string {
  if (!value.includes("=")) throw new Error("bad format of filter (expected name=value)");
  return value;
}

/** @throws Error with the message that follows `invalid argument … flag: ` */
export function checkValue(spec: FlagSpec, value: string): string {
  if (spec.check !== undefined) return spec.check(value);
  switch (spec.type) {
    case "bool": {
      const truth = truths[value];
      if (truth === undefined) throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
      return truth;
    }
    case "int":
      return integer(value, "ParseInt", -(2n ** 63n), 2n ** 63n - 1n);
    case "uint":
      return integer(value, "ParseUint", 0n, 2n ** 64n - 1n);
    case "uint16":
      return integer(value, "ParseUint", 0n, 65535n);
    case "bytes":
      return value === "-1" && spec.name === "memory-swap" ? value : String(parseBytes(value));
    case "decimal":
      return decimal(value);
    case "duration":
      return duration(value);
    case "filter":
      return filter(value);
    case "string":
    case "list":
    case "map":
    case "strings":
    case "stringToString":
    case "mount":
    case "network":
    case "ulimit":
    case "gpu-request":
      return value;
  }
}
