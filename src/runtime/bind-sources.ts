import { mkdir } from "node:fs/promises";
import { errnoOf } from "../base/base.ts";
import type { UserMount } from "./runtime.ts";

/** Makes the source of a bind, as a directory, when it is missing and the user has not asked for an error then. */
export async function makeMissingSource(mount: UserMount): Promise<void> {
  if (mount.type !== "bind" || mount.createSource !== true) return;
  await mkdir(mount.source, { recursive: true }).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST" && errnoOf(error) !== "ENOTDIR") throw error; // a file, socket or device is there: fine
  });
}
