/** The daemon's own log: one logfmt line a message on standard error, with dockerd's fields and levels. */
export type Level = "debug" | "info" | "warn" | "error" | "fatal";

const order: readonly Level[] = ["debug", "info", "warn", "error", "fatal"];
let threshold: Level = "info";

export function setLogLevel(level: Level): void {
  threshold = level;
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
  let line = `time=${quote(new Date().toISOString())} level=${level} msg=${JSON.stringify(message)}`;
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
