import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

test("mutated tars are refused or become whole indexes", () => {
  const program = join(import.meta.dirname, "../../fuzz/tar.ts");
  const result = JSON.parse(execFileSync(process.execPath, [program, "600", "20261121"], { encoding: "utf8" })) as Record<string, number>;
  assert.ok((result["accepted"] ?? 0) > 50 && (result["refused"] ?? 0) > 50 && (result["names"] ?? 0) > 100, JSON.stringify(result));
});
