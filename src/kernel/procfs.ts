/** Readers of the host's /proc: the machine, and the formats of its files. */
import { readFile } from "node:fs/promises";

/** Fields of /proc/PID/stat behind the name, which may hold blanks and brackets itself: proc(5). */
export function parseStat(text: string): { comm: string; fields: readonly string[] } {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  return {
    comm: text.slice(open + 1, close),
    fields: text
      .slice(close + 2)
      .trim()
      .split(" "),
  };
}

/** `pts/3`, `tty1`, `ttyS0` of a terminal's device number. */
export function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (device === 0) return "";
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  if (major === 5 && minor === 1) return "console";
  return `${major}:${minor}`;
}

/** The time the machine started, milliseconds since 1970. */
export async function bootTimeMs(): Promise<number> {
  const match = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"));
  return Number(match?.[1] ?? "0") * 1000;
}

/** `Key: value` lines of /proc/meminfo in bytes. */
export async function memoryInfo(): Promise<ReadonlyMap<string, number>> {
  const result = new Map<string, number>();
  for (const [, key = "", value = "", unit] of (await readFile("/proc/meminfo", "utf8")).matchAll(/^([^:]+):\s+(\d+)( kB)?$/gm))
    result.set(key, Number(value) * (unit === undefined ? 1 : 1024));
  return result;
}
