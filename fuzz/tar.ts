/**
 * Mutates tars and feeds them to the layer reader: each is either refused with an InvalidParameter or becomes an
 * index in which every name can be found again.
 *   node fuzz/tar.ts [COUNT] [SEED]
 */
import { isEngineError } from "../src/base/base.ts";
import { ErofsReader, type FoundInode } from "../src/layers/erofs-read.ts";
import { writeErofs } from "../src/layers/erofs-write.ts";
import { LayerTree } from "../src/layers/layer-tree.ts";
import { checksum, type SampleEntry, sampleTar } from "../src/layers/sample-tar.ts";
import { TarScanner } from "../src/layers/tar-scanner.ts";

type Random = (below: number) => number;

/** A small generator, so that a seed gives the same tars again (Marsaglia's xorshift32). */
function randomFrom(seed: number): Random {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const map = Buffer.alloc(512);
map.write("2\n0\n512\n4096\n512\n");
const seeds: readonly SampleEntry[] = [
  { name: "file", data: "x".repeat(600) },
  { name: "d/", type: "5", mode: 0o755 },
  { name: "d/f", data: "f", pax: { mtime: "1.5", "SCHILY.xattr.user.a": "v", uid: "70000" } },
  { name: "l", type: "2", link: "d" },
  { name: "l/through", data: "t" },
  { name: "h", type: "1", link: "file" },
  { name: "c", type: "3", major: 1, minor: 3 },
  { name: "p", type: "6" },
  { name: "d/.wh.gone" },
  { name: "d/.wh..wh..opq" },
  { name: "L", type: "L", data: `${"n".repeat(150)}\0` },
  { name: "s", pax: { "GNU.sparse.map": "0,1,2048,3", "GNU.sparse.size": "5000", "GNU.sparse.name": "sparse" }, data: "abcd" },
  {
    name: "s1",
    pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9000" },
    data: Buffer.concat([map, Buffer.alloc(1024, 1)]),
  },
  { name: "S", type: "S", magic: "ustar  \0", data: "q" },
  { name: "big", size: 2 ** 34 },
];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}

/** Changes a few bytes, copies or cuts a stretch; then mostly mends the checksums, to come further than the first header. */
function mutate(tar: Buffer, random: Random): Buffer {
  let data = Buffer.from(tar);
  for (let changes = random(6); changes > 0; changes--) {
    const at = random(data.length);
    const kind = random(5);
    if (kind === 0) data[at] = random(256);
    else if (kind === 1) data[at] = (data[at] ?? 0) ^ (1 << random(8));
    else if (kind === 2) data.copy(data, random(data.length), at, at + random(64));
    else if (kind === 3)
      data.write(pick(random, ["../", "/", "\0", "77777777777", "-1", "\xff\xff\xff\xff", ".wh.", "9".repeat(20), "="]), at, "latin1");
    else data = Buffer.concat([data.subarray(0, at), data.subarray(Math.min(data.length, at + 512 * random(3)))]);
    if (data.length === 0) return data;
  }
  if (random(4) > 0) {
    for (let at = 0; at + 512 <= data.length; at += 512)
      if (data.toString("latin1", at + 257, at + 262) === "ustar") checksum(data.subarray(at, at + 512));
  }
  return data;
}

/** Every name that the index lists is found, and every inode is whole. @returns how many there are */
function verify(reader: ErofsReader): number {
  const todo: FoundInode[] = [reader.inode(reader.rootNid)];
  let count = 0;
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    for (const [name, nid] of reader.entries(directory)) {
      count++;
      const inode = reader.lookup(directory, name);
      if (inode === undefined || inode.nid !== nid) throw new Error(`the index lost ${JSON.stringify(name)}`);
      if (inode.kind === "directory") todo.push(inode);
      else if (inode.kind === "symlink") reader.target(inode);
      else if (inode.kind === "file") reader.pieces(inode);
    }
  }
  return count;
}

export interface FuzzResult {
  readonly accepted: number;
  readonly refused: number;
  readonly names: number;
}

/** @throws what any of the inputs threw that is not InvalidParameter, with the run's number */
function fuzzTars(count: number, seed: number): FuzzResult {
  const random = randomFrom(seed);
  let accepted = 0;
  let names = 0;
  for (let run = 0; run < count; run++) {
    const entries = Array.from({ length: 1 + random(8) }, () => pick(random, seeds));
    const tar = mutate(sampleTar(...entries), random);
    try {
      const tree = new LayerTree();
      const scanner = new TarScanner((entry) => tree.add(entry));
      const piece = 1 + random(3000);
      for (let at = 0; at < tar.length; at += piece) scanner.push(tar.subarray(at, at + piece));
      scanner.end();
      const index = writeErofs(tree.root, [tar.length]);
      for (const { from, length } of index.copies) if (from + length > tar.length) throw new Error("data outside of the tar");
      names += verify(new ErofsReader(index.bytes));
      accepted++;
    } catch (error) {
      if (!isEngineError(error, "InvalidParameter")) throw new Error(`run ${run} of seed ${seed} failed`, { cause: error });
    }
  }
  return { accepted, refused: count - accepted, names };
}

if (import.meta.main) {
  const count = Number(process.argv[2] ?? 10_000);
  const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
  process.stdout.write(`${JSON.stringify({ seed, ...fuzzTars(count, seed) })}\n`);
}
