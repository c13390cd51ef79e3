import { mkdir } from "node:fs/promises";
import { LocalVolumes, type VolumesOptions } from "./local-volumes.ts";
import type { Volumes } from "./volumes.ts";

export type { VolumesOptions } from "./local-volumes.ts";

/** Opens the room: reads the records, finishes removals, and takes away unfinished directories. */
export async function openVolumes(options: VolumesOptions): Promise<Volumes> {
  await mkdir(options.root, { recursive: true, mode: 0o701 });
  const volumes = new LocalVolumes(options);
  await volumes.open();
  return volumes;
}
