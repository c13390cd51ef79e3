import { randomBytes } from "node:crypto";
import { invalidParameter, systemError } from "../../base/base.ts";
import { attributesOf } from "../attributes.ts";
import type { LogSender, RemoteDriver } from "../driver.ts";
import { checkDuration, decimalSizeOf, integerOf, onlyKnown, switchOf } from "../driver-options.ts";
import type { LogInfo, LogMessage } from "../logs.ts";
import { tagOf } from "../tag.ts";
import { parseAddress } from "./address.ts";
import { Connection, type Target } from "./connection.ts";
import { Packed, pack, unpackTexts } from "./msgpack.ts";

type Options = Readonly<Record<string, string>>;

const [defaultHost, defaultPort] = ["127.0.0.1", 24224];
const ackTimeoutMs = 30_000;

const known: readonly string[] = [
  ...["env", "env-regex", "labels", "labels-regex", "tag", "fluentd-address", "fluentd-async", "fluentd-async-connect"],
  ...["fluentd-async-reconnect-interval", "fluentd-buffer-limit", "fluentd-max-retries", "fluentd-read-timeout"],
  ...["fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision", "fluentd-write-timeout"],
];

function targetOf(text: string): Target {
  const refuse = (why: string): Error => invalidParameter(`invalid fluentd-address (${text}): ${why}`);
  if (text === "") return { kind: "tcp", host: defaultHost, port: defaultPort };
  const { scheme, host, port = defaultPort, path } = parseAddress(text.includes("://") ? text : `tcp://${text}`, "fluentd-address");
  if (scheme === "unix") {
    if (path.replace(/^\/+/, "") === "") throw refuse("path is empty");
    return { kind: "unix", path };
  }
  if (scheme !== "tcp" && scheme !== "tls") throw refuse(`unsupported scheme: '${scheme}'`);
  if (path !== "") throw refuse("should not contain a path element");
  const address = { host: host === "" ? defaultHost : host, port };
  return scheme === "tls" ? { kind: "tls", ...address, tls: {} } : { kind: "tcp", ...address };
}

function isOn(options: Options, name: string): boolean {
  const value = options[name] ?? "";
  return value !== "" && switchOf(value);
}

function check(options: Options): void {
  onlyKnown(options, known, (key) => `unknown log opt '${key}' for fluentd log driver`);
  targetOf(options["fluentd-address"] ?? "");
  const given = (name: string, look: (value: string) => unknown): void => {
    const value = options[name] ?? "";
    if (value !== "") look(value);
  };
  given("fluentd-buffer-limit", decimalSizeOf);
  given("fluentd-max-retries", integerOf);
  for (const name of ["fluentd-retry-wait", "fluentd-async-reconnect-interval", "fluentd-write-timeout", "fluentd-read-timeout"])
    given(name, checkDuration);
  for (const name of ["fluentd-async", "fluentd-async-connect", "fluentd-request-ack", "fluentd-sub-second-precision"])
    given(name, switchOf);
}

/** One event: `[tag, time, record, option]`. */
function formatter(info: LogInfo): (message: LogMessage, option: Readonly<Record<string, string>>) => Buffer {
  const tag = tagOf(info);
  const extra = attributesOf(info);
  const precise = isOn(info.options, "fluentd-sub-second-precision");
  return ({ text, stream, timeNanos, partial }, option) =>
    pack([
      tag,
      precise ? Packed.eventTime(timeNanos) : Number(timeNanos / 1_000_000_000n),
      {
        container_id: info.containerId,
        container_name: `/${info.containerName}`,
        source: stream,
        log: Packed.text(text),
        ...extra,
        ...(partial === undefined
          ? {}
          : {
              partial_message: "true",
              partial_id: partial.id,
              partial_ordinal: String(partial.ordinal),
              partial_last: String(partial.last),
            }),
      },
      option,
    ]);
}

/** Waits for the acknowledgements of a connection, each by its chunk's name. */
class Acknowledgements {
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  #rest: Buffer = Buffer.alloc(0);

  constructor(connection: Connection) {
    const { socket } = connection;
    socket.on("data", (bytes: Buffer) => {
      try {
        this.#take(bytes);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(systemError("fluentd has closed the connection"));
    });
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (let answer = unpackTexts(this.#rest); answer !== undefined; answer = unpackTexts(this.#rest)) {
      this.#rest = this.#rest.subarray(answer.length);
      this.#waiting.get(answer.texts.get("ack") ?? "")?.resolve();
    }
  }

  async of(chunk: string): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.#waiting.set(chunk, answer);
    const timer = setTimeout(() => answer.reject(systemError("fluentd does not acknowledge")), ackTimeoutMs);
    try {
      await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(chunk);
    }
  }
}

async function open(info: LogInfo): Promise<LogSender> {
  const connection = await Connection.open(targetOf(info.options["fluentd-address"] ?? ""));
  const format = formatter(info);
  const close = (abruptly: boolean): void => connection.close(abruptly);
  if (!isOn(info.options, "fluentd-request-ack")) {
    connection.ignoreInput();
    return { send: (messages) => connection.write(Buffer.concat(messages.map((message) => format(message, {})))), close };
  }
  const acknowledgements = new Acknowledgements(connection);
  const send = async (messages: readonly LogMessage[]): Promise<void> => {
    const chunks = messages.map(() => randomBytes(16).toString("base64"));
    const answers = Promise.all(chunks.map((chunk) => acknowledgements.of(chunk)));
    await Promise.all([
      connection.write(Buffer.concat(messages.map((message, n) => format(message, { chunk: chunks[n] ?? "" })))),
      answers,
    ]);
  };
  return { send, close };
}

export const fluentd: RemoteDriver = {
  name: "fluentd",
  check,
  startsWithout: (options) => isOn(options, "fluentd-async") || isOn(options, "fluentd-async-connect"),
  open,
};
