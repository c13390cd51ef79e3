import { createWriteStream, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ExitError } from "../command.ts";
import { writeAll } from "./write.ts";

/** @throws ExitError when an archive cannot be written there; `what` says what failed: `failed to save image` */
export function checkArchivePath(path: string, what: string): void {
  if (path === "") {
    if (process.stdout.isTTY) throw new ExitError(1, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    return;
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new ExitError(1, `${what}: cannot write to a directory`);
  if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new ExitError(1, `${what}: invalid output path: stat ${dirname(path)}: no such file or directory`);
}

/**
 * Writes an archive to a file, or to standard output for an empty path. A plain file becomes visible when it
 * is whole; a device or pipe is written to as it is.
 */
export async function writeArchive(path: string, body: AsyncIterable<Buffer>): Promise<void> {
  if (path === "") {
    for await (const chunk of body) writeAll(1, chunk);
    return;
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) {
    await pipeline(body, createWriteStream(path));
    return;
  }
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    await pipeline(body, createWriteStream(partial, { mode: 0o600 }));
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
