import { constants, lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/base.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/** No account file is larger. */
const maxBytes = 4 << 20;

/**
 * A file of the container's root file system as a start will see it: its own upper directory, then the image.
 * The path's directories are opened one by one and never through a link, as the upper directory is the
 * container's to write in. A link, a device or a whiteout reads as missing in the upper directory.
 */
export async function readRootFile(context: EngineContext, live: LiveContainer, path: string): Promise<Uint8Array | undefined> {
  const upper = await readInside(join(context.statePath(live.id), "upper"), path);
  if (upper === "hidden") return undefined;
  if (upper !== undefined) return upper;
  return await context.layers.readFile(live.record.settings.layers, path, maxBytes);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function readInside(root: string, path: string): Promise<Uint8Array | "hidden" | undefined> {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) return "hidden";
  // Nearly always the container has not touched the directory: one look is enough to know.
  if (!(await exists(join(root, parts[0] ?? "")))) return undefined;
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let directory = await open(root, flags | constants.O_DIRECTORY);
  try {
    for (const part of parts.slice(0, -1)) {
      const next = await open(`/proc/self/fd/${directory.fd}/${part}`, flags | constants.O_DIRECTORY);
      await directory.close();
      directory = next;
    }
    const file = await open(`/proc/self/fd/${directory.fd}/${parts.at(-1) ?? ""}`, flags);
    try {
      const stat = await file.stat();
      if (!stat.isFile() || stat.size > maxBytes) return "hidden";
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return undefined;
    if (errno === "ELOOP" || errno === "ENOTDIR" || errno === "ENXIO") return "hidden";
    throw error;
  } finally {
    await directory.close();
  }
}
