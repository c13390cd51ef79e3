/** What this kernel can do, found out once at start. */
import { access, mkdtemp, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import type { KernelFeatures, LayerMounts } from "./kernel.ts";

/** CGROUP2_SUPER_MAGIC */
const cgroup2Magic = 0x63677270;

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
}

/**
 * The smallest EROFS image: a superblock and an empty root directory, one block of 4 KiB. Layout: the kernel's
 * fs/erofs/erofs_fs.h (erofs_super_block at 1024, erofs_inode_compact, erofs_dirent).
 */
export function emptyErofs(): Buffer {
  const image = Buffer.alloc(4096);
  const superBlock = 1024;
  const rootNid = (superBlock + 128) / 32;
  image.writeUInt32LE(0xe0f5e1e2, superBlock);
  image.writeUInt8(12, superBlock + 12);
  image.writeUInt16LE(rootNid, superBlock + 14);
  image.writeBigUInt64LE(1n, superBlock + 16);
  image.writeUInt32LE(1, superBlock + 36);
  const inode = rootNid * 32;
  image.writeUInt16LE(2 << 1, inode); // compact, data inline behind the inode
  image.writeUInt16LE(0o040755, inode + 4);
  image.writeUInt16LE(2, inode + 6);
  image.writeUInt32LE(27, inode + 8);
  const entries = inode + 32;
  for (const [index, nameOffset] of [24, 25].entries()) {
    image.writeBigUInt64LE(BigInt(rootNid), entries + index * 12);
    image.writeUInt16LE(nameOffset, entries + index * 12 + 8);
    image.writeUInt8(2, entries + index * 12 + 10);
  }
  image.write("...", entries + 24);
  return image;
}

/** Mounts an image that is a plain file. The kernel refuses files on tmpfs, so several places are tried. */
async function mountsErofsFiles(layers: LayerMounts, places: readonly string[]): Promise<boolean> {
  for (const place of places) {
    const directory = await mkdtemp(join(place, ".berth-probe-")).catch(() => undefined);
    if (directory === undefined) continue;
    const key = `probe-${process.pid}`;
    try {
      const image = join(directory, "erofs");
      await writeFile(image, emptyErofs());
      await layers.mountErofs(key, image, []);
      await layers.unmount(key);
      return true;
    } catch {
      // The next place may be on a file system that works.
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  return false;
}

export async function probeFeatures(layers: LayerMounts, execRoot: string, native: string): Promise<KernelFeatures> {
  const [cgroup, apparmor, seccomp, userLimit, user, time, erofsFiles] = await Promise.all([
    statfs("/sys/fs/cgroup").catch(() => undefined),
    textOf("/sys/module/apparmor/parameters/enabled"),
    exists("/proc/sys/kernel/seccomp/actions_avail"),
    textOf("/proc/sys/user/max_user_namespaces"),
    exists("/proc/self/ns/user"),
    exists("/proc/self/ns/time"),
    mountsErofsFiles(layers, [execRoot, "/var/lib", "/var/tmp", dirname(native)]),
  ]);
  return {
    release: release(),
    cgroupVersion: cgroup?.type === cgroup2Magic ? 2 : 1,
    erofsFiles,
    apparmor: apparmor === "Y",
    seccomp,
    userNamespaces: user && userLimit !== "0",
    timeNamespaces: time,
  };
}
