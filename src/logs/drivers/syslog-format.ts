/** Lines as syslog has them. The formats are those of Docker's driver, which are older than the RFCs in places. */
import type { LogMessage } from "../logs.ts";

export type SyslogFormat = "" | "rfc3164" | "rfc5424" | "rfc5424micro";

export interface SyslogIdentity {
  readonly facility: number;
  readonly hostname: string;
  readonly tag: string;
  readonly pid: number;
}

const [severityError, severityInfo] = [3, 6];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => String(value).padStart(2, "0");

/** `Jan  2 15:04:05`, local time. */
function stamp(date: Date): string {
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2, " ")} ${time}`;
}

/** RFC 3339 in local time, with microseconds if asked for. */
function localTime(date: Date, timeNanos: bigint, micro: boolean): string {
  const offset = -date.getTimezoneOffset();
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
  const zone = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const fraction = micro ? `.${String((timeNanos / 1000n) % 1_000_000n).padStart(6, "0")}` : "";
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${fraction}${zone}`;
}

function header(format: SyslogFormat, { stream, timeNanos }: LogMessage, identity: SyslogIdentity): string {
  const { facility, hostname, tag, pid } = identity;
  const priority = facility * 8 + (stream === "stderr" ? severityError : severityInfo);
  const date = new Date(Number(timeNanos / 1_000_000n));
  switch (format) {
    case "":
      return `<${priority}>${stamp(date)} ${tag}[${pid}]: `;
    case "rfc3164":
      return `<${priority}>${stamp(date)} ${hostname} ${tag}[${pid}]: `;
    case "rfc5424":
    case "rfc5424micro":
      return `<${priority}>1 ${localTime(date, timeNanos, format === "rfc5424micro")} ${hostname} ${tag} ${pid} ${tag} - `;
  }
}

/** One message with its newline. @param counted with its length in front (RFC 5425), as TLS receivers expect of RFC 5424 */
export function formatSyslog(format: SyslogFormat, message: LogMessage, identity: SyslogIdentity, counted: boolean): Buffer {
  const line = Buffer.concat([Buffer.from(header(format, message, identity)), message.text, Buffer.from("\n")]);
  return counted ? Buffer.concat([Buffer.from(`${line.length} `), line]) : line;
}
