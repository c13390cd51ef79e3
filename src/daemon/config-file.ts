import { readFileSync } from "node:fs";
import { errnoOf, messageOf } from "../base/base.ts";
import { type Flag, flags } from "./flag-table.ts";
import type { Value, Values } from "./parse-flags.ts";

const byKey: ReadonlyMap<string, Flag> = new Map(
  flags.flatMap((flag) => (flag.key === null ? [] : [[flag.key ?? flag.name, flag] as const])),
);

/** Keys of the file that no flag has. */
const fileOnly: readonly string[] = [
  "features",
  "runtimes",
  "default-address-pools",
  "default-ulimits",
  "default-network-opts",
  "proxies",
  "mirrors",
  "image-gc",
  "image-policy",
];

function goType(value: unknown): string {
  return Array.isArray(value) ? "array" : value === null ? "null" : typeof value === "boolean" ? "bool" : typeof value;
}

function mismatch(key: string, value: unknown, wanted: string): Error {
  return new Error(`json: cannot unmarshal ${goType(value)} into Go struct field Config.${key} of type ${wanted}`);
}

function isTextMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `[{"base": "10.0.0.0/8", "size": 24}]`, as the flag has it: `base=10.0.0.0/8,size=24`. */
function addressPools(value: unknown): string[] {
  if (!Array.isArray(value)) throw mismatch("default-address-pools", value, "[]ipamutils.NetworkToSplit");
  return value.map((pool: unknown) => {
    if (!isTextMap(pool)) throw mismatch("default-address-pools", pool, "ipamutils.NetworkToSplit");
    return `base=${String(pool["base"] ?? "")},size=${String(pool["size"] ?? "")}`;
  });
}

/** `{"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}}`, as the flag has it: `nofile=1:2`. */
function ulimits(value: unknown): string[] {
  if (!isTextMap(value)) throw mismatch("default-ulimits", value, "map[string]*container.Ulimit");
  return Object.entries(value).map(([name, limit]) => {
    if (!isTextMap(limit)) throw mismatch("default-ulimits", limit, "container.Ulimit");
    return `${name}=${String(limit["Soft"] ?? 0)}:${String(limit["Hard"] ?? limit["Soft"] ?? 0)}`;
  });
}

/** `{"bridge": {"com.docker.network.driver.mtu": "1400"}}`, as the flag has it: `bridge=com.docker.network.driver.mtu=1400`. */
function networkOptions(value: unknown): string[] {
  const wanted = "map[string]map[string]string";
  if (!isTextMap(value)) throw mismatch("default-network-opts", value, wanted);
  return Object.entries(value).flatMap(([driver, options]) => {
    if (!isTextMap(options)) throw mismatch("default-network-opts", options, wanted);
    return Object.entries(options).map(([name, entry]) => {
      if (typeof entry !== "string") throw mismatch("default-network-opts", entry, wanted);
      return `${driver}=${name}=${entry}`;
    });
  });
}

function convert(flag: Flag, key: string, value: unknown): Value {
  if (key === "default-address-pools") return addressPools(value);
  if (key === "default-ulimits") return ulimits(value);
  if (key === "default-network-opts") return networkOptions(value);
  switch (flag.kind) {
    case "switch":
      if (typeof value !== "boolean") throw mismatch(key, value, "bool");
      return value;
    case "number":
      if (typeof value !== "number" || !Number.isInteger(value)) throw mismatch(key, value, "int");
      return value;
    case "text":
      // dockerd has sizes as numbers, or with a unit.
      if (typeof value === "number" && key === "default-shm-size") return String(value);
      if (typeof value !== "string") throw mismatch(key, value, "string");
      return value;
    case "list":
      if (!Array.isArray(value) || !value.every((entry) => typeof entry === "string")) throw mismatch(key, value, "[]string");
      return value;
    case "map":
      if (!isTextMap(value)) throw mismatch(key, value, "map[string]string");
      return Object.fromEntries(
        Object.entries(value).map(([name, entry]) => {
          if (typeof entry !== "string") throw mismatch(key, entry, "string");
          return [name, entry];
        }),
      );
  }
}

/** Features that change nothing here may be set; what asks for another behaviour is refused. */
function checkFileOnly(key: string, value: unknown): void {
  if (!isTextMap(value)) throw mismatch(key, value, "map");
  for (const [name, entry] of Object.entries(value)) {
    if (key === "runtimes") throw new Error(`runtimes: ${name}: external OCI runtimes are not available in this version`);
    if (key === "features" && entry === true && name !== "buildkit") throw new Error(`features: ${name} is not available in this version`);
  }
}

/** By name, `true` or `false`: there is no flag whose kind of value this would be. */
function features(value: unknown): Value {
  return Object.fromEntries(
    Object.entries(value as object).map(([name, entry]) => {
      if (typeof entry !== "boolean") throw mismatch("features", entry, "bool");
      return [name, String(entry)];
    }),
  );
}

const proxyKeys: readonly string[] = ["http-proxy", "https-proxy", "no-proxy"];

/** `{"http-proxy": "http://…", …}`: by the names of the flags. */
function proxies(value: unknown): readonly (readonly [name: string, url: string])[] {
  return Object.entries(value as object).map(([name, url]) => {
    if (!proxyKeys.includes(name)) throw new Error(`the following directives don't match any configuration option: proxies.${name}`);
    if (typeof url !== "string") throw mismatch(`proxies.${name}`, url, "string");
    return [name, url];
  });
}

/** Berth's own: `{"registry.example.com": ["https://mirror.example.com"]}`, as `HOST=URL`. */
function mirrors(value: unknown): string[] {
  return Object.entries(value as object).flatMap(([host, urls]) => {
    if (!Array.isArray(urls) || !urls.every((url) => typeof url === "string")) throw mismatch("mirrors", urls, "map[string][]string");
    return urls.map((url) => `${host}=${url}`);
  });
}

/** Berth's own: `{"keep-storage": "20GB", "pins": ["busybox"]}`, under the names of the flags. */
function imageGc(value: unknown): (readonly [name: string, words: string | string[]])[] {
  return Object.entries(value as object).map(([key, entry]) => {
    if (key === "pins") {
      if (!Array.isArray(entry) || !entry.every((name) => typeof name === "string")) throw mismatch("image-gc", entry, "[]string");
      return ["image-gc-pin", entry];
    }
    if (!["keep-storage", "min-free", "unused-for", "interval"].includes(key)) throw new Error(`image-gc: there is no setting ${key}`);
    if (typeof entry !== "string") throw mismatch("image-gc", entry, "string");
    return [`image-gc-${key}`, entry];
  });
}

function textOf(value: Value): string {
  if (Array.isArray(value)) return `[${value.join(" ")}]`;
  if (typeof value === "object")
    return `map[${Object.entries(value)
      .map(([key, entry]) => `${key}:${entry}`)
      .join(" ")}]`;
  return String(value);
}

function parseFile(text: string): Readonly<Record<string, unknown>> {
  const parsed: unknown = text.trim() === "" ? {} : JSON.parse(text);
  if (!isTextMap(parsed)) throw new Error(`json: cannot unmarshal ${goType(parsed)} into Go value of type config.Config`);
  return parsed;
}

function readValues(text: string, given: Values): Values {
  const content = parseFile(text);
  const unknown = Object.keys(content).filter((key) => !byKey.has(key) && !fileOnly.includes(key));
  if (unknown.length > 0) throw new Error(`the following directives don't match any configuration option: ${unknown.join(", ")}`);
  const values = new Map<string, Value>();
  const conflicts: string[] = [];
  const take = (key: string, name: string, value: Value): void => {
    const before = given.get(name);
    if (before !== undefined) conflicts.push(`${key}: (from flag: ${textOf(before)}, from file: ${textOf(value)})`);
    values.set(name, value);
  };
  for (const [key, value] of Object.entries(content)) {
    const flag = byKey.get(key);
    if (flag === undefined) {
      checkFileOnly(key, value);
      if (key === "features") values.set(key, features(value));
      if (key === "image-gc") {
        for (const [name, words] of imageGc(value)) take(name, name, words);
        // For a reload: an empty one ends what was asked for before.
        values.set(key, "");
      }
      // Checked with the settings, as it names files.
      if (key === "image-policy") values.set(key, JSON.stringify(value));
      if (key === "mirrors") values.set(key, mirrors(value));
      if (key === "proxies") for (const [name, url] of proxies(value)) take(name, name, url);
      continue;
    }
    take(key, flag.name, convert(flag, key, value));
  }
  if (conflicts.length > 0) {
    throw new Error(`the following directives are specified both as a flag and in the configuration file: ${conflicts.join(", ")}`);
  }
  return values;
}

/**
 * The values of a configuration file. Missing is fine unless someone asked for that file.
 * @throws Error in dockerd's words
 */
export function readConfigFile(path: string, required: boolean, given: Values): Values {
  try {
    return readValues(readFileSync(path, "utf8"), given);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && !required) return new Map();
    const why = errnoOf(error) === "ENOENT" ? `open ${path}: no such file or directory` : messageOf(error);
    throw new Error(`unable to configure the Berth daemon with file ${path}: ${why}`, { cause: error });
  }
}
