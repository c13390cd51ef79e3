import assert from "node:assert/strict";
import { test } from "node:test";
import { DetachScanner, parseDetachKeys } from "./detach-keys.ts";

test("key sequences", () => {
  assert.deepEqual([...parseDetachKeys("ctrl-p,ctrl-q")], [16, 17]);
  assert.deepEqual([...parseDetachKeys("")], [16, 17]);
  assert.deepEqual([...parseDetachKeys("a,ctrl-@,ctrl-[,ctrl-_,DEL")], [97, 0, 27, 31, 127]);
  for (const bad of [",", "ctrl-", "ctrl-aa", "ctrl-A", "ab", "ctrl-1", "é"])
    assert.throws(() => parseDetachKeys(bad), /Unknown character: '/);
});

/** Feeds `text` in pieces of `size` bytes. */
function scan(keys: string, text: string, size: number): string {
  const scanner = new DetachScanner(parseDetachKeys(keys));
  let passed = "";
  for (let at = 0; at < text.length; at += size) {
    const { pass, detached } = scanner.scan(Buffer.from(text.slice(at, at + size), "latin1"));
    passed += Buffer.from(pass).toString("latin1");
    if (detached) return `${passed}|`;
  }
  return passed;
}

test("the sequence is found wherever chunks end, and nothing else is lost", () => {
  for (const size of [1, 2, 3, 100]) {
    assert.equal(scan("ctrl-p,ctrl-q", "abc", size), "abc");
    assert.equal(scan("ctrl-p,ctrl-q", "a\x10\x11b", size), "a|");
    assert.equal(scan("ctrl-p,ctrl-q", "a\x10b\x11", size), "a\x10b\x11");
    assert.equal(scan("ctrl-p,ctrl-q", "\x10\x10\x11", size), "\x10|");
    assert.equal(scan("a", "xa", size), "x|");
  }
  // Held back until the next key says that it was no sequence.
  assert.equal(scan("ctrl-p,ctrl-q", "a\x10", 1), "a");
});
