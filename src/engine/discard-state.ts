import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { type ContainerId, errnoOf } from "../base/base.ts";
import type { EngineContext } from "./context.ts";

/**
 * Takes a container's directory away: out of sight at once (a rename), its blocks freed in the background.
 * Large file systems cost the client nothing.
 */
export async function discardState(context: EngineContext, id: ContainerId): Promise<void> {
  try {
    await rename(context.statePath(id), join(context.trashPath, id));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return;
  }
  context.inBackground("emptying the trash", context.emptyTrash(id));
}

/** At start: makes the directories, empties the trash, and throws away what no record owns. */
export async function sweepState(context: EngineContext): Promise<void> {
  const containers = join(context.dataRoot, "containers");
  await Promise.all([mkdir(containers, { recursive: true, mode: 0o710 }), mkdir(context.trashPath, { recursive: true, mode: 0o700 })]);
  for (const name of await readdir(context.trashPath)) context.inBackground("emptying the trash", context.emptyTrash(name));
  for (const name of await readdir(containers)) {
    if (context.store.get(name) === undefined) await discardState(context, name as ContainerId);
  }
}
