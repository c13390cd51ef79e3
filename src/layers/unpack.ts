/**
 * Unpacks a layer through the broker. It goes by the index, whose names and places were checked when it was
 * made: nothing of the tar but file data is looked at again.
 */
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemError } from "../base/base.ts";
import type { FileMeta, FileOp, FileOps } from "../kernel/kernel.ts";
import { toBytes } from "./byte-string.ts";
import { ErofsReader, type FoundInode, type Piece } from "./erofs-read.ts";
import { indexName, tarName } from "./intake.ts";

/** Operations sent at a time. */
const batchSize = 500;

interface Step {
  readonly path: string;
  readonly inode: FoundInode;
}

function pathIn(diff: string, step: Step): Buffer {
  return Buffer.concat([Buffer.from(`${diff}/`), toBytes(step.path)]);
}

function metaOf(inode: FoundInode): FileMeta {
  return {
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    mtimeNanos: BigInt(inode.mtimeSeconds) * 1_000_000_000n + BigInt(inode.mtimeNanos),
    xattrs: inode.xattrs,
  };
}

/** All inodes below the root, directories before what is in them; a name that was seen already is a link to the first. */
function* inodes(reader: ErofsReader): Generator<Step> {
  const todo: Step[] = [{ path: "", inode: reader.inode(reader.rootNid) }];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    for (const [name, nid] of reader.entries(at.inode)) {
      const step = { path: at.path === "" ? name : `${at.path}/${name}`, inode: reader.inode(nid) };
      yield step;
      if (step.inode.kind === "directory") todo.push(step);
    }
  }
}

function fileOp(step: Step, pieces: readonly Piece[], directory: string): FileOp {
  const extents = pieces
    .filter((piece) => piece.device !== 0)
    .map(({ offset, at, length }) => [BigInt(offset), BigInt(at), BigInt(length)] as const);
  return {
    op: "file",
    path: toBytes(step.path),
    source: join(directory, tarName),
    size: BigInt(step.inode.size),
    extents,
    ...metaOf(step.inode),
  };
}

/**
 * Pieces of sparse files that do not lie block-aligned in the tar are in the index. They are put in by us: on
 * the way to the file are only directories that the broker has just made.
 */
async function addIndexPieces(step: Step, pieces: readonly Piece[], directory: string, diff: string): Promise<void> {
  await using index = await open(join(directory, indexName), "r");
  await using file = await open(pathIn(diff, step), constants.O_RDWR | constants.O_NOFOLLOW);
  const buffer = Buffer.alloc(1 << 20);
  for (const piece of pieces) {
    for (let done = 0; done < piece.length; ) {
      const { bytesRead } = await index.read(buffer, 0, Math.min(buffer.length, piece.length - done), piece.at + done);
      if (bytesRead === 0) throw systemError("a layer's index is damaged");
      await file.write(buffer, 0, bytesRead, piece.offset + done);
      done += bytesRead;
    }
  }
}

function opOf(reader: ErofsReader, step: Step, pieces: readonly Piece[], directory: string): FileOp {
  const path = toBytes(step.path);
  const meta = metaOf(step.inode);
  switch (step.inode.kind) {
    case "directory":
      return { op: "directory", path, ...meta };
    case "file":
      return fileOp(step, pieces, directory);
    case "symlink":
      return { op: "symlink", path, target: toBytes(reader.target(step.inode)), ...meta };
    case "character":
    case "block":
    case "fifo": {
      const type = { character: 0o020000, block: 0o060000, fifo: 0o010000 }[step.inode.kind];
      return { op: "node", path, major: step.inode.major, minor: step.inode.minor, ...meta, mode: type | meta.mode };
    }
    default:
      return step.inode.kind satisfies never;
  }
}

/** Files being written out at a time: more only wait for one another's commits of the journal. */
const syncsAtOnce = 4;

/** Has what is in the files written out. Names and attributes are journalled before the layer gets its name. */
async function sync(reader: ErofsReader, diff: string): Promise<void> {
  const steps = inodes(reader);
  const worker = async (): Promise<void> => {
    for (const step of steps) {
      if (step.inode.kind !== "file" || step.inode.size === 0) continue;
      await using file = await open(pathIn(diff, step), constants.O_RDONLY | constants.O_NOFOLLOW);
      await file.datasync();
    }
  };
  await Promise.all(Array.from({ length: syncsAtOnce }, worker));
}

/**
 * @param directory has the layer's tar and index
 * @param diff is empty
 */
export async function unpack(directory: string, diff: string, files: FileOps): Promise<void> {
  const reader = new ErofsReader(await readFile(join(directory, indexName)));
  const links = new Map<number, Uint8Array>();
  const directories: Step[] = [{ path: ".", inode: reader.inode(reader.rootNid) }];
  let batch: FileOp[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await files.apply(diff, batch);
    batch = [];
  };
  const add = async (step: Step): Promise<void> => {
    const pieces = step.inode.kind === "file" ? reader.pieces(step.inode) : [];
    batch.push(opOf(reader, step, pieces, directory));
    const inIndex = pieces.filter((piece) => piece.device === 0);
    if (inIndex.length === 0) return;
    await flush();
    await addIndexPieces(step, inIndex, directory, diff);
    batch.push({ op: "meta", path: toBytes(step.path), ...metaOf(step.inode) });
  };
  for (const step of inodes(reader)) {
    const first = links.get(step.inode.nid);
    if (first !== undefined) batch.push({ op: "link", path: toBytes(step.path), target: first });
    else await add(step);
    if (step.inode.kind === "directory") directories.push(step);
    else if (step.inode.links > 1 && first === undefined) links.set(step.inode.nid, toBytes(step.path));
    if (batch.length >= batchSize) await flush();
  }
  // Making files in a directory changes its mtime: directories are described last, the deepest first.
  for (const { path, inode } of directories.reverse()) {
    batch.push({ op: "meta", path: toBytes(path), ...metaOf(inode) });
    if (batch.length >= batchSize) await flush();
  }
  await flush();
  await sync(reader, diff);
}
