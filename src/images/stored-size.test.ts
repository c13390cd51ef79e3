import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { parseReference } from "../base/base.ts";
import { openDistribution } from "../distribution/open.ts";
import type { Descriptor } from "../spec/spec.ts";
import { openScratchStore, tarOf } from "./scratch-store.ts";
import { Shelf } from "./shelf.ts";

test("what images take on the disk: tars and what is kept compressed; images of the same layer share both", async () => {
  await using store = await openScratchStore();
  await using distribution = await openDistribution({ root: join(store.root, "downloads") });
  const shelf = new Shelf();
  const [common, own] = [tarOf({ a: randomBytes(50_000) }), tarOf({ b: randomBytes(70_000) })];
  const platform = { os: "linux", architecture: "amd64" };
  shelf.image([common], platform, "1");
  shelf.image([common, own], platform, "2");
  const compressed = (JSON.parse(String(shelf.manifests.get("2")?.bytes)) as { layers: Descriptor[] }).layers.map(({ size }) => size);
  const [shared = 0, single = 0] = [common.length + (compressed[0] ?? 0), own.length + (compressed[1] ?? 0)];
  await using registry = await shelf.serve();
  for (const tag of ["1", "2"]) {
    const remote = distribution.remote(parseReference(`${registry.host}/x/y:${tag}`));
    for await (const _ of store.images.pull(remote, {}));
  }
  const sizes = (stored: boolean): unknown =>
    store.images
      .list(new Map(), { all: false, sharedSize: true, stored })
      .map(({ RepoTags, Size, SharedSize }) => [RepoTags?.[0]?.slice(-1), Size, SharedSize])
      .sort();
  assert.deepEqual(sizes(false), [
    ["1", common.length, common.length],
    ["2", common.length + own.length, common.length],
  ]);
  assert.deepEqual(sizes(true), [
    ["1", shared, shared],
    ["2", shared + single, shared],
  ]);
  assert.equal(store.images.storedBytes(), shared + single);
  const removed = (await store.images.remove(`${registry.host}/x/y:2`, { force: false, noPrune: false })).length;
  assert.ok(removed > 0);
  assert.equal(store.images.storedBytes(), shared);
  const pruned = await store.images.prune(new Map([["dangling", ["false"]]]));
  assert.equal(pruned.SpaceReclaimed, shared);
  assert.equal(store.images.storedBytes(), 0);
});
