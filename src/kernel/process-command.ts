import { readFile } from "node:fs/promises";

/** The command line of a living process, its words joined by spaces; undefined when there is no such process, or it may not be read. */
export async function processCommand(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  return text?.replaceAll("\0", " ").trim();
}
