import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/base.ts";

const directories = ["dev/pts", "dev/shm", "proc", "sys", "etc"];
const files = ["etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/console", ".dockerenv"];

/**
 * Makes the layer that lies on top of every image: the directories and empty files that are mounted over in each
 * container. As they are there already, a start writes nothing to the container's own layer, which shows in its time,
 * in `diff` and in commits. `/.dockerenv` and `/etc/mtab` are there because programs look for them.
 * @returns its path
 */
export async function makeMountPointsLayer(dataRoot: string): Promise<string> {
  const root = join(dataRoot, "mount-points");
  for (const directory of directories) await mkdir(join(root, directory), { recursive: true, mode: 0o755 });
  await Promise.all(files.map((file) => writeFile(join(root, file), "", { mode: file === ".dockerenv" ? 0o755 : 0o644 })));
  await symlink("/proc/mounts", join(root, "etc/mtab")).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
  return root;
}
