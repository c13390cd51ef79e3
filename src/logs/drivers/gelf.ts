import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import { invalidParameter, messageOf, systemError } from "../../base/base.ts";
import { attributesOf } from "../attributes.ts";
import type { LogSender, RemoteDriver } from "../driver.ts";
import { onlyKnown } from "../driver-options.ts";
import type { LogInfo, LogMessage } from "../logs.ts";
import { tagOf } from "../tag.ts";
import { parseAddress } from "./address.ts";
import { Connection, hostPort } from "./connection.ts";
import { UdpSocket } from "./udp.ts";

type Options = Readonly<Record<string, string>>;

/** Bytes of a datagram, header of a chunk included, and how many chunks a message may have: what Graylog takes. */
const [datagramBytes, chunkHeaderBytes, maxChunks] = [1420, 12, 128];
const chunkMagic = [0x1e, 0x0f];
const [levelError, levelInfo] = [3, 6];
const fastest = 1;

const known: readonly string[] = [
  ...["gelf-address", "gelf-compression-level", "gelf-compression-type", "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"],
  ...["tag", "labels", "labels-regex", "env", "env-regex"],
];

interface Address {
  readonly scheme: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
}

function addressOf(text: string): Address {
  if (text === "") throw invalidParameter("gelf-address is a required parameter");
  const { scheme, host, port } = parseAddress(text, "gelf-address");
  if (scheme !== "udp" && scheme !== "tcp") throw invalidParameter(`gelf-address should be in form proto://address, got ${text}`);
  if (port === undefined) throw invalidParameter("gelf: please provide gelf-address as proto://host:port");
  return { scheme, host, port };
}

function check(options: Options): void {
  onlyKnown(options, known, (key) => `unknown log opt ${JSON.stringify(key)} for gelf log driver`);
  const { scheme } = addressOf(options["gelf-address"] ?? "");
  const { "gelf-compression-level": level, "gelf-compression-type": type } = options;
  if (scheme !== "udp" && (level ?? type) !== undefined) throw invalidParameter("compression is only supported on UDP");
  const unknown = (value: string, key: string): Error =>
    invalidParameter(`unknown value ${JSON.stringify(value)} for log opt ${JSON.stringify(key)} for gelf log driver`);
  if (level !== undefined && !/^(-1|\d)$/.test(level)) throw unknown(level, "gelf-compression-level");
  if (type !== undefined && !["gzip", "zlib", "none"].includes(type)) throw unknown(type, "gelf-compression-type");
  for (const key of ["gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"] as const) {
    const value = options[key];
    if (value === undefined) continue;
    if (scheme !== "tcp") throw invalidParameter(`${JSON.stringify(key)} is only valid for TCP`);
    if (!/^\d+$/.test(value)) throw invalidParameter(`${JSON.stringify(key)} must be a positive integer`);
  }
}

/** Turns lines into GELF 1.1. */
function formatter(info: LogInfo): (message: LogMessage) => Buffer {
  const extra = {
    _container_id: info.containerId,
    _container_name: info.containerName,
    _image_id: info.imageId,
    _image_name: info.imageName,
    _command: info.command.join(" "),
    _tag: tagOf(info),
    _created: info.created,
    ...attributesOf(info, (name) => (name.startsWith("_") ? name : `_${name}`)),
  };
  const sorted = Object.fromEntries(Object.entries(extra).sort(([a], [b]) => (a < b ? -1 : 1)));
  return ({ text, stream, timeNanos }) =>
    Buffer.from(
      JSON.stringify({
        version: "1.1",
        host: info.hostname,
        short_message: text.toString(),
        timestamp: Number(timeNanos / 1_000_000n) / 1000,
        level: stream === "stderr" ? levelError : levelInfo,
        ...sorted,
      }),
    );
}

/** A message that does not fit into one datagram goes in numbered chunks; one that is longer still cannot go. */
export function chunksOf(message: Buffer): Buffer[] {
  if (message.length <= datagramBytes) return [message];
  const room = datagramBytes - chunkHeaderBytes;
  const count = Math.ceil(message.length / room);
  if (count > maxChunks) return [];
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, n) =>
    Buffer.concat([Buffer.from(chunkMagic), id, Buffer.from([n, count]), message.subarray(n * room, (n + 1) * room)]),
  );
}

function packer(options: Options): (message: Buffer) => Promise<Buffer> {
  const level = Number(options["gelf-compression-level"] ?? fastest);
  switch (options["gelf-compression-type"]) {
    case "none":
      return async (message) => message;
    case "zlib": {
      const pack = promisify(deflate);
      return (message) => pack(message, { level });
    }
    default: {
      const pack = promisify(gzip);
      return (message) => pack(message, { level });
    }
  }
}

async function open(info: LogInfo): Promise<LogSender> {
  const { options } = info;
  const { scheme, host, port } = addressOf(options["gelf-address"] ?? "");
  const format = formatter(info);
  // Receivers refuse messages without text.
  const worthwhile = (messages: readonly LogMessage[]): readonly LogMessage[] => messages.filter(({ text }) => text.length > 0);
  try {
    if (scheme === "udp") {
      const socket = await UdpSocket.open(host, port);
      const pack = packer(options);
      const send = async (messages: readonly LogMessage[]): Promise<void> => {
        for (const message of worthwhile(messages)) for (const chunk of chunksOf(await pack(format(message)))) await socket.send(chunk);
      };
      return { send, close: () => socket.close() };
    }
    const connection = (await Connection.open({ kind: "tcp", host, port })).ignoreInput();
    const end = Buffer.from([0]);
    const send = async (messages: readonly LogMessage[]): Promise<void> => {
      const wanted = worthwhile(messages);
      if (wanted.length > 0) await connection.write(Buffer.concat(wanted.flatMap((message) => [format(message), end])));
    };
    return { send, close: (abruptly) => connection.close(abruptly) };
  } catch (error) {
    throw systemError(`gelf: cannot connect to GELF endpoint: ${hostPort(host, port)} ${messageOf(error)}`, error);
  }
}

export const gelf: RemoteDriver = { name: "gelf", check, open };
