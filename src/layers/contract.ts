/**
 * What every layer driver must do, as tests: `describe`d for each driver by `layers.root.test.ts`. GNU tar,
 * which had no part in the code, says what a tar means; overlayfs says what a chain means.
 */
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Digest, digestOf, hexOf, isEngineError } from "../base/base.ts";
import type { IngestedLayer, Layers } from "./layers.ts";
import { type SampleEntry, sampleTar } from "./sample-tar.ts";
import { extract, makeSampleTree, packTree } from "./sample-tree.ts";

/** What `dump-tree.py` prints: by path in hex, [mode, uid, gid, size, mtime, rdev, links, xattrs, content, first name]. */
export type Dump = Readonly<
  Record<string, readonly [number, number, number, number, number, number, number, Readonly<Record<string, string>>, string, string]>
>;

export interface ContractRoom extends AsyncDisposable {
  readonly layers: Layers;
  /** The data root's `layers`. */
  readonly root: string;
  /** Kills the broker, and resolves when there is another one. */
  killBroker(): Promise<void>;
  /** Looks at a directory of {@link Layers.lower}, or at the overlay of several, topmost first. */
  dump(lower: readonly string[], overlay: boolean): Promise<Dump>;
}

export type OpenRoom = (scratch: string) => Promise<ContractRoom>;

const key = (path: string): string => Buffer.from(path === "" ? "" : `/${path}`).toString("hex");
const names = (dump: Dump): string[] =>
  Object.keys(dump)
    .map((hex) => Buffer.from(hex, "hex").toString("latin1").slice(1))
    .filter((name) => name !== "")
    .sort();
const stream = (data: Uint8Array, piece = 10_000): Readable =>
  Readable.from(
    (function* () {
      for (let at = 0; at < data.length; at += piece) yield Buffer.from(data.subarray(at, at + piece));
    })(),
    { objectMode: false },
  );

/** Directories' link counts and sizes differ from file system to file system. */
function comparable(dump: Dump): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(dump).map(([path, [mode, uid, gid, size, mtime, rdev, links, xattrs, content, first]]) => {
      const isDirectory = (mode & 0o170000) === 0o040000;
      return [path, { mode: mode.toString(8), uid, gid, size, mtime, rdev, links: isDirectory ? 0 : links, xattrs, content, first }];
    }),
  );
}

/** @param skip why the tests cannot run here, or false */
export function layerContract(name: string, skip: string | false, openRoom: OpenRoom): void {
  describe(`layers by ${name}`, { skip }, () => {
    let scratch = "";
    let room: ContractRoom;
    const ingest = (...entries: (SampleEntry | Buffer)[]): Promise<IngestedLayer> => room.layers.ingest(stream(sampleTar(...entries)));
    const look = async (...chain: IngestedLayer[]): Promise<Dump> =>
      room.dump(await room.layers.lower(chain.map((layer) => layer.diffId)), true);
    const lookAtOne = async (layer: IngestedLayer): Promise<Dump> => room.dump(await room.layers.lower([layer.diffId]), false);
    const nothingLeft = async (): Promise<void> =>
      assert.deepEqual(
        (await readdir(room.root)).filter((entry) => entry.startsWith(".")),
        [],
      );

    before(async () => {
      // On a disk: a file on tmpfs cannot be mounted.
      scratch = await mkdtemp("/var/tmp/berth-test-layers-");
      room = await openRoom(scratch);
    });
    after(async () => {
      await room[Symbol.asyncDispose]();
      await rm(scratch, { recursive: true, force: true });
    });

    trees(() => ({ scratch, room, lookAtOne }));
    chains(() => ({ room, ingest, look }));
    stacks(() => ({ room, ingest, look }));
    contents(() => ({ room, ingest, lookAtOne }));
    streams(() => ({ room, ingest, lookAtOne }));
    arrivals(() => ({ room, nothingLeft }));
    refusals(() => ({ room, ingest, nothingLeft }));
    lives(() => ({ room, ingest, nothingLeft }));
    files(() => ({ room, ingest }));
    faults(() => ({ room, ingest, look }));
  });
}

function trees(at: () => { scratch: string; room: ContractRoom; lookAtOne: (layer: IngestedLayer) => Promise<Dump> }): void {
  const formats = ["gnu", "pax", "posix-sparse-0.0", "posix-sparse-0.1"] as const;
  before(async () => {
    await mkdir(join(at().scratch, "tree"));
    makeSampleTree(join(at().scratch, "tree"));
  });
  for (const format of formats) {
    test(`a tree of everything, as ${format}, is what GNU tar extracts`, async () => {
      const { scratch, room, lookAtOne } = at();
      const tar = join(scratch, `${format}.tar`);
      const out = join(scratch, `out-${format}`);
      packTree(join(scratch, "tree"), tar, format);
      await mkdir(out);
      extract(tar, out);
      const layer = await room.layers.ingest(createReadStream(tar));
      const [got, want] = [await lookAtOne(layer), await room.dump([out], false)];
      assert.ok(names(want).length > 3400);
      assert.deepEqual(comparable(got), comparable(want));
      assert.equal(layer.diffId, digestOf(await readFile(tar)), "the diffID is the digest of the tar");
      assert.deepEqual(await readFile(room.layers.tarPath(layer.diffId)), await readFile(tar), "kept byte by byte");
    });
  }
}

function chains(
  at: () => {
    room: ContractRoom;
    ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer>;
    look: (...chain: IngestedLayer[]) => Promise<Dump>;
  },
): void {
  test("whiteouts hide files, directories and links of lower layers", async () => {
    const { ingest, look } = at();
    const base = await ingest(
      { name: "a", data: "a" },
      { name: "d/x", data: "x" },
      { name: "keep/y", data: "y" },
      { name: "l", type: "2", link: "a" },
    );
    const top = await ingest({ name: ".wh.a" }, { name: ".wh.d" }, { name: "./.wh.l" }, { name: "keep/z", data: "z" });
    assert.deepEqual(names(await look(base, top)), ["keep", "keep/y", "keep/z"]);
  });

  test("a whiteout hides nothing of its own layer, whichever comes first", async () => {
    const { ingest, look } = at();
    const base = await ingest({ name: "d/old" }, { name: "e/old" }, { name: "f", data: "old" });
    const top = await ingest(
      { name: "d/new" },
      { name: ".wh.d" },
      { name: ".wh.e" },
      { name: "e/new" },
      { name: ".wh.f" },
      { name: "f", data: "new!" },
    );
    const dump = await look(base, top);
    assert.deepEqual(names(dump), ["d", "d/new", "e", "e/new", "f"]);
    assert.equal(dump[key("f")]?.[3], 4);
  });

  test("an opaque directory shows only its own layer", async () => {
    const { ingest, look } = at();
    const base = await ingest({ name: "d/old" }, { name: "d/sub/old" }, { name: "other" });
    const top = await ingest({ name: "d/new" }, { name: "d/.wh..wh..opq" });
    assert.deepEqual(names(await look(base, top)), ["d", "d/new", "other"]);
    const above = await ingest({ name: "d/newest" });
    assert.deepEqual(names(await look(base, top, above)), ["d", "d/new", "d/newest", "other"]);
  });

  test("a directory replaces a file of a lower layer, and a file a directory", async () => {
    const { ingest, look } = at();
    const base = await ingest({ name: "was-file" }, { name: "was-directory/x" });
    const top = await ingest({ name: "was-file/x" }, { name: "was-directory", data: "now a file" });
    assert.deepEqual(names(await look(base, top)), ["was-directory", "was-file", "was-file/x"]);
  });
}

function stacks(
  at: () => {
    room: ContractRoom;
    ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer>;
    look: (...chain: IngestedLayer[]) => Promise<Dump>;
  },
): void {
  test("hard links are one file in each layer that has them", async () => {
    const { ingest, look } = at();
    const base = await ingest({ name: "a", data: "base" }, { name: "b", type: "1", link: "a" });
    const top = await ingest({ name: "c", data: "top!!" }, { name: "d", type: "1", link: "/c" }, { name: "a", type: "1", link: "./c" });
    const dump = await look(base, top);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((path) => dump[key(path)]?.[3]),
      [5, 4, 5, 5],
    );
    assert.equal(dump[key("c")]?.[6], 3);
    assert.deepEqual(
      ["a", "c", "d"].map((path) => dump[key(path)]?.[9]),
      [key("a"), key("a"), key("a")],
    );
  });

  test("a chain of 127 layers", async () => {
    const { ingest, look } = at();
    const chain: IngestedLayer[] = [];
    for (let i = 0; i < 127; i++) chain.push(await ingest({ name: `f${i}`, data: String(i) }, { name: "same", data: "s".repeat(i) }));
    const dump = await look(...chain);
    assert.equal(names(dump).length, 128);
    assert.equal(dump[key("same")]?.[3], 126);
  });

  test("an empty chain is an empty directory", async () => {
    const { room, look } = at();
    assert.deepEqual(names(await room.dump(await room.layers.lower([]), false)), []);
    assert.deepEqual(names(await look()), []);
  });
}

function contents(
  at: () => {
    room: ContractRoom;
    ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer>;
    lookAtOne: (layer: IngestedLayer) => Promise<Dump>;
  },
): void {
  test("a file of more than 8 GiB, by pax size, keeps its holes", async () => {
    const { ingest, lookAtOne } = at();
    const size = 9 * 2 ** 30;
    const data = Buffer.alloc(8192, 7);
    const pax = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "big", "GNU.sparse.realsize": String(size) };
    const map = Buffer.alloc(512);
    map.write(`1\n${2 ** 33}\n8192\n`);
    const layer = await ingest({
      name: "GNUSparseFile.1/big",
      data: Buffer.concat([map, data]),
      pax: { ...pax, size: String(8192 + 512) },
    });
    assert.equal((await lookAtOne(layer))[key("big")]?.[3], size);
  });

  test("entries of one name: the last counts, a directory keeps what is in it", async () => {
    const { ingest, lookAtOne } = at();
    const layer = await ingest(
      { name: "f", data: "first" },
      { name: "d/", type: "5", mode: 0o700 },
      { name: "d/in" },
      { name: "f", data: "second one" },
      { name: "d", type: "5", mode: 0o711, mtime: 77 },
    );
    const dump = await lookAtOne(layer);
    assert.equal(dump[key("f")]?.[3], 10);
    assert.deepEqual([dump[key("d")]?.[0], dump[key("d")]?.[4]], [0o040711, 77e9]);
    assert.deepEqual(names(dump), ["d", "d/in", "f"]);
  });

  test("absolute names are the root's, missing parents are made 0755 root", async () => {
    const { ingest, lookAtOne } = at();
    const dump = await lookAtOne(await ingest({ name: "/abs/dir/file" }, { name: "./x/./y//z" }, { name: "x/../top" }));
    assert.deepEqual(names(dump), ["abs", "abs/dir", "abs/dir/file", "top", "x", "x/y", "x/y/z"]);
    assert.deepEqual(dump[key("abs/dir")]?.slice(0, 3), [0o040755, 0, 0]);
  });

  test("a link on the way is followed inside the layer, an absolute one from its root", async () => {
    const { ingest, lookAtOne } = at();
    const links = [
      { name: "lib", type: "2", link: "usr/lib" },
      { name: "esc", type: "2", link: "/../../usr" },
    ] as const;
    const dump = await lookAtOne(await ingest({ name: "usr/lib", type: "5" }, ...links, { name: "lib/a" }, { name: "esc/b" }));
    assert.deepEqual(names(dump), ["esc", "lib", "usr", "usr/b", "usr/lib", "usr/lib/a"]);
  });
}

function streams(
  at: () => {
    room: ContractRoom;
    ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer>;
    lookAtOne: (layer: IngestedLayer) => Promise<Dump>;
  },
): void {
  test("extended attributes of overlayfs itself are not taken from a tar; bookkeeping of aufs is no file", async () => {
    const { ingest, lookAtOne } = at();
    const pax = { "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.good": "yes", "SCHILY.xattr.nonsense": "x" };
    const dump = await lookAtOne(await ingest({ name: "d", type: "5", pax }, { name: ".wh..wh.plnk/1.2" }, { name: ".wh..wh.aufs" }));
    assert.deepEqual(names(dump), ["d"]);
    assert.deepEqual(dump[key("d")]?.[7], { "user.good": Buffer.from("yes").toString("hex") });
  });

  test("an empty layer, in its two forms", async () => {
    const { room, ingest, lookAtOne } = at();
    assert.deepEqual(names(await lookAtOne(await ingest())), []);
    assert.deepEqual(names(await lookAtOne(await room.layers.ingest(stream(Buffer.alloc(0))))), []);
  });

  test("gzip of several members, zstd of several frames, and long ones through a worker", async () => {
    const { room } = at();
    const tar = sampleTar(...Array.from({ length: 3000 }, (_, i) => ({ name: `g${i}`, data: "g".repeat(i) })));
    const halves = [tar.subarray(0, 1_000_001), tar.subarray(1_000_001)];
    for (const data of [
      tar,
      Buffer.concat(halves.map((half) => gzipSync(half))),
      Buffer.concat(halves.map((half) => zstdCompressSync(half))),
    ]) {
      const layer = await room.layers.ingest(stream(data, 70_001));
      assert.equal(layer.diffId, digestOf(tar));
      assert.equal(layer.sizeBytes, tar.length);
      await room.layers.remove(layer.diffId);
    }
  });
}

/** A file beside the layers that grows while it is taken in. */
async function ingestGrowing(room: ContractRoom, data: Buffer, isTar: boolean, diffId: Digest, upTo = data.length): Promise<IngestedLayer> {
  const path = join(room.root, "..", "arriving");
  const piece = 300_001;
  async function* arrival(): AsyncGenerator<number> {
    await using file = await open(path, "wx", 0o600);
    for (let at = 0; at < upTo; at += piece) {
      await file.write(data, at, Math.min(piece, upTo - at), at);
      yield Math.min(at + piece, upTo);
    }
    if (upTo < data.length) throw new Error("it broke off");
  }
  try {
    return await room.layers.ingestArriving({ path, sizeBytes: data.length, isTar, arrival: arrival() }, diffId);
  } finally {
    await rm(path);
  }
}

function arrivals(at: () => { room: ContractRoom; nothingLeft: () => Promise<void> }): void {
  const small = sampleTar({ name: "a", data: "small" });
  const large = sampleTar(...Array.from({ length: 40 }, (_, i) => ({ name: `g${i}`, data: "g".repeat(25_000 + i) })));

  test("files that are still growing, large and small: compressed ones, and plain ones, which become the layer's tar themselves", async () => {
    const { room } = at();
    for (const tar of [small, large])
      for (const [data, isTar] of [
        [tar, true],
        [tar, false],
        [gzipSync(tar), false],
        [zstdCompressSync(tar), false],
      ] as const) {
        const layer = await ingestGrowing(room, data, isTar, digestOf(tar));
        assert.deepEqual(layer, { diffId: digestOf(tar), sizeBytes: tar.length, existed: false });
        assert.deepEqual(await readFile(room.layers.tarPath(layer.diffId)), tar);
        assert.equal((await ingestGrowing(room, data, isTar, layer.diffId)).existed, true);
        await room.layers.remove(layer.diffId);
      }
  });

  test("files that break off, that are another layer, or none", async () => {
    const { room, nothingLeft } = at();
    for (const isTar of [true, false]) {
      await assert.rejects(ingestGrowing(room, large, isTar, digestOf(large), 600_002), /it broke off/);
      await assert.rejects(ingestGrowing(room, large, isTar, digestOf(small)), { code: "InvalidParameter", message: /invalid diffID/ });
      await assert.rejects(ingestGrowing(room, Buffer.alloc(700_000, "x"), isTar, digestOf(small)), { code: "InvalidParameter" });
    }
    await nothingLeft();
  });
}

const hostile: Readonly<Record<string, readonly (SampleEntry | Buffer)[]>> = {
  "a name that leaves the root": [{ name: "../evil" }],
  "a name that leaves the root later": [{ name: "a/../../evil" }],
  "an absolute name that leaves the root": [{ name: "/../evil" }],
  "a pax name that leaves the root": [{ name: "x", pax: { path: "../../evil" } }],
  "a hard link to outside": [{ name: "x", type: "1", link: "../../etc/passwd" }],
  "a hard link to nothing": [{ name: "x", type: "1", link: "missing" }],
  "a hard link to a directory": [
    { name: "d", type: "5" },
    { name: "x", type: "1", link: "d" },
  ],
  "a file as directory": [{ name: "f" }, { name: "f/x" }],
  "a circle of links": [{ name: "a", type: "2", link: "b" }, { name: "b", type: "2", link: "a" }, { name: "a/x" }],
  "a whiteout of ..": [{ name: "d/.wh..." }],
  "a whiteout of nothing": [{ name: "d/.wh." }],
  "a name component of 256 bytes": [{ name: "x", pax: { path: "n".repeat(256) } }],
  "a name of 5000 bytes": [{ name: "x", pax: { path: "a/".repeat(2500) } }],
  "a NUL in a pax name": [{ name: "x", pax: { path: "a\0b" } }],
  "a pax record that is too long": [{ name: "p", type: "x", data: "99 path=x\n" }, { name: "x" }],
  "a pax record without a length": [{ name: "p", type: "x", data: "path=x\n" }, { name: "x" }],
  "a pax header of 1 GiB": [{ name: "p", type: "x", size: 2 ** 30 }],
  "a long name of 1 TiB": [{ name: "L", type: "L", size: 2 ** 40 }],
  "a negative size": [{ name: "x", size: -1n }],
  "an absurd size": [{ name: "x", size: 2n ** 80n }],
  "a negative pax size": [{ name: "x", pax: { size: "-5" } }],
  "a pax size beyond the end": [{ name: "x", data: "abc", pax: { size: "99999" } }],
  "a sparse map outside of its file": [{ name: "x", data: "abc", pax: { "GNU.sparse.map": "100,3", "GNU.sparse.size": "10" } }],
  "a sparse map that overlaps": [{ name: "x", data: "abcdef", pax: { "GNU.sparse.map": "0,3,2,3", "GNU.sparse.size": "10" } }],
  "a sparse map without its data": [{ name: "x", data: "abc", pax: { "GNU.sparse.map": "0,4", "GNU.sparse.size": "10" } }],
  "a sparse file of an exabyte": [{ name: "x", pax: { "GNU.sparse.map": "0,0", "GNU.sparse.size": String(2 ** 52) } }],
  "an unknown type": [{ name: "x", type: "V" }],
  "a wrong checksum": [Buffer.from(sampleTar({ name: "x" })).fill(0x31, 148, 154)],
  "no tar": [Buffer.from("Just some text, and not a tar. ".repeat(50))],
  "an owner out of range": [{ name: "x", pax: { uid: String(2 ** 40) } }],
  "extended attributes beyond all limits": [{ name: "x", pax: { "SCHILY.xattr.user.a": "x".repeat(65_000) } }],
  "a device number out of range": [{ name: "x", type: "3", major: 5000, minor: 1 }],
};

function refusals(
  at: () => {
    room: ContractRoom;
    ingest: (...entries: (SampleEntry | Buffer)[]) => Promise<IngestedLayer>;
    nothingLeft: () => Promise<void>;
  },
): void {
  for (const [what, entries] of Object.entries(hostile)) {
    test(`refuses ${what} and leaves nothing`, async () => {
      const { ingest, nothingLeft } = at();
      await assert.rejects(ingest({ name: "good", data: "good" }, ...entries), (error) => isEngineError(error, "InvalidParameter"));
      await nothingLeft();
    });
  }

  test("refuses what is cut off anywhere, compressed or not", async () => {
    const { room, nothingLeft } = at();
    const tar = sampleTar({ name: "x", data: "x".repeat(1000) }, { name: "y", data: "y".repeat(3000), pax: { mtime: "1.5" } });
    const whole = tar.length - 1024;
    const cuts = [100, 511, 600, 1400, 2048 + 512, 2048 + 700, whole - 1];
    const compressed = [gzipSync(tar), zstdCompressSync(tar)].flatMap((data) =>
      [10, data.length >> 1, data.length - 1].map((cut) => data.subarray(0, cut)),
    );
    for (const data of [...cuts.map((cut) => tar.subarray(0, cut)), ...compressed]) {
      await assert.rejects(
        room.layers.ingest(stream(data)),
        (error) => isEngineError(error, "InvalidParameter"),
        `cut to ${data.length} bytes`,
      );
    }
    await nothingLeft();
  });

  test("refuses another digest than expected, and a stream that breaks", async () => {
    const { room, nothingLeft } = at();
    await assert.rejects(room.layers.ingest(stream(sampleTar({ name: "x" })), digestOf("something else")), /invalid diffID: expected/);
    const big = sampleTar(...Array.from({ length: 100 }, (_, i) => ({ name: `f${i}`, data: "f".repeat(9000) })));
    for (const part of [big.subarray(0, 2000), big.subarray(0, 600_000)]) {
      const broken = Readable.from(
        (async function* () {
          yield part;
          throw new Error("connection reset");
        })(),
        { objectMode: false },
      );
      await assert.rejects(room.layers.ingest(broken), /connection reset/);
    }
    await nothingLeft();
  });

  test("refuses a bad entry in the middle of a long stream", async () => {
    const { room, nothingLeft } = at();
    const filler = Array.from({ length: 300 }, (_, i) => ({ name: `f${i}`, data: "f".repeat(5000) }));
    const tar = sampleTar(...filler, { name: "../evil" }, ...filler);
    for (const data of [tar, gzipSync(tar)]) await assert.rejects(room.layers.ingest(stream(data)), /outside of the layer/);
    await nothingLeft();
  });
}

function lives(
  at: () => { room: ContractRoom; ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer>; nothingLeft: () => Promise<void> },
): void {
  test("the same layer comes in once, one after the other and at the same time", async () => {
    const { room, ingest, nothingLeft } = at();
    const entries = Array.from({ length: 200 }, (_, i) => ({ name: `once${i}`, data: "o".repeat(2000) }));
    const together = await Promise.all([ingest(...entries), ingest(...entries), ingest(...entries)]);
    assert.equal(together.filter((layer) => !layer.existed).length, 1);
    const later = await ingest(...entries);
    assert.deepEqual(later, { ...together[0], existed: true });
    const source = stream(sampleTar(...entries));
    assert.ok((await room.layers.ingest(source, later.diffId)).existed);
    assert.ok(source.readableEnded, "what is not needed is read to its end");
    await nothingLeft();
  });

  test("removed is gone; sweep removes what no one keeps and what was never finished", async () => {
    const { room, ingest, nothingLeft } = at();
    const [one, two] = [await ingest({ name: "sweep-1" }), await ingest({ name: "sweep-2" })];
    await room.layers.lower([one.diffId, two.diffId]);
    const kept = new Set<Digest>([two.diffId]);
    await mkdir(join(room.root, ".ingest-left-over"));
    await writeFile(join(room.root, ".ingest-left-over", "layer.tar"), "half");
    await room.layers.sweep(kept);
    await nothingLeft();
    assert.deepEqual([await room.layers.has(one.diffId), await room.layers.has(two.diffId)], [false, true]);
    assert.equal(await room.layers.sizeOf(two.diffId), two.sizeBytes);
    await room.layers.remove(two.diffId);
    await room.layers.remove(two.diffId);
    assert.equal((await readdir(room.root)).includes(hexOf(two.diffId)), false);
    await assert.rejects(room.layers.sizeOf(two.diffId), (error) => isEngineError(error, "NotFound"));
    await assert.rejects(room.layers.lower([two.diffId]), (error) => isEngineError(error, "NotFound"));
  });
}

function faults(
  at: () => {
    room: ContractRoom;
    ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer>;
    look: (...chain: IngestedLayer[]) => Promise<Dump>;
  },
): void {
  test("layers are mounted again after their mounts have gone with the broker", async () => {
    const { room, ingest, look } = at();
    const layer = await ingest({ name: "still-here" });
    assert.deepEqual(names(await look(layer)), ["still-here"]);
    await room.killBroker();
    assert.deepEqual(names(await look(layer)), ["still-here"]);
  });
}

function files(at: () => { room: ContractRoom; ingest: (...entries: SampleEntry[]) => Promise<IngestedLayer> }): void {
  test("reads a file of a chain as overlayfs would show it", async () => {
    const { room, ingest } = at();
    const base = await ingest(
      { name: "etc/passwd", data: "base" },
      { name: "etc/gone", data: "g" },
      { name: "usr/etc/x", data: "x" },
      { name: "o/hidden", data: "h" },
    );
    const top = await ingest(
      { name: "etc/.wh.gone" },
      { name: "etc/group", type: "2", link: "../../../../usr/etc/x" },
      { name: "abs", type: "2", link: "/etc" },
      { name: "loop", type: "2", link: "loop" },
      { name: "o/.wh..wh..opq" },
    );
    const chain = [base.diffId, top.diffId];
    const read = async (path: string): Promise<string | undefined> => {
      const data = await room.layers.readFile(chain, path, 1000);
      return data === undefined ? undefined : Buffer.from(data).toString();
    };
    assert.deepEqual(
      [await read("/etc/passwd"), await read("abs/passwd"), await read("/etc/group"), await read("etc/../../../etc/passwd")],
      ["base", "base", "x", "base"],
    );
    for (const path of ["/etc/gone", "/loop", "/etc", "/nowhere", "/etc/passwd/x", "/o/hidden"])
      assert.equal(await read(path), undefined, path);
    assert.equal(await read("/etc/passwd"), "base", "again, from memory");
    await assert.rejects(room.layers.readFile(chain, "/etc/passwd", 3), (error) => isEngineError(error, "InvalidParameter"));
  });
}
