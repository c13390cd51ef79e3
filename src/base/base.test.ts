import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  digestOf,
  EngineError,
  familiarString,
  formatNanos,
  formatSize,
  httpStatus,
  messageOf,
  newId,
  nowNanos,
  parseBytes,
  parseReference,
  parseTime,
  shortId,
  withDefaultTag,
} from "./base.ts";

describe("references", () => {
  const cases: [string, string, string, string?][] = [
    ["busybox", "docker.io", "library/busybox"],
    ["busybox:1.36", "docker.io", "library/busybox", "1.36"],
    ["me/app", "docker.io", "me/app"],
    ["index.docker.io/busybox", "docker.io", "library/busybox"],
    ["localhost/app:x", "localhost", "app", "x"],
    ["localhost:5000/a/b-c__d:Tag.1", "localhost:5000", "a/b-c__d", "Tag.1"],
    ["ghcr.io/a/b", "ghcr.io", "a/b"],
    ["[::1]:5000/a", "[::1]:5000", "a"],
  ];
  for (const [text, domain, path, tag] of cases) {
    test(text, () => {
      const reference = parseReference(text);
      assert.deepEqual([reference.domain, reference.path, reference.tag], [domain, path, tag]);
      assert.deepEqual(parseReference(familiarString(reference)), reference, "the familiar form means the same");
    });
  }

  test("digests", () => {
    const digest = digestOf("x");
    const reference = parseReference(`a/b:t@${digest}`);
    assert.equal(reference.digest, digest);
    assert.equal(familiarString(reference), `a/b:t@${digest}`);
    assert.equal(withDefaultTag(parseReference(`a@${digest}`)).tag, undefined);
    assert.equal(withDefaultTag(parseReference("a")).tag, "latest");
  });

  test("what is no reference", () => {
    for (const text of [
      "",
      "A",
      "a:",
      "a//b",
      "/a",
      "a/",
      "-a",
      "a:-x",
      "a@sha256:12",
      "a b",
      "a:b:c",
      `${"a/".repeat(200)}b`,
      "f".repeat(64),
      "ex ample.com/a",
      "../a",
    ]) {
      assert.throws(() => parseReference(text), EngineError, JSON.stringify(text));
    }
    assert.throws(() => parseReference("Busybox"), /must be lowercase/);
  });

  test("never loops or throws anything else", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        try {
          parseReference(text);
        } catch (error) {
          assert.ok(error instanceof EngineError);
        }
      }),
    );
  });
});

describe("times", () => {
  test("nanoseconds and back", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -2_000_000_000n * 1_000_000_000n, max: 4_000_000_000n * 1_000_000_000n }), (nanos) => {
        assert.equal(parseTime(formatNanos(nanos)), nanos);
      }),
    );
  });

  test("the forms that since and until take", () => {
    assert.equal(parseTime("1.5"), 1_500_000_000n);
    assert.equal(parseTime("1700000000"), 1_700_000_000_000_000_000n);
    assert.equal(parseTime("1970-01-01T00:00:01+01:00"), -3599n * 1_000_000_000n);
    assert.equal(parseTime("1970-01-02"), 86_400n * 1_000_000_000n);
    assert.equal(parseTime("soon"), undefined);
    assert.equal(parseTime("2020-13-45"), undefined);
  });

  test("the clock does not go back", () => {
    let last = nowNanos();
    for (let i = 0; i < 1000; i++) {
      const now = nowNanos();
      assert.ok(now >= last);
      last = now;
    }
    assert.ok(Math.abs(Number(last / 1_000_000n) - Date.now()) < 1000);
  });
});

describe("sizes", () => {
  test("as run -m takes them", () => {
    assert.equal(parseBytes("32m"), 32 * 2 ** 20);
    assert.equal(parseBytes("1.5GiB"), 1.5 * 2 ** 30);
    assert.equal(parseBytes("100"), 100);
    assert.equal(parseBytes("1KB"), 1024);
    for (const text of ["", "m", "-1", "1x", "1 2", "0x10", "1e3"]) assert.throws(() => parseBytes(text), /invalid size/);
  });

  test("as tables show them", () => {
    assert.deepEqual(
      [0, 999, 1000, 4_261_550, 1_070_000_000].map((bytes) => formatSize(bytes)),
      ["0B", "999B", "1kB", "4.26MB", "1.07GB"],
    );
  });
});

test("ids are 64 hex digits and never read as a number", () => {
  for (let i = 0; i < 100; i++) {
    const id = newId<"ContainerId">();
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.doesNotMatch(shortId(id), /^\d+$/);
  }
});

test("every error code has its status, and cleanup does not hide the first failure", () => {
  assert.equal(new Set(Object.values(httpStatus)).size, Object.keys(httpStatus).length);
  assert.equal(messageOf(new SuppressedError(new Error("cleanup"), new Error("first"))), "first");
});
