/** Options as Docker's log drivers take them, refused in Docker's (Go's) words. */
import { invalidParameter, parseBytes } from "../base/base.ts";

type Options = Readonly<Record<string, string>>;

const commonOptions = new Set(["mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"]);

/** Options that every driver takes. */
export function isCommonOption(key: string): boolean {
  return commonOptions.has(key);
}

/** @throws InvalidParameter for the first option that is not among `known` */
export function onlyKnown(options: Options, known: readonly string[], refusal: (key: string) => string): void {
  for (const key of Object.keys(options)) if (!known.includes(key)) throw invalidParameter(refusal(key));
}

export function checkCommonOptions(options: Options): void {
  const { mode = "", "max-buffer-size": size } = options;
  if (!["", "blocking", "non-blocking"].includes(mode)) throw invalidParameter(`logger: logging mode not supported: ${mode}`);
  if (size === undefined) return;
  if (mode !== "non-blocking") throw invalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  try {
    parseBytes(size);
  } catch {
    throw invalidParameter(`error parsing option max-buffer-size: invalid size: '${size}'`);
  }
}

export function checkCacheOptions(options: Options): void {
  const disabled = options["cache-disabled"] ?? "";
  if (disabled !== "" && parseSwitch(disabled) === undefined)
    throw invalidParameter(`invalid value for option cache-disabled: ${disabled}`);
}

/** As strconv.ParseBool. */
function parseSwitch(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

export function switchOf(text: string): boolean {
  const value = parseSwitch(text);
  if (value === undefined) throw invalidParameter(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  return value;
}

export function integerOf(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

export function checkDuration(text: string): void {
  if (!/^[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(text))
    throw invalidParameter(`time: invalid duration ${JSON.stringify(text)}`);
}

const thousands = ["", "k", "m", "g", "t", "p"];

/** A size with units of 1000, as these options have them. */
export function decimalSizeOf(text: string): number {
  const match = /^(-?\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw invalidParameter(`invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1000 ** thousands.indexOf((match[2] ?? "").toLowerCase()));
}

export interface LogFilePlan {
  /** The monitor begins a new file when one has this many bytes; 0: never. */
  readonly maxBytes: number;
  /** How many files the monitor keeps. */
  readonly maxFiles: number;
  /** How many are kept in the end; fewer than `maxFiles` where files have to wait for a receiver. */
  readonly keep: number;
  /** Pack all but the newest. */
  readonly compress: boolean;
}

/** Of `local`, and of the cache of remote drivers. */
const localSizeBytes = 20 * 1024 * 1024;
const localFiles = 5;

export function filePlanOf(driver: string, options: Options): LogFilePlan {
  return driver === "json-file" ? jsonFilePlan(options) : localPlan(driver === "local" ? options : cacheOptions(options));
}

function jsonFilePlan(options: Options): LogFilePlan {
  const { "max-size": size, "max-file": file, compress } = options;
  const maxBytes = size === undefined ? 0 : decimalSizeOf(size);
  if (size !== undefined && maxBytes <= 0) throw invalidParameter("max-size must be a positive number");
  const maxFiles = file === undefined ? 1 : integerOf(file);
  if (maxFiles < 1) throw invalidParameter("max-file cannot be less than 1");
  const packs = compress !== undefined && switchOf(compress);
  if (packs && (maxFiles === 1 || size === undefined))
    throw invalidParameter("compress cannot be true when max-file is less than 2 or max-size is not set");
  return { maxBytes, maxFiles, keep: maxFiles, compress: packs };
}

function cacheOptions(options: Options): Options {
  const entries = Object.entries(options).filter(([key]) => key.startsWith("cache-"));
  return Object.fromEntries(entries.map(([key, value]) => [key.slice("cache-".length), value]));
}

function localPlan(options: Options): LogFilePlan {
  const told = <T>(what: string, read: () => T): T => {
    try {
      return read();
    } catch (error) {
      throw invalidParameter(`${what}: ${(error as Error).message}`);
    }
  };
  const { "max-size": size, "max-file": file, compress } = options;
  const maxBytes = size === undefined ? localSizeBytes : told(`invalid value for max-size: ${size}`, () => decimalSizeOf(size));
  const maxFiles = file === undefined ? localFiles : told(`invalid value for max-file: ${file}`, () => integerOf(file));
  const packs = compress === undefined || told("error reading compress log option", () => switchOf(compress));
  if (maxBytes < 0) throw invalidParameter("max size should be a positive number");
  if (maxFiles < 0) throw invalidParameter("max file count cannot be less than 0");
  if (packs && maxFiles <= 1) throw invalidParameter("compression cannot be enabled when max file count is 1");
  const keep = Math.max(1, maxFiles);
  return { maxBytes, maxFiles: keep, keep, compress: packs };
}
