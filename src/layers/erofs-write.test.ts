import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ByteString } from "./byte-string.ts";
import { crc32c } from "./crc32c.ts";
import { ErofsReader } from "./erofs-read.ts";
import { writeErofs } from "./erofs-write.ts";
import type { Directory } from "./inode.ts";
import { LayerTree } from "./layer-tree.ts";
import { entryOf, type SampleEntry, sampleTar } from "./sample-tar.ts";
import { TarScanner } from "./tar-scanner.ts";

function treeOf(tar: Buffer): Directory {
  const tree = new LayerTree();
  const scanner = new TarScanner((entry) => tree.add(entry));
  scanner.push(tar);
  scanner.end();
  return tree.root;
}

function readerOf(...entries: readonly SampleEntry[]): ErofsReader {
  const tar = sampleTar(...entries);
  return new ErofsReader(writeErofs(treeOf(tar), [tar.length]).bytes);
}

describe("EROFS index", () => {
  test("CRC-32C of the RFC 3720 test vectors", () => {
    assert.equal(~crc32c(Buffer.alloc(32)) >>> 0, 0x8a9136aa);
    assert.equal(~crc32c(Buffer.alloc(32, 0xff)) >>> 0, 0x62a8ab43);
    assert.equal(~crc32c(Buffer.from("123456789")) >>> 0, 0xe3069283);
  });

  test("the superblock's checksum covers the first block from its start", () => {
    const tar = sampleTar({ name: "x", data: "x" });
    const { bytes } = writeErofs(treeOf(tar), [tar.length]);
    const block = Buffer.from(bytes.subarray(1024, 1536));
    const stated = block.readUInt32LE(4);
    block.writeUInt32LE(0, 4);
    assert.equal(crc32c(block), stated);
  });

  test("is the same for the same tar", () => {
    const tar = sampleTar(...Array.from({ length: 500 }, (_, i) => ({ name: `d${i % 7}/f${i}`, data: String(i), mtime: i })));
    assert.deepEqual(writeErofs(treeOf(tar), [tar.length]).bytes, writeErofs(treeOf(tar), [tar.length]).bytes);
  });

  test("finds each of 100,000 names of a directory, and no other", () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `entry-${(i * 7919) % 100_000}`);
    const tar = Buffer.concat(names.map((name) => entryOf({ name: `big/${name}` })));
    const reader = new ErofsReader(writeErofs(treeOf(tar), [tar.length]).bytes);
    const big = reader.lookup(reader.inode(reader.rootNid), "big");
    assert.ok(big !== undefined);
    for (let i = 0; i < 100_000; i += 997) assert.ok(reader.lookup(big, `entry-${i}`) !== undefined, `entry-${i}`);
    for (const name of ["entry-100000", "entry-", "a", "zzz", "entry-5000x"]) assert.equal(reader.lookup(big, name), undefined);
    assert.equal([...reader.entries(big)].length, 100_000);
  });

  test("pieces of a sparse file that lie askew are copied, the others pointed at", () => {
    const data = Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(100, 2), Buffer.alloc(412, 3)]);
    const map = "4096,512,8192,100,8704,412";
    const tar = sampleTar({ name: "s", data, pax: { "GNU.sparse.map": map, "GNU.sparse.size": "9116" } });
    const index = writeErofs(treeOf(tar), [tar.length]);
    const file = Buffer.concat([index.bytes, Buffer.alloc(index.sizeBytes - index.bytes.length)]);
    for (const { from, to, length } of index.copies) tar.copy(file, to, from, from + length);
    const reader = new ErofsReader(file);
    const inode = reader.lookup(reader.inode(reader.rootNid), "s");
    assert.ok(inode !== undefined);
    const content = Buffer.alloc(inode.size);
    for (const piece of reader.pieces(inode))
      (piece.device === 0 ? file : tar).copy(content, piece.offset, piece.at, piece.at + piece.length);
    const want = Buffer.alloc(9116);
    data.copy(want, 4096, 0, 512);
    data.copy(want, 8192, 512, 612);
    data.copy(want, 8704, 612, 1024);
    assert.deepEqual(content, want);
    assert.ok(reader.pieces(inode).some((piece) => piece.device === 1));
  });

  test("a sparse file of terabytes takes little of the index", () => {
    const tar = sampleTar({ name: "s", data: "x", pax: { "GNU.sparse.map": `${2 ** 43},1`, "GNU.sparse.size": String(2 ** 44 - 1) } });
    const index = writeErofs(treeOf(tar), [tar.length]);
    assert.ok(index.bytes.length < 1 << 20, `${index.bytes.length} bytes`);
    assert.equal(index.copies.length, 1);
  });

  test("hard links share an inode that counts them", () => {
    const reader = readerOf(
      { name: "a", data: "a" },
      { name: "b", type: "1", link: "a" },
      { name: "a", data: "new" },
      { name: "c", type: "1", link: "b" },
    );
    const root = reader.inode(reader.rootNid);
    assert.deepEqual(
      ["a", "b", "c"].map((name) => reader.lookup(root, name as ByteString)?.links),
      [1, 2, 2],
    );
  });
});
