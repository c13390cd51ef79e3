/** Names that stand for an index with several platforms: pulled, loaded, saved, pushed, listed, removed. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { type ContainerId, type Digest, hexOf, parseReference } from "../base/base.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { openDistribution } from "../distribution/open.ts";
import { openRegistry } from "../registry/registry.ts";
import { type Descriptor, mediaTypes, type Platform } from "../spec/spec.ts";
import { extract, loadAll, openScratchStore, type ScratchStore, saveAll, tarOf } from "./scratch-store.ts";
import { Shelf } from "./shelf.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64", variant: "v8" };
const s390x = { os: "linux", architecture: "s390x" };
const base = tarOf({ base: "for all" });

interface Sample {
  readonly shelf: Shelf;
  readonly index: Descriptor;
  /** By architecture. */
  readonly images: ReadonlyMap<string, Descriptor>;
  readonly attestation: Descriptor;
}

/** amd64 with an attestation, and an index within the index that lists arm64 and s390x. */
function sample(): Sample {
  const shelf = new Shelf();
  const image = (platform: Platform): Descriptor => ({
    ...shelf.image([base, tarOf({ [platform.architecture]: "own" })], platform),
    platform,
  });
  const [first, second, third] = [image(amd64), image(arm64), image(s390x)] as const;
  const statement = shelf.blob(Buffer.from(`{"predicateType":"https://slsa.dev/provenance/v1"}`), "application/vnd.in-toto+json");
  const attestation: Descriptor = {
    ...shelf.imageOf({ architecture: "unknown", os: "unknown", rootfs: { type: "layers", diff_ids: [statement.digest] } }, [statement]),
    annotations: { "vnd.docker.reference.digest": first.digest, "vnd.docker.reference.type": "attestation-manifest" },
    platform: { os: "unknown", architecture: "unknown" },
  };
  const nested = shelf.index([second, third]);
  const index = shelf.index([first, attestation, nested], "1");
  return { shelf, index, attestation, images: new Map([first, second, third].map((one) => [one.platform?.architecture ?? "", one])) };
}

/** An OCI layout with all of a shelf, or without some blobs. */
function layoutOf({ shelf, index }: Sample, name: string, without: readonly Digest[] = []): Buffer {
  const blobs = new Map<string, Buffer>([...shelf.blobs, ...[...shelf.manifests].map(([key, { bytes }]) => [key, bytes] as const)]);
  const entry = { ...index, annotations: { "io.containerd.image.name": name } };
  return tarOf({
    "oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
    "index.json": JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }),
    ...Object.fromEntries(
      [...blobs].flatMap(([key, bytes]) =>
        key.includes(":") && !without.some((digest) => digest === key) ? [[`blobs/sha256/${hexOf(key as Digest)}`, bytes]] : [],
      ),
    ),
  });
}

interface World extends AsyncDisposable {
  readonly store: ScratchStore;
  readonly distribution: Distribution;
  /** Of a registry of our own. */
  readonly host: string;
  pull(name: string, platform?: string): Promise<Record<string, unknown>[]>;
  push(name: string, platform?: Platform): Promise<Record<string, unknown>[]>;
  digestAt(name: string): Promise<Digest>;
}

async function world(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "berth-test-platforms-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const registry = stack.use(await openRegistry({ root: join(folder, "registry"), address: { host: "127.0.0.1", port: 0 } }));
  const store = stack.use(await openScratchStore());
  // The same file system as the store's, as in the daemon.
  const distribution = stack.use(await openDistribution({ root: join(store.root, "downloads"), timings: { retryMs: 10 } }));
  const remote = (name: string) => distribution.remote(parseReference(name));
  const kept = stack.move();
  return {
    store,
    distribution,
    host: `127.0.0.1:${registry.port}`,
    pull: (name, platform) => Array.fromAsync(store.images.pull(remote(name), platform === undefined ? {} : { platform })),
    push: (name, platform) => Array.fromAsync(store.images.push(remote(name), platform === undefined ? {} : { platform })),
    digestAt: async (name) => (await remote(name).manifest()).digest,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const architectures = (store: ScratchStore, name: string): string[] =>
  store.images
    .platforms(name)
    .map(({ config }) => config.architecture)
    .sort();

const remove = { force: false, noPrune: false };

describe("platforms under one name", () => {
  test("load, save, load: the same bytes, of all or of some platforms; of one as asked for", async () => {
    const all = sample();
    await using first = await openScratchStore();
    const empty = await first.traces();
    assert.equal(await loadAll(first, layoutOf(all, "docker.io/library/x:1")), "Loaded image: x:1\n");
    assert.deepEqual(architectures(first, "x:1"), ["amd64", "arm64", "s390x"]);
    const saved = await saveAll(first, "x:1");
    const members = await extract(saved);
    for (const [key, { bytes }] of all.shelf.manifests)
      if (key.includes(":")) assert.deepEqual(members.get(`blobs/sha256/${hexOf(key as Digest)}`), bytes, key);
    for (const [key, bytes] of all.shelf.blobs) assert.deepEqual(members.get(`blobs/sha256/${hexOf(key as Digest)}`), bytes, key);
    const [item, ...more] = JSON.parse(String(members.get("manifest.json"))) as { Config: string; RepoTags: string[] }[];
    assert.deepEqual([more.length, item?.RepoTags], [0, ["x:1"]]);
    assert.equal(item?.Config, `blobs/sha256/${hexOf(first.images.resolve("x:1").id)}`);
    await using second = await openScratchStore();
    await loadAll(second, saved);
    assert.deepEqual(await saveAll(second, "x:1"), saved);
    await using reopened = await second.reopen();
    assert.deepEqual(await saveAll(reopened, "x:1"), saved, "nothing of it is swept away at a start");

    await using some = await openScratchStore();
    await loadAll(some, layoutOf(all, "docker.io/library/x:1", [all.images.get("s390x")?.digest as Digest]));
    assert.deepEqual(architectures(some, "x:1"), ["amd64", "arm64"]);
    const fewer = await saveAll(some, "x:1");
    await some.images.remove("x:1", remove);
    await loadAll(some, fewer);
    assert.deepEqual(await saveAll(some, "x:1"), fewer);

    await using one = await openScratchStore();
    for await (const _ of one.images.load(Readable.from([saved]), { quiet: true, platform: s390x }));
    assert.deepEqual(architectures(one, "x:1"), ["s390x"]);
    assert.ok((await extract(await saveAll(one, "x:1"))).get("manifest.json"));
    await assert.rejects(
      Array.fromAsync(one.images.load(Readable.from([saved]), { quiet: true, platform: { ...s390x, architecture: "mips" } })),
      {
        code: "NotFound",
      },
    );
    await first.images.remove("x:1", remove);
    assert.deepEqual(await first.traces(), empty);
  });

  test("load, push, pull of all, save: nothing has changed", async () => {
    const all = sample();
    await using from = await world();
    const name = `${from.host}/x/y:1`;
    await loadAll(from.store, layoutOf(all, name));
    const pushed = await from.push(name);
    assert.ok(pushed.some(({ status }) => status === `1: digest: ${all.index.digest} size: ${all.index.size}`));
    assert.equal(await from.digestAt(name), all.index.digest);
    assert.deepEqual(from.store.images.inspect(name).RepoDigests, [`${from.host}/x/y@${all.index.digest}`]);
    await using to = await world();
    const empty = await to.store.traces();
    await to.pull(name, "all");
    assert.deepEqual(architectures(to.store, name), ["amd64", "arm64", "s390x"]);
    assert.deepEqual(await saveAll(to.store, name), await saveAll(from.store, name));
    assert.ok((await to.pull(name, "all")).some(({ status }) => String(status).startsWith("Status: Image is up to date")));
    const elsewhere = `${to.host}/other/place:2`;
    to.store.images.tag(name, parseReference(elsewhere));
    await to.push(elsewhere);
    assert.equal(await to.digestAt(elsewhere), all.index.digest);
    for (const [, { digest }] of all.images) assert.equal(await to.digestAt(`${to.host}/other/place@${digest}`), digest);
    await to.store.images.remove(elsewhere, remove);
    await to.store.images.remove(name, remove);
    assert.deepEqual(await to.store.traces(), empty);
  });

  test("platforms come beside each other; pushed is the index where it is whole, else an image, and that is told", async () => {
    const all = sample();
    await using registry = await all.shelf.serve();
    await using here = await world();
    const name = `${registry.host}/x/y:1`;
    await here.pull(name);
    assert.deepEqual(architectures(here.store, name), ["amd64"]);
    const tag = async (as: string): Promise<string> => {
      const target = `${here.host}/${as}`;
      here.store.images.tag(name, parseReference(target));
      return target;
    };
    const notes = (messages: readonly Record<string, unknown>[]): unknown[] =>
      messages.flatMap(({ aux }) =>
        (aux as { manifestPushedInsteadOfIndex?: boolean } | undefined)?.manifestPushedInsteadOfIndex ? [aux] : [],
      );
    const alone = await tag("alone:1");
    const note = notes(await here.push(alone));
    assert.deepEqual(note, [
      { manifestPushedInsteadOfIndex: true, originalIndex: descriptorOf(all.index), selectedManifest: all.images.get("amd64") },
    ]);
    assert.equal(await here.digestAt(alone), all.images.get("amd64")?.digest);
    const again = await here.pull(name, "linux/arm64");
    assert.ok(again.some(({ status }) => String(status).startsWith("Status: Downloaded newer image")));
    assert.deepEqual(architectures(here.store, name), ["amd64", "arm64"]);
    assert.deepEqual(architectures(here.store, alone), ["amd64", "arm64"], "other names of the index have it too");
    const two = await tag("two:1");
    assert.equal(notes(await here.push(two)).length, 1);
    assert.equal(await here.digestAt(two), all.images.get("amd64")?.digest, "this machine's");
    await here.push(two, arm64);
    assert.equal(await here.digestAt(two), all.images.get("arm64")?.digest);
    await assert.rejects(here.push(two, s390x), { code: "NotFound", message: /does not provide the specified platform \(linux\/s390x\)$/ });
    // What is missing here, the registry has.
    await here.store.images.remove(alone, remove);
    await here.pull(name, "all");
    await here.push(await tag("whole:1"));
    await here.store.images.remove(name, { ...remove, platform: s390x });
    assert.deepEqual(architectures(here.store, name), ["amd64", "arm64"]);
    assert.deepEqual(notes(await here.push(await tag("whole:2"))), []);
    assert.equal(await here.digestAt(`${here.host}/whole:2`), all.index.digest);
    // Two that both are another machine's: nobody can say which.
    await here.store.images.remove(name, { ...remove, platform: amd64 });
    await here.pull(name, "linux/s390x");
    await assert.rejects(here.push(await tag("neither:1")), {
      code: "Conflict",
      message: "multiple matching manifests found but no specific platform requested",
    });
  });

  test("listed as one, each manifest told; another index or image under the name takes its place", async () => {
    const all = sample();
    await using here = await openScratchStore();
    await loadAll(here, layoutOf(all, "docker.io/library/x:1"));
    const [summary, ...more] = here.images.list(new Map());
    assert.equal(more.length, 0);
    assert.deepEqual(summary?.RepoTags, ["x:1"]);
    assert.equal(summary?.Id, here.images.resolve("x:1", amd64).id);
    const sizes = here.images.platforms("x:1").map(({ sizeBytes }) => sizeBytes);
    assert.equal(summary?.Size, sizes.reduce((sum, size) => sum + size, 0) - 2 * base.length, "what all have counts once");
    const arm = here.images.resolve("x:1", arm64).id;
    here.users.set(arm, [{ id: "c1" as ContainerId, running: false }]);
    await here.images.remove("x:1", { ...remove, platform: s390x });
    const manifests = await here.images.manifests(["x:1"]);
    assert.deepEqual(
      manifests.map(({ Kind, Available, ID, ImageData }) => [
        Kind,
        Available,
        ID,
        ImageData?.Platform?.architecture,
        ImageData?.Containers,
      ]),
      [
        ["image", true, all.images.get("amd64")?.digest, "amd64", []],
        ["attestation", true, all.attestation.digest, undefined, undefined],
        ["image", true, all.images.get("arm64")?.digest, "arm64", ["c1"]],
        ["image", false, all.images.get("s390x")?.digest, "s390x", []],
      ],
    );
    assert.equal(manifests[1]?.AttestationData?.For, all.images.get("amd64")?.digest);
    assert.equal(here.images.list(new Map(), { all: false, sharedSize: true, containers: true })[0]?.Containers, 1);
    // The same name, an index of other images.
    const other = new Shelf();
    const entry = { ...other.image([tarOf({ new: "er" })], amd64), platform: amd64 };
    const text = await loadAll(here, layoutOf({ ...all, shelf: other, index: other.index([entry]) }, "docker.io/library/x:1"));
    assert.equal(text.match(/renaming the old one with ID/g)?.length, 2);
    assert.deepEqual(architectures(here, "x:1"), ["amd64"]);
    assert.deepEqual(here.images.get(arm)?.references, []);
  });

  test("removed together, unless in use; by id; pruned and collected together", async () => {
    const all = sample();
    await using here = await openScratchStore();
    const empty = await here.traces();
    const load = (): Promise<string> => loadAll(here, layoutOf(all, "docker.io/library/x:1"));
    await load();
    const arm = here.images.resolve("x:1", arm64).id;
    const first = here.images.resolve("x:1").id;
    const user = [{ id: "c".repeat(64) as ContainerId, running: false }];
    here.users.set(arm, user);
    for (const [reference, platform] of [["x:1"], [first], [arm], ["x:1", arm64]] as const)
      await assert.rejects(here.images.remove(reference, platform === undefined ? remove : { ...remove, platform }), { code: "Conflict" });
    assert.deepEqual((await here.images.prune(new Map([["dangling", ["false"]]]))).ImagesDeleted, null);
    const kept = await here.images.collect({ keepStorageBytes: 0, recentNanos: 0n });
    assert.deepEqual([kept.Removed, kept.Kept.map(({ Reason }) => Reason)], [[], ["used"]]);
    // By force: the others go, and that one when its container does.
    await here.images.remove("x:1", { force: true, noPrune: false });
    assert.deepEqual(here.images.list(new Map()), []);
    assert.ok(here.images.get(arm) !== undefined);
    here.users.clear();
    await here.images.release(arm);
    assert.deepEqual(await here.traces(), empty);

    await load();
    const records = await here.images.remove(arm, remove);
    assert.deepEqual(records[0], { Deleted: arm }, "the name stays for the others");
    assert.deepEqual(architectures(here, "x:1"), ["amd64", "s390x"]);
    await here.images.remove(first, remove);
    assert.deepEqual(await here.traces(), empty, "the id that lists show stands for all");

    await load();
    here.images.tag("x:1", parseReference("y:2"));
    await here.images.remove("x:1", remove);
    assert.deepEqual(architectures(here, "y:2"), ["amd64", "arm64", "s390x"]);
    const pruned = await here.images.prune(new Map([["dangling", ["false"]]]));
    assert.equal(pruned.ImagesDeleted?.filter((record) => record.Untagged === "y:2").length, 1);
    assert.deepEqual(await here.traces(), empty);

    await load();
    const collected = await here.images.collect({ keepStorageBytes: 0, recentNanos: 0n });
    assert.deepEqual(
      collected.Removed.map(({ Names }) => Names),
      [["x:1"]],
    );
    assert.equal(collected.Stored, 0);
    assert.deepEqual(await here.traces(), empty);
  });
});

const descriptorOf = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });
