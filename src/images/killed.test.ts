/** The process dies at any instruction of import, tag, save, rmi, load and collect: afterwards each image is whole or not there. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../base/base.ts";
import { openScratchStore } from "./scratch-store.ts";

const work = `
import { parseReference } from ${JSON.stringify(import.meta.resolve("../base/base.ts"))};
import { loadAll, openScratchStore, saveAll, streamOf, tarOf } from ${JSON.stringify(import.meta.resolve("./scratch-store.ts"))};
const store = await openScratchStore(process.argv[2]);
const options = { force: true, noPrune: false };
for (let round = 0; ; round++) {
  const tar = tarOf({ file: String(round % 3), big: Buffer.alloc(200_000, round % 3) });
  await store.images.import(streamOf(tar), { reference: parseReference("x:" + (round % 5)), message: "", changes: ["LABEL r=" + round] });
  if (round === 0) process.stdout.write("ready");
  store.images.tag("x:" + (round % 5), parseReference("y:1"));
  const saved = await saveAll(store, "y:1");
  for (const image of store.images.list(new Map()).slice(2)) await store.images.remove(image.Id, options);
  await store.images.remove("y:1", options);
  await loadAll(store, saved);
  await store.images.collect({ keepStorageBytes: 300_000, recentNanos: 0n });
}`;

test("killed at any time", async () => {
  const root = await mkdtemp(join(tmpdir(), "berth-test-killed-"));
  await using _left = { [Symbol.asyncDispose]: async () => (await openScratchStore(root))[Symbol.asyncDispose]() };
  const script = join(root, "work.mjs");
  await writeFile(script, work);
  let images = 0;
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [script, root], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 150));
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    assert.deepEqual(await exited, [null, "SIGKILL"], "it was killed at its work");
    const store = await openScratchStore(root);
    const found = store.images.list(new Map());
    images += found.length;
    const diffIds = new Set<string>();
    for (const { Id } of found) {
      const id = Id as ReturnType<typeof digestOf>;
      assert.equal(digestOf(await store.content.read(id)), id);
      for (const diffId of store.images.get(id)?.config.rootfs.diff_ids ?? []) {
        diffIds.add(diffId.slice("sha256:".length));
        assert.ok(await store.layers.has(diffId));
      }
    }
    const kept = (await readdir(join(root, "layers"))).filter((name) => name !== "empty");
    assert.deepEqual(kept.sort(), [...diffIds].sort(), "no layer that no image names");
    assert.equal((await readdir(join(root, "content", "sha256"))).length, found.length, "no configuration that no image names");
    assert.deepEqual(await readdir(join(root, "content", "ingest")), []);
    await store.close();
  }
  assert.ok(images > 0, "some rounds left images to look at");
});
