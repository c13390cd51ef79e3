import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { gzip } from "./gzip.ts";

describe("gzip", async () => {
  const folder = await mkdtemp(join(tmpdir(), "berth-test-gzip-"));
  after(() => rm(folder, { recursive: true }));

  const compressed = async (content: Buffer, signal?: AbortSignal): Promise<{ bytes: Buffer; read: number[] }> => {
    const path = join(folder, "content");
    await writeFile(path, content);
    await using file = await open(path);
    const read: number[] = [];
    const parts: Buffer[] = [];
    for await (const part of gzip(file, content.length, { onRead: (bytes) => read.push(bytes), ...(signal ? { signal } : {}) }))
      parts.push(part);
    return { bytes: Buffer.concat(parts), read };
  };

  // Words that come again over the edges of pieces, between noise.
  const mixed = Buffer.concat(
    Array.from({ length: 700 }, (_, index) => Buffer.concat([randomBytes(800), Buffer.alloc(7000, `word ${index % 9}`)])),
  );
  for (const [name, content] of [
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from("x")],
    ["a piece to the byte", mixed.subarray(0, 1 << 20)],
    ["a byte more", mixed.subarray(0, (1 << 20) + 1)],
    ["several pieces", mixed],
  ] as const)
    test(`gzip reads ${name}, and it is the same each time`, async () => {
      const { bytes, read } = await compressed(content);
      assert.deepEqual(execFileSync("gzip", ["-dc"], { input: bytes, maxBuffer: 1 << 26 }), content);
      assert.deepEqual((await compressed(content)).bytes, bytes);
      assert.equal(bytes.subarray(0, 10).toString("hex"), "1f8b08000000000000ff");
      assert.equal(read.at(-1), content.length);
      // Not much more than in one piece.
      const whole = execFileSync("gzip", ["-6nc"], { input: content, maxBuffer: 1 << 26 }).length;
      assert.ok(bytes.length < whole * 1.02 + 30, `${bytes.length} instead of ${whole}`);
    });

  test("what cannot be compressed is stored, and what stands between it is compressed", async () => {
    const noise = randomBytes(1 << 20);
    const content = Buffer.concat([mixed.subarray(0, 1 << 20), noise, mixed.subarray(0, 1 << 20), noise]);
    const { bytes } = await compressed(content);
    assert.deepEqual(execFileSync("gzip", ["-dc"], { input: bytes, maxBuffer: 1 << 26 }), content);
    const whole = execFileSync("gzip", ["-6nc"], { input: content, maxBuffer: 1 << 26 }).length;
    assert.ok(bytes.length < whole * 1.01, `${bytes.length} instead of ${whole}`);
  });

  test("ends when it is told to", async () => {
    await assert.rejects(compressed(mixed, AbortSignal.abort(new Error("gone"))), /gone/);
    assert.ok((await compressed(mixed)).bytes.length > 0);
  });

  test("a file that is shorter than it should be is an error", async () => {
    await using file = await open(join(folder, "content"));
    const { size } = await file.stat();
    await assert.rejects(async () => {
      for await (const _ of gzip(file, size + 1));
    }, /the layer's tar ended at byte/);
  });
});
