import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { absolutePath } from "./copy-files.ts";
import { withParents } from "./list-changes.ts";

describe("paths in containers", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a", "/a"],
    ["/a/", "/a/"],
    ["/a/.", "/a/."],
    ["a/./", "/a/./"],
    ["/", "/"],
    [".", "/."],
    ["../../etc", "/etc"],
    ["/a/../b/", "/b/"],
    ["//a//b", "/a/b"],
    ["/a/..", "/"],
    ["/a/b.", "/a/b."],
  ];
  for (const [given, wanted] of cases) test(given, () => assert.equal(absolutePath(given), wanted));
});

describe("changes", () => {
  test("a directory counts as changed, once, when something in it is", () => {
    const changes = [
      { path: "/etc", kind: 0 },
      { path: "/etc/a", kind: 1 },
      { path: "/var/lib/x", kind: 2 },
      { path: "/var/lib/y", kind: 1 },
      { path: "/var/lib/y/z", kind: 1 },
    ] as const;
    assert.deepEqual(
      withParents(changes).map(({ path, kind }) => `${"CAD"[kind]} ${path}`),
      ["C /etc", "A /etc/a", "C /var", "C /var/lib", "D /var/lib/x", "A /var/lib/y", "A /var/lib/y/z"],
    );
  });
});
