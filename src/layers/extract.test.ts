import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { FileMeta, TreeEntry, TreeWriter } from "../kernel/kernel.ts";
import { extract } from "./extract.ts";
import { type SampleEntry, sampleTar } from "./sample-tar.ts";

/** Writes down what it is told to make, and counts each file's bytes. */
class Recorder implements TreeWriter {
  readonly path = "/to";
  readonly isDirectory = true;
  readonly made: string[] = [];
  readonly owners = new Set<string>();
  bytes = Buffer.alloc(0);
  finished = false;

  async put(entry: TreeEntry): Promise<void> {
    this.made.push(`${entry.op} ${Buffer.from(entry.path)}${"target" in entry ? ` ${Buffer.from(entry.target)}` : ""}`);
    if ("uid" in entry) this.owners.add(`${entry.uid}:${entry.gid}`);
  }

  async file(path: Uint8Array, sizeBytes: number, meta: FileMeta): Promise<void> {
    this.made.push(`file ${Buffer.from(path)} ${sizeBytes}`);
    this.owners.add(`${meta.uid}:${meta.gid}`);
  }

  async contents(bytes: Uint8Array): Promise<void> {
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  async finish(): Promise<void> {
    this.finished = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function extracted(tar: Buffer, pieceBytes = 700, owner?: { uid: number; gid: number }): Promise<Recorder> {
  const into = new Recorder();
  const pieces = (function* () {
    for (let at = 0; at < tar.length; at += pieceBytes) yield tar.subarray(at, at + pieceBytes);
  })();
  await extract(Readable.from(pieces), into, { destination: "/to", ...(owner === undefined ? {} : { owner }) });
  assert.ok(into.finished);
  return into;
}

describe("extracting a tar for a container", () => {
  const entries: readonly SampleEntry[] = [
    { name: "./" },
    { name: "d/", type: "5" },
    { name: "d/f", data: "x".repeat(1500), uid: 5, gid: 6 },
    { name: "/abs", data: "y" },
    { name: "d/l", type: "2", link: "/anywhere" },
    { name: "d/h", type: "1", link: "d/f" },
    { name: "empty" },
    { name: "p", type: "6" },
  ];
  const made = [
    "directory /to/d",
    "file /to/d/f 1500",
    "file /to/abs 1",
    "symlink /to/d/l /anywhere",
    "link /to/d/h /to/d/f",
    "file /to/empty 0",
    "node /to/p",
    "meta /to/d",
  ];

  for (const [name, pack] of [
    ["plain", (tar: Buffer) => tar],
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ] as const) {
    test(`${name}, in pieces of any size`, async () => {
      for (const pieceBytes of [1, 511, 512, 513, 100_000]) {
        const into = await extracted(pack(sampleTar(...entries)), pieceBytes);
        assert.deepEqual(into.made, made);
        assert.equal(into.bytes.toString(), `${"x".repeat(1500)}y`);
      }
    });
  }

  test("everything belongs to the owner that is given", async () => {
    assert.deepEqual([...(await extracted(sampleTar(...entries), 700, { uid: 7, gid: 8 })).owners], ["7:8"]);
  });

  test("holes of a sparse file are zeros", async () => {
    const pax = { "GNU.sparse.map": "4,2,10,1", "GNU.sparse.size": "12" };
    const into = await extracted(sampleTar({ name: "s", data: "abc", pax }, { name: "after", data: "z" }), 300);
    assert.deepEqual(into.made, ["file /to/s 12", "file /to/after 1"]);
    assert.equal(into.bytes.toString("latin1"), "\0\0\0\0ab\0\0\0\0c\0z");
  });

  const refused: Readonly<Record<string, readonly [SampleEntry, RegExp]>> = {
    "a name outside": [{ name: "../x" }, /"..\/x" is outside of "\/to"/],
    "the name ..": [{ name: ".." }, /is outside of/],
    "a link outside": [{ name: "l", type: "2", link: "../../x" }, /invalid symlink "\/to\/l" -> "..\/..\/x"/],
    "a hard link outside": [{ name: "l", type: "1", link: "../x" }, /invalid hardlink "\/x" -> "..\/x"/],
  };
  for (const [name, [entry, message]] of Object.entries(refused))
    test(`refused: ${name}`, async () => await assert.rejects(extracted(sampleTar(entry)), { code: "InvalidParameter", message }));

  test("refused: what breaks off", async () => {
    await assert.rejects(extracted(sampleTar({ name: "f", data: "x".repeat(2000) }).subarray(0, 1500)), /unexpected EOF/);
    await assert.rejects(extracted(gzipSync(sampleTar({ name: "f" })).subarray(0, 30)), /unexpected end of file/);
  });
});
