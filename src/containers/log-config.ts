import { invalidParameter, parseBytes } from "../base/base.ts";
import type { JsonFileLog } from "../kernel/kernel.ts";
import type { ContainerConfig, HostConfig } from "../spec/spec.ts";

const jsonFileOptions = new Set([
  "max-size",
  "max-file",
  "compress",
  "labels",
  "labels-regex",
  "env",
  "env-regex",
  "tag",
  "mode",
  "max-buffer-size",
]);

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** Variables and labels that the log's lines carry as `attrs`. */
function attributes(options: Readonly<Record<string, string>>, config: ContainerConfig): Record<string, string> {
  const attrs: Record<string, string> = {};
  const env = new Map(
    (config.Env ?? []).map((entry): [string, string] => [entry.split("=", 1)[0] ?? "", entry.slice(entry.indexOf("=") + 1)]),
  );
  const pick = (source: Iterable<readonly [string, string]>, names: string | undefined, pattern: string | undefined): void => {
    const listed = new Set((names ?? "").split(",").filter((name) => name !== ""));
    const shape = pattern === undefined || pattern === "" ? undefined : new RegExp(pattern);
    for (const [name, value] of source) if (listed.has(name) || shape?.test(name) === true) attrs[name] = value;
  };
  pick(Object.entries(config.Labels ?? {}), options["labels"], options["labels-regex"]);
  pick(env, options["env"], options["env-regex"]);
  return attrs;
}

/**
 * The log file that the monitor writes for a container; undefined with the driver `none`.
 * @throws InvalidParameter for a driver or an option that is not known, with Docker's wording
 */
export function logFileOf(config: ContainerConfig, hostConfig: HostConfig, path: string): JsonFileLog | undefined {
  const driver: string = hostConfig.LogConfig?.Type ?? "json-file";
  const options = hostConfig.LogConfig?.Config ?? {};
  if (driver === "none") return undefined;
  if (driver !== "json-file") throw invalidParameter(`error looking up logging plugin ${driver}: plugin "${driver}" not found`);
  for (const name of Object.keys(options)) {
    if (!jsonFileOptions.has(name)) throw invalidParameter(`unknown log opt '${name}' for json-file log driver`);
  }
  const maxSize = options["max-size"] ?? "";
  const maxFile = options["max-file"] === undefined ? 1 : wholeNumber(options["max-file"]);
  if (maxFile < 1) throw invalidParameter("max-file cannot be less than 1");
  const maxBytes = maxSize === "" || maxSize === "-1" ? 0 : parseBytes(maxSize);
  if (maxBytes === 0 && maxFile > 1) throw invalidParameter("max-file must be used with max-size");
  const attrs = attributes(options, config);
  const tagged = options["tag"] === undefined ? attrs : { ...attrs, tag: options["tag"] };
  return {
    path,
    maxBytes,
    maxFiles: maxFile,
    ...(Object.keys(tagged).length === 0 ? {} : { attrs: JSON.stringify(tagged) }),
  };
}
