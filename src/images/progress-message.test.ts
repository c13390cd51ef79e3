import assert from "node:assert/strict";
import { test } from "node:test";
import { progressMessage } from "./progress-message.ts";

test("progress as Docker words and draws it", () => {
  const shown = (current: number, total?: number): unknown =>
    progressMessage({ id: "a", status: "Downloading", current, ...(total === undefined ? {} : { total }) })["progress"];
  assert.deepEqual(progressMessage({ id: "a", status: "Waiting" }), { status: "Waiting", progressDetail: {}, id: "a" });
  assert.equal(
    JSON.stringify(progressMessage({ id: "a", status: "Downloading", current: 85, total: 85 })),
    `{"status":"Downloading","progressDetail":{"current":85,"total":85},"progress":"[${"=".repeat(50)}>]      85B/85B","id":"a"}`,
  );
  assert.equal(shown(0, 2_000_000), `[>${" ".repeat(50)}]       0B/2MB`);
  assert.equal(shown(1_234_567, 2_000_000), `[${"=".repeat(30)}>${" ".repeat(20)}]  1.235MB/2MB`);
  assert.equal(shown(3_000, 2_000), `[${"=".repeat(50)}>]      3kB`);
  assert.equal(shown(3_000), "     3kB");
});
