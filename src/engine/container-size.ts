import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerRecord } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";

/** Bytes of the files below a directory, hard links counted once. What vanishes meanwhile counts nothing. */
async function treeSize(directory: string, seen: Set<string>): Promise<number> {
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

/** What the container has written, and that with its image. Bytes. */
export async function containerSizes(context: EngineContext, record: ContainerRecord): Promise<{ rw: number; rootFs: number }> {
  const rw = await treeSize(join(context.statePath(record.id), "upper"), new Set());
  const image = context.images.get(record.settings.imageId);
  return { rw, rootFs: rw + (image?.sizeBytes ?? 0) };
}
