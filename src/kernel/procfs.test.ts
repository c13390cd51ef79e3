import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, test } from "node:test";
import { bootTimeMs, memoryInfo, parseStat, terminalName } from "./procfs.ts";

describe("procfs", () => {
  test("a name may hold what separates fields", () => {
    const { comm, fields } = parseStat("12 (a) (b c) S 1 12 12 0 -1 4194304\n");
    assert.equal(comm, "a) (b c");
    assert.deepEqual(fields.slice(0, 3), ["S", "1", "12"]);
  });

  test("terminals by number", () => {
    assert.deepEqual([0, (136 << 8) | 3, (137 << 8) | 1, (4 << 8) | 1, (4 << 8) | 64, (5 << 8) | 1, 0x301].map(terminalName), [
      "",
      "pts/3",
      "pts/257",
      "tty1",
      "ttyS0",
      "console",
      "3:1",
    ]);
  });

  test("the machine", async () => {
    const boot = await bootTimeMs();
    assert.ok(boot > 0 && boot < Date.now());
    assert.equal((await memoryInfo()).get("MemTotal"), totalmem());
  });
});
