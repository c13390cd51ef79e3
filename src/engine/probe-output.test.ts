import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProbeOutput } from "./probe-output.ts";

function frame(stream: number, text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

test("both streams in the order of their frames, however they are cut", () => {
  const bytes = Buffer.concat([frame(1, "one\n"), frame(2, "two\n"), frame(1, ""), frame(2, "three")]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 })), (cuts) => {
      const output = new ProbeOutput();
      let at = 0;
      for (const cut of cuts) {
        output.take(bytes.subarray(at, at + cut));
        at += cut;
      }
      output.take(bytes.subarray(at));
      assert.equal(output.text(), "one\ntwo\nthree");
    }),
  );
});

test("4096 bytes and no more", () => {
  const output = new ProbeOutput();
  output.take(frame(1, "x".repeat(4096)));
  assert.equal(output.text(), "x".repeat(4096));
  output.take(frame(1, "y"));
  assert.equal(output.text(), `${"x".repeat(4096)}...`);
});
