import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checksum, entryOf, headerOf, type SampleEntry, sampleTar } from "./sample-tar.ts";
import type { TarEntry } from "./tar-entry.ts";
import { TarScanner } from "./tar-scanner.ts";

function scan(data: Buffer, piece = data.length): TarEntry[] {
  const entries: TarEntry[] = [];
  const scanner = new TarScanner((entry) => entries.push(entry));
  for (let at = 0; at < data.length; at += Math.max(1, piece)) scanner.push(data.subarray(at, at + piece));
  scanner.end();
  return entries;
}

function only(...entries: readonly (SampleEntry | Buffer)[]): TarEntry {
  const found = scan(sampleTar(...entries));
  assert.equal(found.length, 1);
  return found[0] as TarEntry;
}

const sparsePax = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "real", "GNU.sparse.realsize": "100000" };

describe("tar scanner", () => {
  test("finds the same entries however the stream is cut", () => {
    const map = Buffer.alloc(512);
    map.write("2\n0\n512\n99488\n512\n");
    const tar = sampleTar(
      { name: "a", data: "a".repeat(700) },
      { name: "dir/", type: "5" },
      { name: "p", data: "p", pax: { path: "x".repeat(300), mtime: "-1.25", "SCHILY.xattr.user.k": Buffer.from([0, 255, 10]) } },
      { name: "L", type: "L", data: `${"l".repeat(600)}\0` },
      { name: "short", data: "after a long name" },
      { name: "sparse", data: Buffer.concat([map, Buffer.alloc(1024, 1)]), pax: sparsePax },
      { name: "g", type: "g", data: "11 uid=77\n\n".slice(0, 10).replace("11", "10") },
      { name: "last", type: "2", link: "a" },
    );
    const whole = scan(tar);
    assert.equal(whole.length, 6);
    for (const piece of [1, 7, 511, 512, 513, 1000, 4096]) assert.deepEqual(scan(tar, piece), whole);
  });

  test("says where data lies", () => {
    const [first, second] = scan(sampleTar({ name: "a", data: "x".repeat(513) }, { name: "b", data: "y", pax: { uid: "5" } }));
    assert.deepEqual([first?.offset, first?.size, second?.offset, second?.size, second?.uid], [512, 513, 512 + 1024 + 1024 + 512, 1, 5]);
  });

  test("pax times: fractions, negative ones rounded down", () => {
    const time = (mtime: string): readonly [number, number] => {
      const entry = only({ name: "x", pax: { mtime } });
      return [entry.mtimeSeconds, entry.mtimeNanos];
    };
    assert.deepEqual(time("1.5"), [1, 500_000_000]);
    assert.deepEqual(time("-1.25"), [-2, 750_000_000]);
    assert.deepEqual(time("-3"), [-3, 0]);
    assert.deepEqual(time("0.0000000019"), [0, 1]);
    assert.deepEqual(time("-0.5"), [-1, 500_000_000]);
  });

  test("base-256 numbers, also negative, and a size beyond octal", () => {
    const header = headerOf({ name: "x", mtime: -5, uid: 3_000_000 });
    assert.deepEqual([only(header).mtimeSeconds, only(header).uid], [-5, 3_000_000]);
    const entries: TarEntry[] = [];
    new TarScanner((entry) => entries.push(entry)).push(headerOf({ name: "huge", size: 9 * 2 ** 30 }));
    assert.equal(entries[0]?.size, 9 * 2 ** 30);
  });

  test("a pax size wins over the header's", () => {
    const entry = only(Buffer.concat([entryOf({ name: "x", size: 0, pax: { size: "5" } }), Buffer.from("hello".padEnd(512, "\0"))]));
    assert.equal(entry.size, 5);
  });

  test("ustar's prefix, V7's directories by a slash, GNU's long link", () => {
    const prefixed = headerOf({ name: "name" });
    prefixed.write("some/prefix", 345, "latin1");
    assert.equal(only(checksum(prefixed)).path, "some/prefix/name");
    assert.equal(only({ name: "old/", type: "\0", magic: "\0" }).kind, "directory");
    assert.equal(
      only({ name: "K", type: "K", data: `${"t".repeat(200)}\0` }, { name: "l", type: "2", link: "short" }).link,
      "t".repeat(200),
    );
  });

  test("old GNU sparse files, with more regions than fit the header", () => {
    const header = headerOf({ name: "s", type: "S", size: 512 * 6, magic: "ustar  \0" });
    const octal = (value: number): string => `${value.toString(8).padStart(11, "0")}\0`;
    for (let i = 0; i < 4; i++) header.write(octal(i * 10_240) + octal(512), 386 + 24 * i, "latin1");
    header[482] = 1;
    header.write(octal(100_000), 483, "latin1");
    const more = Buffer.alloc(512);
    for (let i = 0; i < 2; i++) more.write(octal((i + 4) * 10_240) + octal(512), 24 * i, "latin1");
    const entry = only(checksum(header), more, Buffer.alloc(512 * 6, 1));
    assert.equal(entry.size, 100_000);
    assert.equal(entry.offset, 1024);
    assert.deepEqual(entry.extents?.[5], [5 * 10_240, 1024 + 5 * 512, 512]);
  });

  test("a sparse map of many blocks", () => {
    const count = 5000;
    const text = [count, ...Array.from({ length: count }, (_, i) => `${i * 20}\n1`), ""].join("\n");
    const map = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    map.write(text);
    const data = Buffer.concat([map, Buffer.alloc(count, 7)]);
    const entries = scan(sampleTar({ name: "s", data, pax: sparsePax }, { name: "next" }), 1000);
    assert.deepEqual([entries.length, entries[0]?.extents?.length, entries[0]?.path, entries[1]?.path], [2, count, "real", "next"]);
    assert.deepEqual(entries[0]?.extents?.at(-1), [(count - 1) * 20, 1024 + 512 + map.length + count - 1, 1]);
  });

  test("global headers apply to nothing, as in Docker", () => {
    assert.equal(only({ name: "g", type: "g", data: "10 uid=77\n" }, { name: "x", uid: 3 }).uid, 3);
  });

  test("bytes after the end are no entries", () => {
    assert.equal(scan(Buffer.concat([sampleTar({ name: "x" }), Buffer.from("trailing"), Buffer.alloc(9000, 9)])).length, 1);
  });

  test("memory does not grow with a header's claims", () => {
    const scanner = new TarScanner(() => assert.fail("no entry"));
    assert.throws(() => scanner.push(headerOf({ name: "p", type: "x", size: 1 << 21 })), /extended header is too long/);
  });
});
