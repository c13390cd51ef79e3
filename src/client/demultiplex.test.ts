import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { demultiplex } from "./demultiplex.ts";
import { jsonLines } from "./json-lines.ts";

function frame(stream: number, text: string): Buffer {
  const data = Buffer.from(text);
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, data]);
}

async function* cut(data: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let turn = 0; at < data.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield data.subarray(at, at + size);
    at += size;
  }
}

async function collect(source: AsyncIterable<Buffer>): Promise<{ stdout: string; stderr: string }> {
  const found = { stdout: "", stderr: "" };
  for await (const { stream, data } of demultiplex(source)) found[stream] += data.toString("latin1");
  return found;
}

describe("demultiplex", () => {
  test("gives the same streams however the frames are cut", async () => {
    const parts = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ unit: "grapheme-ascii", maxLength: 30 })), { maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(parts, cuts, async (frames, sizes) => {
        const of = (kind: number): string => frames.flatMap(([stream, text]) => (stream === kind ? [text] : [])).join("");
        const whole = Buffer.concat(frames.map(([stream, text]) => frame(stream, text)));
        assert.deepEqual(await collect(cut(whole, sizes)), { stdout: of(1), stderr: of(2) });
      }),
      { numRuns: 200 },
    );
  });

  test("refuses a frame that is cut off, an unknown stream, and shows the daemon's own error", async () => {
    await assert.rejects(collect(cut(frame(1, "hello").subarray(0, 10), [4])), /unexpected EOF/);
    await assert.rejects(collect(cut(frame(7, "x"), [4])), /Unrecognized input header: 7/);
    await assert.rejects(collect(cut(frame(3, "log driver broke"), [4])), /error from daemon in stream: log driver broke/);
  });
});

test("JSON lines, cut anywhere, in any writing system", async () => {
  const values = [{ status: "größe" }, { aux: { ID: "日本" } }, [], "x"];
  const data = Buffer.from(`${values.map((value) => JSON.stringify(value)).join("\r\n")}`);
  for (const size of [1, 2, 3, 100]) {
    const found: unknown[] = [];
    for await (const value of jsonLines(cut(data, [size]))) found.push(value);
    assert.deepEqual(found, values);
  }
  await assert.rejects(async () => {
    for await (const _ of jsonLines(cut(Buffer.from("{}\nnot json\n"), [50])));
  }, /not JSON: not json/);
});
