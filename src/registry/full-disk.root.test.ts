import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { test } from "node:test";
import { setLogLevel } from "../base/base.ts";
import { openRegistry } from "./open.ts";
import { type Answer, ask, sha256 } from "./scratch-registry.ts";

test("a full disk is told as such, and what did not fit leaves nothing", async () => {
  setLogLevel("fatal");
  const root = mkdtempSync("/var/tmp/berth-test-registry-");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", root]);
  try {
    await using registry = await openRegistry({ root, address: { host: "127.0.0.1", port: 0 }, gcIntervalMs: 0, graceMs: 0 });
    const push = (data: Uint8Array): Promise<Answer> =>
      ask(registry.port, "POST", `/v2/a/blobs/uploads/?digest=${sha256(data)}`, { body: data });
    const fits = randomBytes(2_000_000);
    assert.equal((await push(fits)).status, 201);
    const location = String((await ask(registry.port, "POST", "/v2/a/blobs/uploads/")).headers.location);
    assert.equal((await ask(registry.port, "PATCH", location, { body: randomBytes(1_000_000) })).status, 202);
    for (const full of [
      await push(randomBytes(8_000_000)),
      await ask(registry.port, "PATCH", location, { body: randomBytes(8_000_000) }),
    ]) {
      assert.equal(full.status, 507);
      assert.match(full.json.errors?.[0]?.message ?? "", /no space left/);
    }
    assert.equal((await ask(registry.port, "GET", location)).status, 404);
    assert.equal(execFileSync("find", [`${root}/uploads`, "-type", "f"], { encoding: "utf8" }), "");
    assert.ok((await ask(registry.port, "GET", `/v2/a/blobs/${sha256(fits)}`)).body.equals(fits));
    assert.equal((await push(randomBytes(4_000_000))).status, 201, "its room is free again");
  } finally {
    execFileSync("umount", ["-l", root]);
    rmSync(root, { recursive: true });
  }
});

test("things can be deleted on a disk that is full of small ones", async () => {
  setLogLevel("fatal");
  const root = mkdtempSync("/var/tmp/berth-test-registry-");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", root]);
  try {
    await using registry = await openRegistry({ root, address: { host: "127.0.0.1", port: 0 }, gcIntervalMs: 0, graceMs: 0 });
    let full: Answer | undefined;
    for (let count = 0; full === undefined && count < 200; count++) {
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [],
        annotations: { a: randomBytes(50_000).toString("hex") },
      });
      const answer = await ask(registry.port, "PUT", `/v2/a/manifests/v${count}`, { body: manifest });
      if (answer.status !== 201) full = answer;
    }
    assert.equal(full?.status, 507);
    const first = await ask(registry.port, "GET", "/v2/a/manifests/v0");
    assert.equal(first.status, 200);
    assert.equal((await ask(registry.port, "DELETE", `/v2/a/manifests/${sha256(first.body)}`)).status, 202);
  } finally {
    execFileSync("umount", ["-l", root]);
    rmSync(root, { recursive: true });
  }
});
