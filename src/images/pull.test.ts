import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Digest, digestOf, parseReference } from "../base/base.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { openDistribution } from "../distribution/open.ts";
import type { Behaviour, Rough } from "../distribution/rough-registry.ts";
import { type Descriptor, mediaTypes, type Platform } from "../spec/spec.ts";
import { openScratchStore, type ScratchStore, tarOf } from "./scratch-store.ts";
import { Shelf } from "./shelf.ts";

type Message = Readonly<Record<string, unknown>>;

const timings = { retryMs: 5, progressMs: 0, stallMs: 300 };

class Bench implements AsyncDisposable {
  readonly store: ScratchStore;
  readonly distribution: Distribution;

  constructor(store: ScratchStore, distribution: Distribution) {
    this.store = store;
    this.distribution = distribution;
  }

  static async open(more: { stallMs?: number } = {}): Promise<Bench> {
    const store = await openScratchStore();
    const root = join(store.root, "downloads");
    return new Bench(store, await openDistribution({ root, timings: { ...timings, ...more }, maxDownloadAttempts: 2 }));
  }

  async pull(name: string, platform?: string): Promise<Message[]> {
    const remote = this.distribution.remote(parseReference(name));
    return await Array.fromAsync(this.store.images.pull(remote, platform === undefined ? {} : { platform }));
  }

  async downloads(): Promise<string[]> {
    return await readdir(join(this.store.root, "downloads"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.distribution[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
  }
}

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64", variant: "v8" };
const s390x: Platform = { os: "linux", architecture: "s390x" };

/** Larger than what is taken in on the main thread. */
const large = Buffer.alloc(300_000, "large and dull ");
const tars = [tarOf({ a: "a", b: large }), tarOf({ c: "c" }), tarOf({ d: "d" })];
const asked = (registry: Rough, pattern: RegExp): number => registry.seen.filter(({ url }) => pattern.test(url)).length;
const statuses = (messages: readonly Message[], id?: string): string[] =>
  messages.filter((message) => id === undefined || message["id"] === id).map((message) => String(message["status"]));
const short = (digest: Digest): string => digest.slice(7, 19);

describe("pull", () => {
  test("gzip, zstd and plain layers; what came is kept to the byte, and goes with the image", async () => {
    await using bench = await Bench.open();
    const shelf = new Shelf();
    const image = shelf.image(tars, amd64, "1");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y`;
    const empty = await bench.store.traces();
    const messages = await bench.pull(`${name}:1`);
    assert.deepEqual(messages[0], { status: "Pulling from x/y", id: "1" });
    assert.deepEqual(messages.at(-2), { status: `Digest: ${image.digest}` });
    assert.deepEqual(messages.at(-1), { status: `Status: Downloaded newer image for ${name}:1` });
    const inspect = bench.store.images.inspect(`${name}:1`);
    assert.deepEqual(inspect.RepoDigests, [`${name}@${image.digest}`]);
    assert.deepEqual(inspect.RootFS?.Layers, tars.map(digestOf));
    assert.equal(bench.store.images.resolve(`${name}@${image.digest}`).id, inspect.Id);
    const manifest = JSON.parse(String(shelf.manifests.get("1")?.bytes)) as { layers: Descriptor[]; config: Descriptor };
    assert.deepEqual(Buffer.from(await bench.store.content.read(image.digest)), shelf.manifests.get("1")?.bytes);
    for (const layer of manifest.layers.slice(0, 2)) {
      assert.deepEqual(Buffer.from(await bench.store.content.read(layer.digest)), shelf.blobs.get(layer.digest));
      const said = statuses(messages, short(layer.digest));
      assert.equal(said[0], "Pulling fs layer");
      assert.equal(said.at(-1), "Pull complete");
      assert.ok(said.includes("Downloading") && said.includes("Download complete"), String(said));
    }
    assert.equal(await bench.store.content.has(digestOf(tars[2] ?? "")), false, "a plain layer is its own tar");
    assert.deepEqual(await bench.downloads(), []);
    assert.deepEqual(bench.store.events.at(-1), {
      action: "pull",
      id: `${name}:1`,
      attributes: { of: "amd64", name },
    });
    const requests = registry.seen.length;
    assert.deepEqual(statuses(await bench.pull(`${name}:1`)).slice(1), [
      `Digest: ${image.digest}`,
      `Status: Image is up to date for ${name}:1`,
    ]);
    assert.equal(registry.seen.length, requests + 1, "the manifest alone is asked for");
    await bench.store.images.remove(`${name}:1`, { force: false, noPrune: false });
    assert.deepEqual(await bench.store.traces(), empty);
  });

  test("of an index that of this machine, or of the platform that was asked for; both stay", async () => {
    await using bench = await Bench.open();
    const shelf = new Shelf();
    const attestation: Platform = { os: "unknown", architecture: "unknown" };
    const entries = [arm64, amd64, s390x, attestation].map((platform, at) => ({
      ...shelf.image([tars[0] ?? Buffer.alloc(0), tarOf({ [platform.architecture]: String(at) })], platform),
      platform,
    }));
    const index = shelf.index(entries, "1");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y:1`;
    await bench.pull(name);
    const first = bench.store.images.inspect(name);
    assert.equal(first.Architecture, "amd64");
    assert.deepEqual(first.RepoDigests, [`${registry.host}/x/y@${index.digest}`]);
    const again = await bench.pull(name, "linux/arm64");
    assert.equal(bench.store.images.inspect(name).Architecture, "amd64", "this machine's is the first choice");
    assert.equal(bench.store.images.inspect(name, arm64).Architecture, "arm64");
    assert.deepEqual(bench.store.images.inspect(name, arm64).RepoDigests, first.RepoDigests);
    assert.ok(statuses(again).includes("Already exists"), "the layer that both have");
    assert.equal(bench.store.images.inspect(String(first.Id)).Architecture, "amd64");
    assert.deepEqual(Buffer.from(await bench.store.content.read(index.digest)), shelf.manifests.get("1")?.bytes);
    await bench.store.images.remove(name, { force: false, noPrune: false, platform: arm64 });
    assert.throws(() => bench.store.images.resolve(name, arm64), { code: "NotFound" });
    assert.equal(await bench.store.content.has(index.digest), true, "the other platform's image has it too");
    await bench.pull(name, "linux/arm64");
    const gone = await bench.store.images.remove(name, { force: false, noPrune: false });
    assert.equal(gone.filter((record) => "Deleted" in record && record.Deleted === first.Id).length, 1);
    assert.deepEqual(bench.store.images.list(new Map()), []);
    assert.equal(await bench.store.content.has(index.digest), false);
    await assert.rejects(bench.pull(name, "linux/riscv64"), {
      code: "NotFound",
      message: "no matching manifest for linux/riscv64 in the manifest list entries",
    });
  });

  test("an image of one platform is taken whatever was asked for, and then refused", async () => {
    await using bench = await Bench.open();
    const shelf = new Shelf();
    shelf.image(tars, amd64, "1");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y:1`;
    await assert.rejects(bench.pull(name, "linux/arm64/v8"), {
      code: "NotFound",
      message: `image with reference ${name} was found but its platform (linux/amd64) does not match the specified platform (linux/arm64/v8)`,
    });
    assert.ok(
      (await bench.pull(name)).some(({ status }) => status === `Status: Image is up to date for ${name}`),
      "it is here",
    );
  });

  test("by digest; all tags", async () => {
    await using bench = await Bench.open();
    const shelf = new Shelf();
    const image = shelf.image(tars, amd64, "1", "2");
    shelf.image([tarOf({ other: "o" })], amd64, "3");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y`;
    const messages = await bench.pull(`${name}@${image.digest}`);
    assert.deepEqual(messages[0], { status: "Pulling from x/y", id: `${name}@${image.digest}` });
    assert.deepEqual(messages.at(-1), { status: `Status: Downloaded newer image for ${name}@${image.digest}` });
    assert.deepEqual(bench.store.images.inspect(`${name}@${image.digest}`).RepoTags, []);
    const all = await bench.pull(name);
    assert.deepEqual(
      all.filter((message) => String(message["status"]).startsWith("Pulling from")).map((message) => message["id"]),
      ["1", "2", "3"],
    );
    assert.deepEqual(all.at(-1), { status: `Status: Downloaded newer image for ${name}` });
    assert.deepEqual((await bench.pull(name)).at(-1), { status: `Status: Image is up to date for ${name}` });
    assert.deepEqual(bench.store.images.inspect(`${name}:2`).RepoTags, [`${name}:1`, `${name}:2`]);
  });

  test("ten at once fetch each blob once; one that is left does not end the others", async () => {
    await using bench = await Bench.open();
    const shelf = new Shelf();
    shelf.image(tars, amd64, "1");
    const gate = Promise.withResolvers<void>();
    await using registry = await shelf.serve((path, _request, response) => {
      if (!path.includes("/blobs/")) return false;
      const found = shelf.blobs.get(path.slice("/v2/x/y/blobs/".length));
      void gate.promise.then(() => response.end(found));
      return true;
    });
    const name = `${registry.host}/x/y:1`;
    const left = new AbortController();
    const leaver = Array.fromAsync(bench.store.images.pull(bench.distribution.remote(parseReference(name)), { signal: left.signal }));
    leaver.catch(() => undefined);
    const pulls = Array.from({ length: 9 }, () => bench.pull(name));
    setTimeout(() => left.abort(new Error("gone")), 50);
    await assert.rejects(leaver, /gone/);
    gate.resolve();
    await Promise.all(pulls);
    const manifest = JSON.parse(String(shelf.manifests.get("1")?.bytes)) as { layers: Descriptor[] };
    for (const layer of manifest.layers) assert.equal(asked(registry, new RegExp(layer.digest)), 1);
    assert.equal(bench.store.images.inspect(name).RootFS?.Layers?.length, 3);
    assert.deepEqual(await bench.downloads(), []);
  });

  test("an image that is removed while it is pulled again, a hundred times over", async () => {
    await using bench = await Bench.open();
    const shelf = new Shelf();
    shelf.image(tars, amd64, "1");
    await using registry = await shelf.serve();
    const name = `${registry.host}/x/y:1`;
    for (let round = 0; round < 100; round += 1) {
      const removal = (async () => {
        for (let turn = 0; turn < round % 7; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        await bench.store.images.remove(name, { force: false, noPrune: false }).catch(() => undefined);
      })();
      await Promise.all([bench.pull(name), removal]);
      await bench.pull(name);
      const image = bench.store.images.resolve(name);
      for (const diffId of image.config.rootfs.diff_ids) assert.equal(await bench.store.layers.has(diffId), true);
      assert.equal(await bench.store.content.has(image.id), true);
    }
  });
});

describe("a pull that fails leaves nothing but what can be gone on with", () => {
  interface Case {
    readonly name: string;
    readonly message: RegExp;
    /** What may stay. */
    readonly downloads?: number;
    arrange(shelf: Shelf): ((path: string, ...call: Parameters<Behaviour>) => boolean) | undefined;
  }
  const [first = Buffer.alloc(0)] = tars;
  const config = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(first)] } };
  const cases: readonly Case[] = [
    {
      name: "other bytes than the digest's",
      message: /^filesystem layer verification failed for digest sha256:/,
      arrange(shelf) {
        const layer = shelf.layer(first, 0);
        shelf.imageOf(config, [layer], "1");
        shelf.blobs.set(layer.digest, Buffer.alloc(layer.size, 1));
        return undefined;
      },
    },
    {
      name: "a layer that is not the configuration's",
      message: /^failed to register layer: invalid diffID: expected/,
      downloads: 1,
      arrange(shelf) {
        shelf.imageOf(config, [shelf.layer(tars[1] ?? first, 0)], "1");
        return undefined;
      },
    },
    {
      name: "a gzip that ends too soon",
      message: /^failed to register layer: cannot decompress the layer: unexpected end of file/,
      downloads: 1,
      arrange(shelf) {
        const whole = gzipSync(first);
        shelf.imageOf(config, [shelf.blob(whole.subarray(0, whole.length - 20), `${mediaTypes.ociLayer}+gzip`)], "1");
        return undefined;
      },
    },
    {
      name: "more layers than the configuration has",
      message: /^layers from manifest don't match image configuration$/,
      arrange(shelf) {
        shelf.imageOf(config, [shelf.layer(first, 0), shelf.layer(tars[1] ?? first, 0)], "1");
        return undefined;
      },
    },
    {
      name: "an artifact that is no image",
      message: /^unsupported media type application\/vnd.x$/,
      arrange(shelf) {
        const described = shelf.blob(Buffer.from("{}"), "application/vnd.x");
        shelf.manifest({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: described, layers: [] }, mediaTypes.ociManifest, "1");
        return undefined;
      },
    },
    {
      name: "a layer that is none",
      message: /^unsupported media type text\/plain$/,
      arrange(shelf) {
        shelf.imageOf(config, [shelf.blob(first, "text/plain")], "1");
        return undefined;
      },
    },
    {
      name: "a plugin of Docker's",
      message: /^Encountered remote "application\/vnd.docker.plugin.v1\+json"\(plugin\) when fetching$/,
      arrange(shelf) {
        const described = shelf.blob(Buffer.from("{}"), "application/vnd.docker.plugin.v1+json");
        const { dockerManifest: mediaType } = mediaTypes;
        shelf.manifest({ schemaVersion: 2, mediaType, config: described, layers: [] }, mediaType, "1");
        return undefined;
      },
    },
    {
      name: "schema 1",
      message: /^Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed/,
      arrange(shelf) {
        shelf.manifest({ schemaVersion: 1, fsLayers: [] }, "application/vnd.docker.distribution.manifest.v1+prettyjws", "1");
        return undefined;
      },
    },
    {
      name: "a registry that stalls",
      message: /i\/o timeout/,
      downloads: 1,
      arrange(shelf) {
        const layer = shelf.layer(first, 2);
        shelf.imageOf(config, [layer], "1");
        return (path, _request, response) => {
          if (!path.endsWith(layer.digest)) return false;
          response.writeHead(200, { "content-length": layer.size });
          response.write(first.subarray(0, 1000));
          return true;
        };
      },
    },
    {
      name: "one layer that is not there beside one that is",
      message: /^unknown blob$/,
      arrange(shelf) {
        const [here, gone] = [shelf.layer(first, 0), shelf.layer(tars[1] ?? first, 1)];
        const both = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(first), digestOf(tars[1] ?? first)] } };
        shelf.imageOf(both, [here, gone], "1");
        shelf.blobs.delete(gone.digest);
        return undefined;
      },
    },
  ];
  for (const one of cases) {
    test(one.name, async () => {
      await using bench = await Bench.open();
      const shelf = new Shelf();
      const special = one.arrange(shelf);
      await using registry = await shelf.serve(special);
      const withoutDownloads = async (): Promise<string[]> =>
        (await bench.store.traces()).filter((trace) => !trace.includes("/downloads/"));
      const before = await withoutDownloads();
      await assert.rejects(bench.pull(`${registry.host}/x/y:1`), { message: one.message });
      assert.deepEqual(await withoutDownloads(), before);
      assert.ok((await bench.downloads()).length <= (one.downloads ?? 1));
    });
  }
});

describe("after an interruption", () => {
  test("layers that came whole are not asked for again, and a part goes on where it was", async () => {
    await using bench = await Bench.open({ stallMs: 60_000 });
    const shelf = new Shelf();
    const big = tarOf({ big: Buffer.from(Array.from({ length: 400_000 }, (_, at) => (at * 2654435761) >>> 13)) });
    const layers = [shelf.layer(tars[0] ?? big, 0), shelf.layer(big, 2)] as const;
    const config = { ...amd64, rootfs: { type: "layers", diff_ids: [digestOf(tars[0] ?? big), digestOf(big)] } };
    shelf.imageOf(config, layers, "1");
    let isBroken = true;
    await using registry = await shelf.serve((path, _request, response) => {
      if (!isBroken || !path.endsWith(layers[1].digest)) return false;
      response.writeHead(200, { "content-length": layers[1].size });
      response.write(big.subarray(0, 200_000));
      return true;
    });
    const name = `${registry.host}/x/y:1`;
    const left = new AbortController();
    const remote = bench.distribution.remote(parseReference(name));
    const pull = (async () => {
      let [isWhole, isPart] = [false, false];
      for await (const message of bench.store.images.pull(remote, { signal: left.signal })) {
        isWhole ||= message["status"] === "Download complete";
        isPart ||= Number(Object(message["progressDetail"])["current"] ?? 0) >= 200_000;
        if (isWhole && isPart) left.abort(new Error("killed"));
      }
    })();
    await assert.rejects(pull, /killed/);
    assert.equal((await bench.downloads()).length, 2);
    registry.seen.length = 0;
    isBroken = false;
    await bench.pull(name);
    assert.equal(asked(registry, new RegExp(layers[0].digest)), 0);
    const rest = registry.seen.filter(({ url }) => url.endsWith(layers[1].digest));
    assert.equal(rest.length, 1);
    assert.match(rest[0]?.headers.range ?? "", /^bytes=[1-9]\d{4,}-$/);
    assert.equal(bench.store.images.inspect(name).RootFS?.Layers?.length, 2);
    assert.deepEqual(await bench.downloads(), []);
  });
});
