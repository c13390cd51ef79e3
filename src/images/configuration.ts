/** Reads image configurations that others wrote: what has not the shape of one never reaches the store. */
import { type Digest, invalidParameter, isDigest, parseTime } from "../base/base.ts";
import type { HistoryEntry, ImageConfiguration } from "../spec/spec.ts";

/** A configuration with the members that Docker adds to OCI's. */
export interface DockerConfiguration extends ImageConfiguration {
  readonly comment?: string;
  readonly docker_version?: string;
  readonly "os.version"?: string;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isTextList: Check = (value) => Array.isArray(value) && value.every(isText);
const isTextMap: Check = (value) => isObject(value) && Object.values(value).every(isText);
const isSet: Check = isObject;
const isCount: Check = (value) => Number.isSafeInteger(value);
const isHealthcheck: Check = (value) =>
  isObject(value) &&
  hasShape(value, {
    Test: isTextList,
    Interval: isCount,
    Timeout: isCount,
    StartPeriod: isCount,
    StartInterval: isCount,
    Retries: isCount,
  });

/** Members that are there and not null must pass their check, as Go's decoder has it. */
function hasShape(value: Record<string, unknown>, shape: Readonly<Record<string, Check>>): boolean {
  return Object.entries(shape).every(([key, check]) => value[key] === undefined || value[key] === null || check(value[key]));
}

const executionShape = {
  User: isText,
  ExposedPorts: isSet,
  Env: isTextList,
  Entrypoint: isTextList,
  Cmd: isTextList,
  Volumes: isSet,
  WorkingDir: isText,
  Labels: isTextMap,
  StopSignal: isText,
  ArgsEscaped: isFlag,
  Healthcheck: isHealthcheck,
  OnBuild: isTextList,
  Shell: isTextList,
};

const outerShape = {
  architecture: isText,
  os: isText,
  variant: isText,
  created: isText,
  author: isText,
  comment: isText,
  docker_version: isText,
  "os.version": isText,
  config: (value: unknown) => isObject(value) && hasShape(value, executionShape),
  history: (value: unknown) =>
    Array.isArray(value) &&
    value.every(
      (entry) =>
        isObject(entry) && hasShape(entry, { created: isText, created_by: isText, author: isText, comment: isText, empty_layer: isFlag }),
    ),
};

/** Parses JSON; the error says what the text was meant to be. @throws InvalidParameter */
export function parseJson(data: Uint8Array | string, what: string): unknown {
  try {
    return JSON.parse(typeof data === "string" ? data : new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch (error) {
    throw invalidParameter(`invalid ${what}: not JSON`, error);
  }
}

/**
 * The typed view of a configuration's bytes.
 * @throws InvalidParameter when they are not a Linux image's configuration
 */
export function parseConfiguration(data: Uint8Array | string): DockerConfiguration {
  const value = parseJson(data, "image configuration");
  if (!isObject(value) || !hasShape(value, outerShape)) throw invalidParameter("invalid image configuration");
  const rootfs = value["rootfs"];
  if (!isObject(rootfs)) throw invalidParameter("invalid image JSON, no RootFS key");
  const diffIds = rootfs["diff_ids"] ?? [];
  if (rootfs["type"] !== "layers" || !Array.isArray(diffIds) || !diffIds.every((id) => isText(id) && isDigest(id)))
    throw invalidParameter("invalid image configuration: rootfs must list layers by digest");
  const os = value["os"] || "linux";
  if (os !== "linux") throw invalidParameter(`cannot load ${os} image on linux`);
  const history = (value["history"] ?? []) as HistoryEntry[];
  if (history.filter((entry) => entry.empty_layer !== true).length > diffIds.length)
    throw invalidParameter("too many non-empty layers in History section");
  return {
    ...(withoutNulls(value) as Partial<DockerConfiguration>),
    architecture: (value["architecture"] as string | null | undefined) ?? "",
    os: "linux",
    rootfs: { type: "layers", diff_ids: diffIds as Digest[] },
  };
}

/** Docker's: what is deeper could be taken neither there nor by most others. */
const mostLayers = 125;

/** @throws InvalidParameter for an image of more layers than Docker takes */
export function checkDepth(layers: readonly unknown[]): void {
  if (layers.length > mostLayers) throw invalidParameter("max depth exceeded");
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

const int64Max = 2n ** 63n - 1n;

/** When the image was made, in nanoseconds since 1970, held within 64 bits; 0 when it does not say. */
export function createdNanosOf(config: ImageConfiguration): bigint {
  const nanos = parseTime(config.created ?? "") ?? 0n;
  return nanos > int64Max ? int64Max : nanos < -int64Max ? -int64Max : nanos;
}

/** The same in whole seconds, unbounded: what lists show. */
export function createdSeconds(created: string | undefined): number {
  const nanos = parseTime(created ?? "");
  if (nanos === undefined) return 0;
  return Number(nanos / 1_000_000_000n) - (nanos % 1_000_000_000n < 0n ? 1 : 0);
}
