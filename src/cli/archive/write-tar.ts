import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { systemError } from "../../base/errors.ts";
import { fileError } from "./file-error.ts";
import { blockBytes, type EntryKind, headerBlocks, padding, type TarEntry } from "./tar-header.ts";

const chunkBytes = 1 << 20;

function kindOf(stats: BigIntStats): EntryKind | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isFIFO()) return "fifo";
  if (stats.isCharacterDevice()) return "character";
  return stats.isBlockDevice() ? "block" : undefined; // Sockets cannot be archived.
}

/** Linux's dev_t: twelve and twenty bits, in pieces. */
const deviceMajor = (device: bigint): number => Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn));
const deviceMinor = (device: bigint): number => Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));

function* fileData(path: string, sizeBytes: number): Generator<Buffer, void> {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw fileError("open", path, error);
  }
  try {
    for (let left = sizeBytes; left > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, left));
      const count = readSync(descriptor, chunk, 0, chunk.length, null);
      if (count === 0) throw systemError(`${path} became shorter while it was read`);
      left -= count;
      yield chunk.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
  if (padding(sizeBytes) > 0) yield Buffer.alloc(padding(sizeBytes));
}

/** Walks a tree and writes it; one object an archive, as hard links are told by what was written before. */
class TarWriter {
  readonly #links: Map<string, string> = new Map();

  *tree(path: string, name: string): Generator<Buffer, void> {
    let stats: BigIntStats;
    try {
      stats = lstatSync(path, { bigint: true });
    } catch (error) {
      throw fileError("lstat", path, error);
    }
    const kind = kindOf(stats);
    if (kind === undefined) return;
    const entry = this.#entry(path, name, kind, stats);
    yield headerBlocks(entry);
    if (entry.kind === "file") yield* fileData(path, entry.sizeBytes);
    if (kind !== "directory") return;
    let children: string[];
    try {
      children = readdirSync(path).sort();
    } catch (error) {
      throw fileError("open", path, error);
    }
    for (const child of children) yield* this.tree(`${path}/${child}`, `${name}/${child}`);
  }

  #entry(path: string, name: string, kind: EntryKind, stats: BigIntStats): TarEntry {
    const base = {
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeSeconds: Number(stats.mtimeMs / 1000n),
      major: 0,
      minor: 0,
      sizeBytes: 0,
      link: "",
    };
    if (kind === "directory") return { ...base, kind, name: `${name}/` };
    if (kind === "symlink") return { ...base, kind, name, link: readlinkSync(path) };
    const inode = `${stats.dev}:${stats.ino}`;
    const earlier = this.#links.get(inode);
    if (earlier !== undefined) return { ...base, kind: "hardlink", name, link: earlier };
    if (stats.nlink > 1n) this.#links.set(inode, name);
    if (kind === "file") return { ...base, kind, name, sizeBytes: Number(stats.size) };
    return { ...base, kind, name, major: deviceMajor(stats.rdev), minor: deviceMinor(stats.rdev) };
  }
}

/** The archive of a file or of a directory with all that is in it, under the name `name`. */
export function* writeTar(path: string, name: string): Generator<Buffer, void> {
  yield* new TarWriter().tree(path, name);
  yield Buffer.alloc(2 * blockBytes);
}
