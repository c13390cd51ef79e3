import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ConnectionOptions } from "node:tls";
import { errnoOf, invalidParameter, systemError } from "../../base/base.ts";
import type { LogPorts, LogSender, RemoteDriver } from "../driver.ts";
import { onlyKnown } from "../driver-options.ts";
import type { LogInfo, LogMessage } from "../logs.ts";
import { tagOf } from "../tag.ts";
import { parseAddress } from "./address.ts";
import { Connection, dialError, type Target } from "./connection.ts";
import { sendAllDatagrams } from "./datagrams.ts";
import { formatSyslog, type SyslogFormat } from "./syslog-format.ts";
import { UdpSocket } from "./udp.ts";

type Options = Readonly<Record<string, string>>;

const facilities: readonly string[] = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"],
  ...["", "", "", ""],
  ...Array.from({ length: 8 }, (_, n) => `local${n}`),
];
const daemonFacility = 3;
const defaultPort = 514;

const known: readonly string[] = [
  ...["env", "env-regex", "labels", "labels-regex", "tag", "syslog-address", "syslog-facility", "syslog-format"],
  ...["syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"],
];

type Address =
  | { readonly kind: "local" }
  | { readonly kind: "unix" | "unixgram"; readonly path: string }
  | { readonly kind: "udp" | "tcp" | "tcp+tls"; readonly host: string; readonly port: number };

function addressOf(text: string): Address {
  if (text === "") return { kind: "local" };
  const { scheme, path, host, port } = parseAddress(text, "syslog-address");
  if (scheme === "unix" || scheme === "unixgram") {
    // As Docker has it: the socket is looked for when the options are checked, not only when it is used.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) throw invalidParameter(`stat ${path}: no such file or directory`);
    return { kind: scheme, path };
  }
  if (scheme !== "udp" && scheme !== "tcp" && scheme !== "tcp+tls")
    throw invalidParameter(`syslog-address should be in form proto://address, got ${text}`);
  return { kind: scheme, host, port: port ?? defaultPort };
}

function facilityOf(text: string): number {
  if (text === "") return daemonFacility;
  const number = /^\d+$/.test(text) ? Number(text) : facilities.indexOf(text);
  if (number < 0 || number > 23) throw invalidParameter("invalid syslog facility");
  return number;
}

function formatOf(text: string): SyslogFormat {
  if (text !== "" && text !== "rfc3164" && text !== "rfc5424" && text !== "rfc5424micro") throw invalidParameter("Invalid syslog format");
  return text;
}

async function tlsOptions(options: Options): Promise<ConnectionOptions> {
  const file = async (path: string | undefined, what: string): Promise<Buffer | undefined> => {
    if (path === undefined || path === "") return undefined;
    return await readFile(path).catch((error: unknown) => {
      throw systemError(
        `could not read ${what} ${JSON.stringify(path)}: ${errnoOf(error) === "ENOENT" ? `open ${path}: no such file or directory` : String(error)}`,
      );
    });
  };
  const [ca, cert, key] = [
    await file(options["syslog-tls-ca-cert"], "CA certificate"),
    await file(options["syslog-tls-cert"], "X509 key pair"),
    await file(options["syslog-tls-key"], "X509 key pair"),
  ];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // Docker's rule: the option being there is enough.
    rejectUnauthorized: options["syslog-tls-skip-verify"] === undefined,
  };
}

interface Wire {
  send(lines: readonly Buffer[]): Promise<void>;
  close(abruptly: boolean): void;
}

async function streamTo(target: Target): Promise<Wire> {
  const connection = (await Connection.open(target)).ignoreInput();
  return { send: (lines) => connection.write(Buffer.concat(lines)), close: (abruptly) => connection.close(abruptly) };
}

async function datagramsTo(path: string, ports: LogPorts): Promise<Wire> {
  await ports.sendDatagrams(path, []).catch((error: unknown) => {
    throw dialError("unixgram", path, error);
  });
  const closing = new AbortController();
  return { send: (lines) => sendAllDatagrams(ports, path, lines, closing.signal), close: () => closing.abort() };
}

/** Where a host's own syslog listens: with datagrams, or else with a stream. */
const localSockets: readonly string[] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

async function localWire(ports: LogPorts): Promise<Wire> {
  for (const path of localSockets) {
    try {
      return await datagramsTo(path, ports);
    } catch {
      // It may be a stream socket, or not there.
    }
    try {
      return await streamTo({ kind: "unix", path });
    } catch {
      // The next one may be alive.
    }
  }
  throw systemError("Unix syslog delivery error");
}

async function wireTo(address: Address, options: Options, ports: LogPorts): Promise<Wire> {
  switch (address.kind) {
    case "local":
      return await localWire(ports);
    case "unix":
      return await streamTo({ kind: "unix", path: address.path });
    case "unixgram":
      return await datagramsTo(address.path, ports);
    case "tcp":
      return await streamTo({ kind: "tcp", host: address.host, port: address.port });
    case "tcp+tls":
      return await streamTo({ kind: "tls", host: address.host, port: address.port, tls: await tlsOptions(options) });
    case "udp": {
      const socket = await UdpSocket.open(address.host, address.port);
      const send = async (lines: readonly Buffer[]): Promise<void> => {
        for (const line of lines) await socket.send(line);
      };
      return { send, close: () => socket.close() };
    }
  }
}

async function open(info: LogInfo, ports: LogPorts): Promise<LogSender> {
  const { options } = info;
  const address = addressOf(options["syslog-address"] ?? "");
  const format = formatOf(options["syslog-format"] ?? "");
  const identity = { facility: facilityOf(options["syslog-facility"] ?? ""), hostname: info.hostname, tag: tagOf(info), pid: process.pid };
  const counted = address.kind === "tcp+tls" && format.startsWith("rfc5424");
  const wire = await wireTo(address, options, ports);
  return {
    send: async (messages: readonly LogMessage[]) => {
      // As Docker has it: empty lines are not sent.
      const lines = messages.filter(({ text }) => text.length > 0).map((message) => formatSyslog(format, message, identity, counted));
      if (lines.length > 0) await wire.send(lines);
    },
    close: (abruptly) => wire.close(abruptly),
  };
}

function check(options: Options): void {
  onlyKnown(options, known, (key) => `unknown log opt '${key}' for syslog log driver`);
  addressOf(options["syslog-address"] ?? "");
  facilityOf(options["syslog-facility"] ?? "");
  formatOf(options["syslog-format"] ?? "");
}

export const syslog: RemoteDriver = { name: "syslog", check, open };
