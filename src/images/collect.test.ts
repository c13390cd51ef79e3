import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ContainerId, type Digest, parseReference } from "../base/base.ts";
import type { ImageCollection } from "../spec/spec.ts";
import { type CollectPolicy, parseCollectPolicy } from "./images.ts";
import { openScratchStore, type ScratchStore, streamOf, tarOf } from "./scratch-store.ts";

const second = 1_000_000_000n;

async function made(store: ScratchStore, name: string | undefined, text: string, ageSeconds: bigint): Promise<Digest> {
  const reference = name === undefined ? {} : { reference: parseReference(name) };
  const id = await store.images.import(streamOf(tarOf({ file: text.repeat(10_000) })), { ...reference, message: text, changes: [] });
  const used = BigInt(Date.now()) * 1_000_000n - ageSeconds * second;
  store.database.prepare("UPDATE images SET used_nanos = ? WHERE id = ?").run(used, id);
  return id;
}

const names = (found: ImageCollection): string[] => found.Removed.map(({ Names, Reason }) => `${Names.join()} ${Reason}`);
const left = (store: ScratchStore): string[] =>
  store.images
    .list(new Map())
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .sort();
const none: CollectPolicy = { recentNanos: 0n };

describe("the collector", () => {
  test("removes what was unused for longer, and nothing without a reason", async () => {
    await using store = await openScratchStore();
    await made(store, "old", "a", 7200n);
    await made(store, "older", "b", 9000n);
    await made(store, "new", "c", 60n);
    assert.deepEqual(names(await store.images.collect(none)), []);
    const policy = { ...none, unusedForNanos: 3600n * second };
    const dry = await store.images.collect(policy, { dryRun: true });
    assert.deepEqual(names(dry), ["older:latest unused-for", "old:latest unused-for"]);
    assert.deepEqual(left(store), ["new:latest", "old:latest", "older:latest"]);
    store.events.length = 0;
    const done = await store.images.collect(policy);
    assert.deepEqual([names(done), done.SpaceReclaimed], [names(dry), dry.SpaceReclaimed]);
    assert.deepEqual(left(store), ["new:latest"]);
    assert.deepEqual(
      store.events.map(({ action }) => action),
      ["untag", "delete", "untag", "delete", "gc"],
    );
    assert.equal(done.Stored, store.images.storedBytes());
    assert.equal((await store.traces()).filter((trace) => trace.endsWith("layer.tar")).length, 1);
  });

  test("removes the longest unused beyond a size, those without a name first", async () => {
    await using store = await openScratchStore();
    await made(store, "a", "a", 5000n);
    await made(store, "b", "b", 4000n);
    await made(store, undefined, "n", 3000n);
    await made(store, "c", "c", 2000n);
    const keepStorageBytes = store.images.storedBytes() / 2;
    assert.deepEqual(names(await store.images.collect({ ...none, keepStorageBytes }, { dryRun: true })), [
      " keep-storage",
      "a:latest keep-storage",
    ]);
    const done = await store.images.collect({ ...none, keepStorageBytes });
    assert.deepEqual(names(done), [" keep-storage", "a:latest keep-storage"]);
    assert.deepEqual(left(store), ["b:latest", "c:latest"]);
    assert.ok(done.Stored <= keepStorageBytes);
    assert.deepEqual(names(await store.images.collect({ ...none, keepStorageBytes })), []);
    assert.deepEqual(names(await store.images.collect({ ...none, minFree: { bytes: 1 } })), []);
    assert.deepEqual(names(await store.images.collect({ ...none, minFree: { part: 1 } })), ["b:latest min-free", "c:latest min-free"]);
  });

  test("leaves what is used, pinned, recent, a step of another, or held by somebody's work", async () => {
    await using store = await openScratchStore();
    const policy = { unusedForNanos: 0n, recentNanos: 100n * second, pins: ["team/*"] };
    const stopped = await made(store, "stopped", "s", 5000n);
    store.users.set(stopped, [{ id: "c1" as ContainerId, running: false }]);
    await made(store, "pinned", "p", 5000n);
    store.images.pin("pinned", true);
    await made(store, "team/app:1", "t", 5000n);
    await made(store, "recent", "r", 50n);
    const reasons = async (): Promise<Record<string, string>> =>
      Object.fromEntries((await store.images.collect(policy)).Kept.map(({ Names, Reason }) => [Names.join(), Reason]));
    const kept = { "stopped:latest": "used", "pinned:latest": "pinned", "team/app:1": "pinned", "recent:latest": "recent" };
    assert.deepEqual(await reasons(), kept);
    await made(store, "held", "h", 5000n);
    {
      await using _held = await store.images.hold();
      assert.deepEqual(await reasons(), { ...kept, "held:latest": "busy", "recent:latest": "busy" });
    }
    store.images.pin("pinned", false);
    store.users.clear();
    assert.deepEqual(
      names(await store.images.collect(policy)).sort(),
      ["held", "pinned", "stopped"].map((name) => `${name}:latest unused-for`),
    );
    assert.throws(() => store.images.pin("nosuch", true), { code: "NotFound" });
  });

  test("a container that is made counts as use, also after a restart; steps go with what stands on them", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "a", "a", 5000n);
    store.images.used(id);
    const child = await store.images.create(
      { ...(store.images.get(id)?.config ?? assert.fail()), history: [] },
      parseReference("child"),
      id,
    );
    const policy = { recentNanos: 100n * second, unusedForNanos: 0n };
    {
      await using again = await store.reopen();
      assert.deepEqual(
        (await again.images.collect(policy)).Kept.map(({ Reason }) => Reason),
        ["parent", "recent"],
      );
      again.database.exec("UPDATE images SET used_nanos = 5");
      assert.deepEqual(
        (await again.images.collect(policy)).Removed.map((image) => image.Id),
        [child, id],
      );
      assert.deepEqual(
        (await again.traces()).filter((trace) => !trace.startsWith("layers ")),
        [],
      );
    }
  });

  test("words of a policy", () => {
    assert.deepEqual(parseCollectPolicy({ "keep-storage": "10g", "min-free": "7.5%", "unused-for": "7d", pins: ["a"] }), {
      keepStorageBytes: 10 * 2 ** 30,
      minFree: { part: 0.075 },
      unusedForNanos: 7n * 86_400n * second,
      pins: ["a"],
    });
    assert.deepEqual(parseCollectPolicy({ "min-free": "1m", recent: "1h30m" }), {
      minFree: { bytes: 2 ** 20 },
      recentNanos: 5400n * second,
      pins: [],
    });
    for (const words of [{ "keep-storage": "much" }, { "min-free": "x%" }, { "unused-for": "-1h" }, { recent: "soon" }])
      assert.throws(() => parseCollectPolicy(words), { code: "InvalidParameter" });
  });
});
