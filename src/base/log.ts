/** The daemon's own log: a line a message on standard error, logfmt or JSON, with dockerd's fields and levels. */
export type Level = "debug" | "info" | "warn" | "error" | "fatal";
export type LogFormat = "text" | "json";

const order: readonly Level[] = ["debug", "info", "warn", "error", "fatal"];
let threshold: Level = "info";
let format: LogFormat = "text";

export function setLogLevel(level: Level): void {
  threshold = level;
}

export function setLogFormat(wanted: LogFormat): void {
  format = wanted;
}

export function isLevel(text: string): text is Level {
  return (order as readonly string[]).includes(text);
}

function quote(value: unknown): string {
  const text = value instanceof Error ? value.message : typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}

export type Fields = Readonly<Record<string, unknown>>;

function write(level: Level, message: string, fields: Fields): void {
  if (order.indexOf(level) < order.indexOf(threshold)) return;
  const time = new Date().toISOString();
  const name = level === "warn" ? "warning" : level;
  if (format === "json") {
    const plain = Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]);
    process.stderr.write(`${JSON.stringify({ ...Object.fromEntries(plain), level: name, msg: message, time })}\n`);
    return;
  }
  let line = `time=${quote(time)} level=${name} msg=${JSON.stringify(message)}`;
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) line += ` ${key}=${quote(value)}`;
  process.stderr.write(`${line}\n`);
}

export const log: Readonly<Record<Level, (message: string, fields?: Fields) => void>> = {
  debug: (message, fields = {}) => write("debug", message, fields),
  info: (message, fields = {}) => write("info", message, fields),
  warn: (message, fields = {}) => write("warn", message, fields),
  error: (message, fields = {}) => write("error", message, fields),
  fatal: (message, fields = {}) => write("fatal", message, fields),
};
