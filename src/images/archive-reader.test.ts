import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { type Member, readArchive } from "./archive-reader.ts";
import { ByteCursor, uncompressed } from "./byte-cursor.ts";
import { streamOf, tarOf } from "./scratch-store.ts";

async function list(
  data: Uint8Array,
  chunkBytes?: number,
): Promise<{ name: string; type: Member["type"]; target: string; text: string }[]> {
  const members = [];
  for await (const member of readArchive(await uncompressed(new ByteCursor(streamOf(data, chunkBytes)))))
    members.push({ name: member.name, type: member.type, target: member.target, text: (await member.read()).toString() });
  return members;
}

describe("archives of GNU tar", () => {
  const long = `${"d".repeat(120)}/${"e".repeat(120)}`;
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "berth-test-archive-"));
    mkdirSync(join(folder, "d".repeat(120)));
    writeFileSync(join(folder, long), "long");
    writeFileSync(join(folder, "ä"), "umlaut");
    execFileSync("ln", ["-s", long, join(folder, "soft")]);
    execFileSync("ln", [join(folder, "ä"), join(folder, "ä2")]);
    execFileSync("mkfifo", [join(folder, "fifo")]);
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const format of ["gnu", "pax", "ustar"])
    for (const packer of ["none", "gzip", "zstd"])
      test(`${format}, ${packer}`, async () => {
        const shape = ["--sort=name", `--format=${format}`, ...(packer === "none" ? [] : [`--${packer}`])];
        const names = format === "ustar" ? ["ä", "ä2", "fifo"] : ["."];
        const members = await list(execFileSync("tar", ["-c", "-C", folder, ...shape, ...names]), 700);
        const found = new Map(members.map((member) => [member.name, member]));
        assert.deepEqual(found.get("ä"), { name: "ä", type: "file", target: "", text: "umlaut" });
        assert.equal(found.get("ä2")?.type, "link");
        assert.match(found.get("ä2")?.target ?? "", /ä$/);
        assert.equal(found.get("fifo")?.type, "other");
        if (format === "ustar") return;
        assert.equal(found.get(long)?.text, "long");
        assert.equal(found.get("soft")?.target, long);
      });
});

describe("the reader", () => {
  test("skips what nobody reads, whole or in part, and never loses its place", async () => {
    const data = tarOf({ a: "x".repeat(5000), b: "y".repeat(3000), c: "z" });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6000 }),
        fc.array(fc.constantFrom("skip", "peek", "part", "read", "stream"), { minLength: 3, maxLength: 3 }),
        async (chunk, ways) => {
          const texts: string[] = [];
          let at = 0;
          for await (const member of readArchive(new ByteCursor(streamOf(data, chunk)))) {
            const way = ways[at++];
            if (way === "peek") assert.equal((await member.peek(10)).length, Math.min(10, member.sizeBytes));
            if (way === "read") assert.equal((await member.read()).length, member.sizeBytes);
            if (way === "stream") assert.equal(Buffer.concat((await member.stream().toArray()) as Uint8Array[]).length, member.sizeBytes);
            if (way === "part") for await (const _part of member.stream()) break;
            texts.push(member.name);
          }
          assert.deepEqual(texts, ["a", "b", "c"]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("noise is refused or has an end, and never is anything else", async () => {
    const plain = tarOf({ a: "x".repeat(700), b: "y" });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(plain.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(plain.length),
        async (changes, length) => {
          const data = Buffer.from(plain.subarray(0, length));
          for (const [at, byte] of changes) if (at < data.length) data[at] = byte;
          await list(data).catch((error) => assert.equal(error.code, "InvalidParameter", String(error)));
        },
      ),
      { numRuns: 300 },
    );
  });
});
