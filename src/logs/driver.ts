/**
 * The drivers, and what a container's log is kept like. `json-file`, `local` and `none` need nothing but the monitor's
 * files; the others are remote: their lines are kept in files too (Docker's local cache), and sent on from there.
 */
import { invalidParameter } from "../base/base.ts";
import { attributesOf } from "./attributes.ts";
import { checkCacheOptions, checkCommonOptions, filePlanOf, isCommonOption, type LogFilePlan, onlyKnown } from "./driver-options.ts";
import { fluentd } from "./drivers/fluentd.ts";
import { gelf } from "./drivers/gelf.ts";
import { journald } from "./drivers/journald.ts";
import { syslog } from "./drivers/syslog.ts";
import type { LogInfo, LogMessage } from "./logs.ts";
import { expandTag } from "./tag.ts";

/** A connection to a receiver. */
export interface LogSender {
  /**
   * Resolves when the receiver has taken the messages, or the kernel for it where the protocol does not tell.
   * @throws when it has not: some may have arrived, and all are to be sent again, over a new connection
   */
  send(messages: readonly LogMessage[]): Promise<void>;
  /** What was sent is still delivered, unless it is to end `abruptly`: then a `send` under way fails. */
  close(abruptly: boolean): void;
}

/** What drivers need and Node does not have: datagrams to a unix socket. @returns how many were taken */
export interface LogPorts {
  sendDatagrams(path: string, datagrams: readonly Uint8Array[]): Promise<number>;
}

export interface RemoteDriver {
  readonly name: string;
  /** @throws InvalidParameter in Docker's words. Options that every driver has are not among these. */
  check(options: Readonly<Record<string, string>>): void;
  /** True when a receiver that is not there does not keep a container from starting. */
  startsWithout?(options: Readonly<Record<string, string>>): boolean;
  /** @throws Error in Docker's words when the receiver is not there */
  open(info: LogInfo, ports: LogPorts): Promise<LogSender>;
}

const remotes: ReadonlyMap<string, RemoteDriver> = new Map([syslog, gelf, fluentd, journald].map((driver) => [driver.name, driver]));

/** As `info` lists them. */
export const logDrivers: readonly string[] = ["fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"];

/**
 * What is checked when a container is created, and of the daemon's defaults when it starts. Values that Docker
 * looks at only when the container starts are left to {@link planLog}.
 * @throws InvalidParameter in Docker's words
 */
export function checkLogConfig(name: string, options: Readonly<Record<string, string>>): void {
  if (name === "none") return;
  checkCommonOptions(options);
  if (!logDrivers.includes(name)) throw invalidParameter(`error looking up logging plugin ${name}: plugin "${name}" not found`);
  checkCacheOptions(options);
  const own = Object.fromEntries(Object.entries(options).filter(([key]) => !isCommonOption(key)));
  const remote = remotes.get(name);
  if (remote !== undefined) remote.check(own);
  else if (name === "json-file") onlyKnown(own, jsonFileOptions, (key) => `unknown log opt '${key}' for json-file log driver`);
  else onlyKnown(own, ["max-file", "max-size", "compress"], (key) => `unknown log opt '${key}' for log driver local`);
}

const jsonFileOptions: readonly string[] = ["max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

/** How a container's log is kept. */
export interface LogPlan extends LogFilePlan {
  /** JSON text that each line carries as `attrs`. */
  readonly attrs?: string;
  /** All bytes are kept, UTF-8 or not: nobody but us reads the file. */
  readonly raw: boolean;
  readonly remote?: RemoteDriver;
}

/** Of a remote driver that may not lose lines: so much more than the cache may wait for the receiver, in so many files. */
const [waitingBytes, maxWaitingFiles] = [2 ** 30, 200];

/**
 * What the monitor is to write; undefined: nothing (`none`).
 * @throws Error in Docker's words for values that make no sense
 */
export function planLog(name: string, info: LogInfo): LogPlan | undefined {
  const { options } = info;
  if (name === "none") return undefined;
  const plan = { ...filePlanOf(name, options), raw: name !== "json-file" };
  const remote = remotes.get(name);
  if (remote !== undefined) {
    // One file is being read while the next is written, so that what is dropped is never what is next.
    const keep = Math.max(2, plan.keep);
    const waiting = options["mode"] === "non-blocking" ? 0 : Math.min(maxWaitingFiles, Math.ceil(waitingBytes / plan.maxBytes));
    return { ...plan, keep, maxFiles: keep + waiting, remote };
  }
  if (name !== "json-file") return plan;
  const tag = expandTag(options["tag"] ?? "", info);
  const attrs = { ...attributesOf(info), ...(tag === "" ? {} : { tag }) };
  return Object.keys(attrs).length === 0 ? plan : { ...plan, attrs: attrsText(attrs) };
}

/** As Go's encoder writes a map: sorted, and with these escaped. */
function attrsText(attrs: Readonly<Record<string, string>>): string {
  const sorted = Object.fromEntries(Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify(sorted).replaceAll(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** False: `docker logs` has nothing to read. */
export function isReadable(name: string, options: Readonly<Record<string, string>>): boolean {
  return name !== "none" && !(remotes.has(name) && /^(1|t|T|TRUE|true|True)$/.test(options["cache-disabled"] ?? ""));
}
