import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AnswerCache } from "./answer-cache.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";

const answer = (keepSeconds: number, bytes = 50): UpstreamAnswer => ({
  message: new Uint8Array(bytes),
  code: 0,
  truncated: false,
  negative: false,
  ttls: [],
  keepSeconds,
});

describe("answers that are kept", () => {
  test("end with their time, and count for nothing then", () => {
    const cache = new AnswerCache();
    cache.put("a", answer(2), 1000);
    cache.put("never", answer(0), 1000);
    assert.equal(cache.find("a", 2999)?.ageSeconds, 1);
    assert.equal(cache.find("a", 3000), undefined);
    assert.equal(cache.find("never", 1000), undefined);
    assert.deepEqual([cache.size, cache.bytes], [0, 0]);
  });

  test("are bounded in number and in bytes, whoever asks for what; those that are used stay", () => {
    const cache = new AnswerCache();
    for (let index = 0; index < 10_000; index++) {
      cache.put(`small ${index}`, answer(60), 0);
      assert.ok(cache.find("small 0", 0) !== undefined);
    }
    assert.equal(cache.size, 4096);
    for (let index = 0; index < 200; index++) cache.put(`large ${index}`, answer(60, 65_000), 0);
    assert.ok(cache.bytes <= 4 * 1024 * 1024 && cache.size > 50, `${cache.bytes} ${cache.size}`);
    cache.put("large 199", answer(60, 10), 0);
    const { bytes } = cache;
    cache.put("large 199", answer(60, 10), 0);
    assert.equal(cache.bytes, bytes);
    cache.clear();
    assert.deepEqual([cache.size, cache.bytes], [0, 0]);
  });

  test("do not hold on to the buffer that they came in", () => {
    const cache = new AnswerCache();
    const whole = new Uint8Array(65_536);
    cache.put("a", { ...answer(60), message: whole.subarray(0, 50) }, 0);
    assert.equal(cache.find("a", 0)?.answer.message.buffer.byteLength, 50);
  });
});
