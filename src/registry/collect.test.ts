import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { BlobFiles } from "./blob-files.ts";
import { mediaTypes } from "./manifest.ts";
import { descriptor, imageManifest, ScratchRegistry, sha256 } from "./scratch-registry.ts";

const graceMs = 1000;

/** A registry whose clock only the test moves. */
async function withClock(
  more: object = {},
): Promise<{ registry: ScratchRegistry; tick(ms: number): void; now(): number } & AsyncDisposable> {
  let time = 1_000_000;
  const registry = await ScratchRegistry.open({ now: () => time, graceMs, ...more });
  return {
    registry,
    now: () => time,
    tick: (ms) => {
      time += ms;
    },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

describe("garbage collection", () => {
  test("what nothing uses goes when the grace time is over, and not before", async () => {
    await using clock = await withClock();
    const { registry } = clock;
    const { digest, blobs } = await registry.pushImage("kept", "v1");
    const other = await registry.pushImage("gone", "v1");
    await registry.pushBlob("gone", "never named");
    const location = String((await registry.ask("POST", "/v2/gone/blobs/uploads/")).headers.location);
    await registry.ask("DELETE", `/v2/gone/manifests/${other.digest}`);
    clock.tick(graceMs);
    assert.deepEqual(await registry.running.collectGarbage(), { manifests: 0, links: 0, blobs: 0, bytes: 0, uploads: 0 });
    clock.tick(1);
    const report = await registry.running.collectGarbage();
    assert.deepEqual([report.links, report.blobs, report.uploads], [4, 4, 1]);
    assert.equal((await registry.ask("GET", location)).status, 404);
    assert.deepEqual((await registry.filesOf("blobs")).sort(), blobs.map((blob) => blob.slice("sha256:".length)).sort());
    assert.deepEqual(await registry.filesOf("uploads"), []);
    assert.equal((await registry.ask("GET", `/v2/kept/manifests/${digest}`)).status, 200);
    assert.equal((await registry.ask("GET", "/v2/gone/tags/list")).status, 404, "the empty repository went, too");
  });

  test("a blob goes with its last repository; who was told that it is there has time to use it", async () => {
    await using clock = await withClock();
    const { registry } = clock;
    const digest = await registry.pushBlob("one", "shared");
    clock.tick(900);
    await registry.ask("POST", `/v2/two/blobs/uploads/?mount=${digest}&from=one`);
    clock.tick(200);
    assert.deepEqual(await registry.running.collectGarbage(), { manifests: 0, links: 1, blobs: 0, bytes: 0, uploads: 0 });
    assert.equal((await registry.ask("HEAD", `/v2/one/blobs/${digest}`)).status, 404);
    clock.tick(700);
    assert.equal((await registry.ask("HEAD", `/v2/two/blobs/${digest}`)).status, 200);
    clock.tick(900);
    assert.equal((await registry.running.collectGarbage()).links, 0, "the HEAD has moved its time");
    clock.tick(200);
    assert.deepEqual(await registry.running.collectGarbage(), { manifests: 0, links: 1, blobs: 1, bytes: 6, uploads: 0 });
  });

  test("manifests without tags go when that is wanted, and not those that an index or a subject keeps", async () => {
    await using clock = await withClock({ gcUntagged: true });
    const { registry } = clock;
    const child = await registry.pushImage("r", "child");
    const loose = await registry.pushImage("r", "loose");
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor(mediaTypes.ociManifest, child.manifest)] };
    assert.equal((await registry.putManifest("r", "all", index)).status, 201);
    await registry.pushBlob("r", "{}");
    const refers = (subject: string): string =>
      JSON.stringify(imageManifest(["{}"], { subject: descriptor(mediaTypes.ociManifest, subject) }));
    const [kept, deep, lost] = [refers(child.manifest), refers(refers(child.manifest)), refers(loose.manifest)];
    for (const manifest of [kept, deep, lost]) await registry.putManifest("r", sha256(manifest), manifest);
    for (const tag of ["child", "loose"]) await registry.ask("DELETE", `/v2/r/manifests/${tag}`);
    clock.tick(graceMs + 1);
    assert.equal((await registry.running.collectGarbage()).manifests, 2);
    const there = async (digest: string): Promise<boolean> => (await registry.ask("GET", `/v2/r/manifests/${digest}`)).status === 200;
    assert.deepEqual(await Promise.all([child.digest, sha256(kept), sha256(deep)].map(there)), [true, true, true]);
    assert.deepEqual(await Promise.all([loose.digest, sha256(lost)].map(there)), [false, false]);
    await registry.ask("DELETE", "/v2/r/manifests/all");
    clock.tick(graceMs + 1);
    assert.equal((await registry.running.collectGarbage()).manifests, 4, "with its tag goes all that it kept");
    assert.deepEqual(await registry.filesOf("blobs"), []);
  });
});

/** Layers that everybody pushes, so that one's garbage is another's push. */
const pool = ["layer A", "layer B", "layer C", "layer D"];

/** What one client does: pushes images of these layers one after the other to one tag, and deletes the one before. */
const pusher = fc.record({
  repository: fc.constantFrom("one", "one", "two"),
  images: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: pool.length - 1 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  }),
  mounts: fc.boolean(),
});

test("pushes that race the collection lose nothing, and nothing that is unused stays", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pusher, { minLength: 3, maxLength: 5 }), async (pushers) => {
      await using clock = await withClock();
      const { registry } = clock;
      const begun = new Map<number, number>();
      const alive = new Map<number, { repository: string; digest: string }>();
      let working = pushers.length;

      const push = async (who: number, { repository, mounts }: { repository: string; mounts: boolean }, layers: readonly number[]) => {
        const config = `{"who":${who},"layers":"${layers}"}`;
        const blobs = [config, ...layers.map((layer) => pool[layer] ?? "")];
        begun.set(who, clock.now());
        for (const blob of blobs) {
          const digest = sha256(blob);
          if ((await registry.ask("HEAD", `/v2/${repository}/blobs/${digest}`)).status === 200) continue;
          const from = repository === "one" ? "two" : "one";
          const mounted =
            mounts && (await registry.ask("POST", `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`)).status === 201;
          if (!mounted) await registry.pushBlob(repository, blob);
        }
        const manifest = JSON.stringify(imageManifest(blobs));
        // Time for others to delete what we were told of, and for the collection to see that.
        await sleep(randomInt(20));
        const put = await registry.putManifest(repository, `tag${who}`, manifest);
        assert.equal(put.status, 201, put.body.toString());
        begun.delete(who);
        return sha256(manifest);
      };

      const clients = pushers.map(async (plan, who) => {
        for (const layers of plan.images) {
          const digest = await push(who, plan, layers);
          const before = alive.get(who);
          alive.set(who, { repository: plan.repository, digest });
          if (before !== undefined && before.digest !== digest)
            await registry.ask("DELETE", `/v2/${plan.repository}/manifests/${before.digest}`);
        }
        working--;
      });
      const collector = (async () => {
        while (working > 0) {
          // No push may take longer than half the grace time: that is what the grace is for.
          const most = Math.min(graceMs, ...[...begun.values()].map((start) => start + graceMs / 2 - clock.now()));
          if (most > 0) clock.tick(most);
          await registry.running.collectGarbage();
          await sleep(1);
        }
      })();
      await Promise.all([...clients, collector]);

      clock.tick(10 * graceMs);
      await registry.running.collectGarbage();
      const used = new Set<string>();
      for (const { repository, digest } of alive.values()) {
        const manifest = await registry.ask("GET", `/v2/${repository}/manifests/${digest}`);
        assert.equal(manifest.status, 200);
        const { config, layers } = JSON.parse(manifest.body.toString()) as { config: { digest: string }; layers: { digest: string }[] };
        for (const blob of [config, ...layers]) {
          used.add(blob.digest.slice("sha256:".length));
          const answer = await registry.ask("GET", `/v2/${repository}/blobs/${blob.digest}`);
          assert.deepEqual([answer.status, sha256(answer.body)], [200, blob.digest]);
        }
      }
      assert.deepEqual((await registry.filesOf("blobs")).sort(), [...used].sort());
      assert.deepEqual(await registry.filesOf("uploads"), []);
    }),
    { numRuns: 10 },
  );
});

/** Until it is disposed of, a disk that takes its time: what could come between a row and its file does. */
function slowDisk(): Disposable {
  const { remove, commit } = BlobFiles.prototype;
  BlobFiles.prototype.remove = async function (digest) {
    await sleep(randomInt(60));
    await remove.call(this, digest);
  };
  BlobFiles.prototype.commit = async function (uploadId, digest) {
    await commit.call(this, uploadId, digest);
    await sleep(randomInt(10));
  };
  return { [Symbol.dispose]: () => Object.assign(BlobFiles.prototype, { remove, commit }) };
}

/** Small ones, and one whose upload takes more than one read. */
const shared = ["layer A", "layer B", randomBytes(300_000)];

/**
 * Pushes an image as clients do, again from the start when the registry says that something is missing.
 * @returns the digest of a manifest that the registry has said to have
 */
async function pushStubbornly(registry: ScratchRegistry, repository: string, tag: string, blobs: readonly (string | Uint8Array)[]) {
  const manifest = JSON.stringify(imageManifest(blobs));
  for (let tries = 1; ; tries++) {
    assert.ok(tries < 1000, "the push never succeeds");
    const pushes = blobs.map(async (blob) => {
      const digest = sha256(blob);
      if ((await registry.ask("HEAD", `/v2/${repository}/blobs/${digest}`)).status === 200) return;
      const begun = await registry.ask("POST", `/v2/${repository}/blobs/uploads/?mount=${digest}`);
      if (begun.status === 201) return;
      await registry.ask("PUT", `${begun.headers.location}?digest=${digest}`, { body: blob });
    });
    await Promise.all(pushes);
    const put = await registry.putManifest(repository, tag, manifest);
    if (put.status === 201) return { digest: sha256(manifest), tries };
    assert.deepEqual([put.status, put.json.errors?.[0]?.code], [404, "MANIFEST_BLOB_UNKNOWN"]);
  }
}

test("without any grace, collected over and over: who was told 201 finds all of it", { timeout: 120_000 }, async () => {
  using _ = slowDisk();
  await using registry = await ScratchRegistry.open({ graceMs: 0 });
  const imagesEach = Number(process.env["BERTH_TEST_PUSHES"] ?? 10);
  const alive = new Map<string, readonly string[]>();
  let [working, again, removed, rounds] = [8, 0, 0, 0];
  const assertWhole = async (repository: string, digest: string, blobs: readonly string[]): Promise<void> => {
    assert.equal((await registry.ask("GET", `/v2/${repository}/manifests/${digest}`)).status, 200);
    for (const blob of blobs) {
      const answer = await registry.ask("GET", `/v2/${repository}/blobs/${blob}`);
      assert.deepEqual([answer.status, sha256(answer.body)], [200, blob]);
    }
  };
  const clients = Array.from({ length: working }, async (_, who) => {
    const repository = `repository-${who % 3}`;
    for (let image = 0; image < imagesEach; image++) {
      const blobs = [`{"who":${who},"image":${image}}`, ...shared.filter(() => randomInt(4) > 0)];
      const { digest, tries } = await pushStubbornly(registry, repository, `tag${who}-${image}`, blobs);
      again += tries - 1;
      await assertWhole(repository, digest, blobs.map(sha256));
      // What one deletes is garbage for all others, in the middle of their pushes.
      if (randomInt(3) > 0) await registry.ask("DELETE", `/v2/${repository}/manifests/${digest}`);
      else alive.set(`${repository}@${digest}`, blobs.map(sha256));
    }
    working--;
  });
  const collector = (async () => {
    while (working > 0) {
      const { blobs, links } = await registry.running.collectGarbage();
      removed += blobs + links;
      rounds++;
      await sleep(randomInt(6));
    }
  })();
  await Promise.all([...clients, collector]);
  assert.ok(removed > 0 && rounds > 0, "something was collected meanwhile");
  await sleep(2);
  await registry.running.collectGarbage();
  for (const [name, blobs] of alive) await assertWhole(name.replace(/@.*/, ""), name.replace(/.*@/, ""), blobs);
  const used = new Set([...alive.values()].flat().map((blob) => blob.slice("sha256:".length)));
  assert.deepEqual((await registry.filesOf("blobs")).sort(), [...used].sort());
  assert.deepEqual(await registry.filesOf("uploads"), []);
  if (process.env["BERTH_TEST_PUSHES"] !== undefined) process.stderr.write(`${rounds} collections, ${again} pushes begun again\n`);
});
