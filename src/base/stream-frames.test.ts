import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StreamFrames } from "./stream-frames.ts";

test("payloads come out whole, however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
      (payloads, cuts) => {
        const bytes = Buffer.concat(
          payloads.flatMap((payload, index) => {
            const header = Buffer.alloc(8);
            header[0] = 1 + (index % 2);
            header.writeUInt32BE(payload.length, 4);
            return [header, payload];
          }),
        );
        const frames = new StreamFrames();
        const seen: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          seen.push(frames.payloadsOf(bytes.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(Buffer.concat(seen), Buffer.concat(payloads));
      },
    ),
  );
});
