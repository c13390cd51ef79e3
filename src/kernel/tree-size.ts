import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of the files below a directory, hard links counted once. What vanishes meanwhile counts nothing. */
export async function treeSize(directory: string, seen: Set<string> = new Set()): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      bytes += await treeSize(path, seen);
      continue;
    }
    const stat = await lstat(path).catch(() => undefined);
    if (stat === undefined) continue;
    const key = `${stat.dev}:${stat.ino}`;
    if (stat.nlink > 1 && seen.has(key)) continue;
    seen.add(key);
    bytes += stat.size;
  }
  return bytes;
}
