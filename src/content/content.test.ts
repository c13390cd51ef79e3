import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { digestOf, hexOf } from "../base/base.ts";
import type { Content } from "./content.ts";
import { openContent } from "./open.ts";

async function scratch(): Promise<{ root: string; content: Content; files(): Promise<string[]> } & AsyncDisposable> {
  const root = join(await mkdtemp(join(tmpdir(), "berth-test-content-")), "content");
  return {
    root,
    content: await openContent(root),
    async files() {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
    },
    async [Symbol.asyncDispose]() {
      await rm(join(root, ".."), { recursive: true });
    },
  };
}

const bytes = Buffer.from("some bytes");
const digest = digestOf(bytes);
const stream = (...parts: string[]): Readable =>
  Readable.from(
    parts.map((part) => Buffer.from(part)),
    { objectMode: false },
  );

describe("content", () => {
  test("put, has, read, open, remove", async () => {
    await using store = await scratch();
    assert.equal(await store.content.has(digest), false);
    assert.equal(await store.content.put(bytes), digest);
    assert.equal(await store.content.put(bytes), digest, "stored already is fine");
    assert.equal(await store.content.has(digest), true);
    assert.deepEqual(Buffer.from(await store.content.read(digest)), bytes);
    assert.deepEqual(Buffer.concat((await (await store.content.open(digest)).toArray()) as Uint8Array[]), bytes);
    assert.deepEqual(await store.files(), [hexOf(digest)]);
    assert.equal((await stat(store.root)).mode & 0o777, 0o700);
    await store.content.remove(digest);
    await store.content.remove(digest);
    await assert.rejects(store.content.read(digest), { code: "NotFound" });
    await assert.rejects(store.content.open(digest), { code: "NotFound" });
  });

  test("a stream is stored when it is what was expected", async () => {
    await using store = await scratch();
    const stored = await store.content.ingest(stream("some ", "bytes"), { digest, sizeBytes: bytes.length });
    assert.deepEqual(stored, { digest, sizeBytes: bytes.length });
    assert.deepEqual(await store.content.ingest(stream("")), { digest: digestOf(""), sizeBytes: 0 });
  });

  test("a stream that is not what was expected leaves nothing, and is stopped at the first byte too many", async () => {
    await using store = await scratch();
    let sent = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          sent += 1024;
          yield Buffer.alloc(1024);
        }
      })(),
      { objectMode: false, highWaterMark: 1024 },
    );
    const failing = Readable.from(
      (async function* () {
        yield Buffer.from("some ");
        throw new Error("connection reset");
      })(),
      { objectMode: false },
    );
    for (const [source, expected, error] of [
      [stream("other"), { digest }, { code: "InvalidParameter" }],
      [stream("some "), { digest, sizeBytes: bytes.length }, { code: "InvalidParameter" }],
      [endless, { digest, sizeBytes: bytes.length }, { code: "InvalidParameter" }],
      [failing, { digest }, { message: "connection reset" }],
    ] as const) {
      await assert.rejects(store.content.ingest(source, expected), error);
      assert.ok(source.destroyed);
    }
    assert.ok(sent < 100_000, `${sent} bytes were taken`);
    assert.deepEqual(await store.files(), []);
  });

  test("a sweep keeps what it is told and leaves what is being written", async () => {
    await using store = await scratch();
    const other = await store.content.put(Buffer.from("other"));
    await store.content.put(bytes);
    const slow = new Readable({ read() {} });
    slow.push("slow");
    const ingesting = store.content.ingest(slow);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await store.content.sweep(new Set([other]));
    slow.push(null);
    const { digest: late } = await ingesting;
    assert.deepEqual((await store.files()).sort(), [hexOf(other), hexOf(late)].sort());
  });

  test("what an interrupted ingest left is gone at the next start", async () => {
    await using store = await scratch();
    await writeFile(join(store.root, "ingest", "left"), "half");
    await openContent(store.root);
    assert.deepEqual(await store.files(), []);
  });

  test("two ingests of the same bytes at once", async () => {
    await using store = await scratch();
    const both = await Promise.all([store.content.ingest(stream("some ", "bytes")), store.content.ingest(stream("some bytes"))]);
    assert.deepEqual(
      both.map((stored) => stored.digest),
      [digest, digest],
    );
    assert.deepEqual(await store.files(), [hexOf(digest)]);
  });
});
