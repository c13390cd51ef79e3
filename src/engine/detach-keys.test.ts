import assert from "node:assert/strict";
import { test } from "node:test";
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";

test("key sequences", () => {
  assert.deepEqual([...parseDetachKeys("ctrl-p,ctrl-q")], [...defaultDetachKeys]);
  assert.deepEqual([...parseDetachKeys("a,ctrl-@,ctrl-[,ctrl-_")], [97, 0, 27, 31]);
  for (const bad of ["", "ctrl-", "ctrl-aa", "ab", "ctrl-1", "é"]) assert.throws(() => parseDetachKeys(bad), /Invalid detach keys/);
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
