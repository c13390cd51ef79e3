import { formatNanos, systemError } from "../../base/base.ts";
import { attributesOf } from "../attributes.ts";
import type { LogPorts, LogSender, RemoteDriver } from "../driver.ts";
import { onlyKnown } from "../driver-options.ts";
import type { LogInfo, LogMessage } from "../logs.ts";
import { tagOf } from "../tag.ts";
import { sendAllDatagrams } from "./datagrams.ts";

const socketPath = "/run/systemd/journal/socket";
const [priorityError, priorityInfo] = ["3", "6"];

/** journald takes upper case, digits and underscores, and none of these in front. */
function fieldName(name: string): string {
  return name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, "_")
    .replace(/^_+/, "");
}

/** `NAME=value`, or with its length when the value has more than one line; sd_journal_send(3). */
function field(name: string, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  if (!bytes.includes(0x0a)) return Buffer.concat([Buffer.from(`${name}=`), bytes, Buffer.from("\n")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")]);
}

export function journalFormatter(info: LogInfo): (message: LogMessage) => Buffer {
  const tag = tagOf(info);
  const fixed = Buffer.concat([
    field("CONTAINER_ID", info.containerId.slice(0, 12)),
    field("CONTAINER_ID_FULL", info.containerId),
    field("CONTAINER_NAME", info.containerName),
    field("CONTAINER_TAG", tag),
    field("IMAGE_NAME", info.imageName),
    field("SYSLOG_IDENTIFIER", tag),
    ...Object.entries(attributesOf(info, fieldName)).map(([name, value]) => field(name, value)),
  ]);
  return ({ text, stream, timeNanos, partial }) =>
    Buffer.concat([
      field("MESSAGE", text),
      field("PRIORITY", stream === "stderr" ? priorityError : priorityInfo),
      fixed,
      field("SYSLOG_TIMESTAMP", formatNanos(timeNanos)),
      ...(partial === undefined
        ? []
        : [
            // The last piece has no such mark, so that who joins lines knows that it is the last.
            ...(partial.last ? [] : [field("CONTAINER_PARTIAL_MESSAGE", "true")]),
            field("CONTAINER_PARTIAL_ID", partial.id),
            field("CONTAINER_PARTIAL_ORDINAL", String(partial.ordinal)),
            field("CONTAINER_PARTIAL_LAST", String(partial.last)),
          ]),
    ]);
}

async function open(info: LogInfo, ports: LogPorts): Promise<LogSender> {
  await ports.sendDatagrams(socketPath, []).catch((error: unknown) => {
    throw systemError("journald is not enabled on this host", error);
  });
  const format = journalFormatter(info);
  const closing = new AbortController();
  const send = (messages: readonly LogMessage[]): Promise<void> =>
    sendAllDatagrams(ports, socketPath, messages.map(format), closing.signal);
  return { send, close: () => closing.abort() };
}

export const journald: RemoteDriver = {
  name: "journald",
  check: (options) =>
    onlyKnown(options, ["labels", "labels-regex", "env", "env-regex", "tag"], (key) => `unknown log opt '${key}' for journald log driver`),
  open,
};
