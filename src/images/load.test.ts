import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Ajv } from "ajv";
import fc from "fast-check";
import { type Digest, digestOf, hexOf, parseReference, shortId } from "../base/base.ts";
import { type ImageConfiguration, mediaTypes } from "../spec/spec.ts";
import { archiveEnd, entryHeader, entryPadding } from "./archive-writer.ts";
import { hostPlatform } from "./platform.ts";
import { extract, loadAll, openScratchStore, type ScratchStore, saveAll, sha256, streamOf, tarOf, withChecksum } from "./scratch-store.ts";

type Members = Record<string, string | Uint8Array | { symlink: string }>;

const json = (value: unknown): string => JSON.stringify(value);
const layerOf = (text: string): Buffer => tarOf({ "etc/motd": text });
const blob = (data: string | Uint8Array): string => `blobs/sha256/${hexOf(digestOf(data))}`;

function configOf(layers: readonly Uint8Array[], more: object = {}): string {
  return json({
    architecture: hostPlatform.architecture,
    os: "linux",
    created: "2020-01-02T03:04:05.000000006Z",
    config: { Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
    history: layers.map((_, position) => ({ created_by: `step ${position}` })),
    "x-unknown": ["kept", 1.0],
    ...more,
  });
}

/** As `docker save` wrote it before Docker 25: a folder a layer, a link to a layer that is there twice. */
function classicArchive(layers: readonly Uint8Array[], config: string, tags: readonly string[] | null): Members {
  const members: Members = {};
  const paths: string[] = [];
  const seen = new Map<Digest, string>();
  for (const [position, layer] of layers.entries()) {
    const folder = sha256(Buffer.from(`${position}`));
    const before = seen.get(digestOf(layer));
    members[`${folder}/VERSION`] = "1.0";
    members[`${folder}/json`] = json({ id: folder });
    members[`${folder}/layer.tar`] = before === undefined ? layer : { symlink: `../${before}/layer.tar` };
    seen.set(digestOf(layer), before ?? folder);
    paths.push(`${folder}/layer.tar`);
  }
  const name = `${hexOf(digestOf(config))}.json`;
  members[name] = config;
  members["manifest.json"] = json([{ Config: name, RepoTags: tags, Layers: paths }]);
  members["repositories"] = json({});
  return members;
}

interface LayoutOptions {
  readonly compress?: (data: Uint8Array) => Uint8Array;
  readonly annotations?: Record<string, string>;
  readonly platform?: object;
}

/** @returns the blobs of an image and the descriptor of its manifest */
function ociImage(layers: readonly Uint8Array[], config: string, options: LayoutOptions = {}): { members: Members; descriptor: object } {
  const packed = layers.map((layer) => options.compress?.(layer) ?? layer);
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: Buffer.byteLength(config) },
    layers: packed.map((data) => ({ mediaType: mediaTypes.ociLayer, digest: digestOf(data), size: data.length })),
  });
  const members = Object.fromEntries([config, manifest, ...packed].map((data) => [blob(data), data]));
  const { annotations, platform } = options;
  const descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(manifest),
    size: Buffer.byteLength(manifest),
    annotations,
    platform,
  };
  return { members, descriptor };
}

function ociLayout(members: Members, ...manifests: object[]): Members {
  return { "oci-layout": json({ imageLayoutVersion: "1.0.0" }), ...members, "index.json": json({ schemaVersion: 2, manifests }) };
}

/** Of a gzip stream: RFC 1952, "CRC32" lies eight bytes before the end. */
function wrongChecksum(data: Buffer): Buffer {
  data.writeUInt32LE(1, data.length - 8);
  return data;
}

const reversed = (members: Members): Members => Object.fromEntries(Object.entries(members).reverse());

describe("load", () => {
  test("a classic archive, with layers that are links, in any order and compression", async () => {
    const layers = [layerOf("a"), layerOf("b"), layerOf("a")];
    const config = configOf(layers);
    const archive = classicArchive(layers, config, ["busybox:latest", "quay.io/x/y:1"]);
    for (const [what, data] of [
      ["plain", tarOf(archive)],
      ["manifest first", tarOf(reversed(archive))],
      ["gzip", gzipSync(tarOf(archive))],
      ["zstd", zstdCompressSync(tarOf(archive))],
    ] as const) {
      await using store = await openScratchStore();
      assert.equal(await loadAll(store, data), "Loaded image: busybox:latest\nLoaded image: quay.io/x/y:1\n", what);
      const inspect = store.images.inspect("busybox");
      assert.equal(inspect.Id, digestOf(config));
      assert.deepEqual(inspect.RootFS?.Layers, layers.map(digestOf));
      assert.equal(inspect.Created, "2020-01-02T03:04:05.000000006Z");
      assert.deepEqual(
        store.events.map((event) => event.action),
        ["load"],
      );
      assert.deepEqual(Buffer.from(await store.content.read(digestOf(config))).toString(), config, "the configuration to the byte");
    }
  });

  test("compressed layers in a classic archive, and no name", async () => {
    await using store = await openScratchStore();
    const layers = [layerOf("a"), layerOf("b")];
    const config = configOf(layers);
    const archive = classicArchive([gzipSync(layers[0] as Buffer), zstdCompressSync(layers[1] as Buffer)], config, null);
    assert.equal(await loadAll(store, tarOf(archive)), `Loaded image ID: ${digestOf(config)}\n`);
  });

  test("an OCI layout: plain, gzip and zstd layers, names from annotations", async () => {
    const layers = [layerOf("a"), layerOf("b")];
    const config = configOf(layers);
    for (const compress of [undefined, gzipSync, zstdCompressSync]) {
      for (const [annotations, told] of [
        [{ "io.containerd.image.name": "docker.io/library/x:1", "org.opencontainers.image.ref.name": "1" }, "Loaded image: x:1\n"],
        [{ "org.opencontainers.image.ref.name": "quay.io/x:2" }, "Loaded image: quay.io/x:2\n"],
        [{ "org.opencontainers.image.ref.name": "latest" }, `Loaded image ID: ${digestOf(config)}\n`],
      ] as const) {
        await using store = await openScratchStore();
        const { members, descriptor } = ociImage(layers, config, { annotations, ...(compress === undefined ? {} : { compress }) });
        assert.equal(await loadAll(store, tarOf(ociLayout(members, descriptor))), told);
        assert.deepEqual(store.images.inspect(digestOf(config)).RootFS?.Layers, layers.map(digestOf));
      }
    }
  });

  test("of manifests side by side, this machine's is taken, and nothing stays of the others; of an index, all that are there", async () => {
    const own = { os: "linux", architecture: hostPlatform.architecture };
    const other = { os: "linux", architecture: "s390x" };
    const mine = [layerOf("mine")];
    const a = ociImage(mine, configOf(mine), { platform: own });
    const b = ociImage([layerOf("foreign")], configOf([layerOf("foreign")], other), { platform: other });
    const unknown = ociImage([layerOf("proof")], configOf([layerOf("proof")]), { platform: { os: "unknown", architecture: "unknown" } });
    const members = { ...b.members, ...a.members, ...unknown.members };
    const index = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [unknown.descriptor, b.descriptor, a.descriptor] });
    const nested = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf(index),
      size: index.length,
      annotations: { "io.containerd.image.name": "docker.io/x/y:1" },
    };
    await using expected = await openScratchStore();
    await loadAll(expected, tarOf(ociLayout(a.members, a.descriptor)));
    const files = async (store: ScratchStore): Promise<string[]> =>
      (await store.traces()).filter((line) => line.startsWith("/")).map((line) => line.slice(store.root.length));
    const listed = (store: ScratchStore): string[] => store.images.list(new Map()).map((image) => image.Id);
    await using side = await openScratchStore();
    await loadAll(side, tarOf(ociLayout(members, b.descriptor, a.descriptor)));
    assert.deepEqual(listed(side), [digestOf(configOf(mine))]);
    assert.deepEqual(await files(side), await files(expected));
    await using whole = await openScratchStore();
    assert.equal(await loadAll(whole, tarOf(ociLayout({ ...members, [blob(index)]: index }, nested))), "Loaded image: x/y:1\n");
    assert.deepEqual(listed(whole), [digestOf(configOf(mine))], "the first choice stands for all");
    assert.equal(whole.images.resolve("x/y:1", other).config.architecture, "s390x");
    await using store = await openScratchStore();
    await assert.rejects(loadAll(store, tarOf(ociLayout(b.members, b.descriptor))), {
      code: "InvalidParameter",
      message: /does not provide the platform/,
    });
  });

  test("a name that another image has moves, and is told", async () => {
    await using store = await openScratchStore();
    const [first, second] = [[layerOf("1")], [layerOf("2")]];
    await loadAll(store, tarOf(classicArchive(first, configOf(first), ["x:1"])));
    const old = store.images.resolve("x:1").id;
    assert.equal(
      await loadAll(store, tarOf(classicArchive(second, configOf(second), ["x:1"]))),
      `The image x:1 already exists, renaming the old one with ID ${old} to empty string\nLoaded image: x:1\n`,
    );
  });

  test("progress unless quiet", async () => {
    await using store = await openScratchStore();
    const layers = [layerOf("a")];
    const messages: Record<string, unknown>[] = [];
    for await (const message of store.images.load(streamOf(tarOf(classicArchive(layers, configOf(layers), ["x:1"]))), { quiet: false }))
      messages.push(message);
    const size = layers[0]?.length;
    const progress = messages.filter((message) => message["status"] !== undefined);
    assert.deepEqual(progress.at(-1), {
      status: "Loading layer",
      progressDetail: { current: size, total: size },
      progress: `[${"=".repeat(50)}>]  2.048kB/2.048kB`,
      id: sha256(Buffer.from("0")).slice(0, 12),
    });
    assert.deepEqual(messages.at(-1), { stream: "Loaded image: x:1\n" });
  });

  test("two loads at once, one of which fails, leave the other's layers", async () => {
    await using store = await openScratchStore();
    const layers = [layerOf("a"), layerOf("b")];
    const good = tarOf(classicArchive(layers, configOf(layers), ["x:1"]));
    const bad = tarOf(classicArchive(layers, configOf([...layers, layerOf("c")]), ["x:2"]));
    const results = await Promise.allSettled([loadAll(store, bad), loadAll(store, good), loadAll(store, bad)]);
    assert.deepEqual(
      results.map((result) => result.status),
      ["rejected", "fulfilled", "rejected"],
    );
    for (const layer of layers) assert.ok(await store.layers.has(digestOf(layer)));
  });

  test("a load that stalls keeps what it relies on and nothing else", async () => {
    await using store = await openScratchStore();
    const [kept, gone] = [[layerOf("kept")], [layerOf("gone")]] as const;
    await loadAll(store, tarOf(classicArchive(kept, configOf(kept), ["kept:1"])));
    await loadAll(store, tarOf(classicArchive(gone, configOf(gone), ["gone:1"])));
    const { members, descriptor } = ociImage(kept, configOf(kept, { author: "other" }), {
      annotations: { "io.containerd.image.name": "docker.io/x/y:1" },
    });
    const archive = tarOf({ [blob(kept[0])]: kept[0], ...ociLayout(members, descriptor) });
    let goOn = (): void => {};
    const stalled = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const source = Readable.from(
      (async function* () {
        yield archive.subarray(0, 4096);
        await stalled;
        yield archive.subarray(4096);
      })(),
      { objectMode: false },
    );
    const loading = Array.fromAsync(store.images.load(source, { quiet: true }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await store.images.remove("gone:1", { force: false, noPrune: false });
    await store.images.remove("kept:1", { force: false, noPrune: false });
    assert.equal(await store.layers.has(digestOf(gone[0])), false, "space is given back at once");
    assert.equal(await store.layers.has(digestOf(kept[0])), true);
    goOn();
    assert.deepEqual(await loading, [{ stream: "Loaded image: x/y:1\n" }]);
    await store.images.remove("x/y:1", { force: false, noPrune: false });
    assert.equal(await store.layers.has(digestOf(kept[0])), false);
  });

  test("a reader that leaves early ends the load", async () => {
    await using store = await openScratchStore();
    const before = await store.traces();
    const layers = [layerOf("a"), layerOf("b")];
    const source = streamOf(tarOf(classicArchive(layers, configOf(layers), ["x:1"])).subarray(0, 5000));
    const endless = Readable.from(
      (async function* () {
        yield* source;
        await new Promise(() => {});
      })(),
      { objectMode: false },
    );
    const reader = store.images.load(endless, { quiet: false })[Symbol.asyncIterator]();
    assert.equal((await reader.next()).value?.["status"], "Loading layer");
    await reader.return?.();
    assert.deepEqual(await store.traces(), before);
  });
});

describe("refused archives leave nothing", () => {
  const layers = [layerOf("a"), layerOf("b")];
  const config = configOf(layers);
  const archive = classicArchive(layers, config, ["x:1"]);
  const plain = tarOf(archive);
  const { members, descriptor } = ociImage(layers, config);
  const layout = ociLayout(members, descriptor);
  const [layerBlob] = layers.map(blob) as [string];
  const flipped = Buffer.from(layers[0] as Buffer);
  flipped[600] = 1;
  const manifestItem = (JSON.parse(String(archive["manifest.json"])) as [{ Config: string; Layers: string[] }])[0];
  const withItem = (change: object): Members => ({ ...archive, "manifest.json": json([{ ...manifestItem, ...change }]) });
  const withoutConfig = Object.fromEntries(Object.entries(archive).filter(([name]) => name !== manifestItem.Config));
  const manifestOf = (value: object): Members => {
    const text = json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...value });
    return ociLayout({ ...members, [blob(text)]: text }, { mediaType: mediaTypes.ociManifest, digest: digestOf(text), size: text.length });
  };
  const configDescriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length };
  const loop = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
  const evilName = (name: string): Buffer => {
    const header = entryHeader({ name: "x", type: "file", sizeBytes: 0 });
    header.fill(0, 0, 100);
    header.write(name);
    return Buffer.concat([withChecksum(header), plain]);
  };
  const badConfig = (text: string): Members => ({
    ...archive,
    "bad.json": text,
    "manifest.json": json([{ ...manifestItem, Config: "bad.json" }]),
  });

  const table: readonly (readonly [what: string, data: Uint8Array, message: RegExp])[] = [
    ["empty", Buffer.alloc(0), /unrecognized image format/],
    ["only zeros", Buffer.alloc(4096), /unrecognized image format/],
    ["text", Buffer.from("not a tar at all".repeat(100)), /invalid tar header/],
    ["a short text", Buffer.from("no"), /unexpected EOF/],
    ["truncated in a layer", plain.subarray(0, plain.indexOf("etc/motd") + 600), /unexpected EOF/],
    ["truncated in the manifest", plain.subarray(0, plain.indexOf("manifest.json") + 530), /unexpected EOF/],
    ["truncated before the manifest", plain.subarray(0, plain.indexOf("manifest.json")), /unrecognized image format/],
    ["gzip cut", gzipSync(plain).subarray(0, 400), /^unexpected EOF$/],
    ["gzip with a wrong checksum", wrongChecksum(gzipSync(plain)), /gzip/],
    ["zstd cut", zstdCompressSync(plain).subarray(0, 200), /^unexpected EOF$/],
    ["bzip2", Buffer.from("BZh91AY&SY".repeat(60)), /bzip2 data is corrupt/],
    ["a name with ..", evilName("a/../../x"), /invalid member name/],
    ["an absolute name", evilName("/etc/passwd"), /invalid member name/],
    ["a link out of the archive", tarOf({ ...archive, x: { symlink: "../../etc/passwd" } }), /invalid link/],
    ["an absolute link", tarOf({ ...archive, x: { symlink: "/etc/passwd" } }), /invalid link/],
    ["a circle of links", tarOf({ ...withItem({ Layers: ["l1", "l2"] }), l1: { symlink: "l2" }, l2: { symlink: "l1" } }), /too many links/],
    [
      "a flipped bit in a layer",
      tarOf({ ...archive, [manifestItem.Layers[0] as string]: flipped }),
      /invalid diffID for layer 0|well-formed|checksum|header|tar/,
    ],
    ["a flipped bit in a blob", tarOf({ ...layout, [layerBlob]: flipped }), /invalid diffID|digest|tar|header/],
    ["a flipped bit in a compressed blob", tarOf({ ...layout, [layerBlob]: gzipSync(flipped) }), /invalid diffID|digest|tar|header/],
    [
      "a flipped bit in the configuration",
      tarOf({ ...archive, [manifestItem.Config]: config.replace("sh", "hs") }),
      /does not match its digest/,
    ],
    [
      "layers missing from the list",
      tarOf(withItem({ Layers: manifestItem.Layers.slice(1) })),
      /layers length mismatch: expected 1, got 2/,
    ],
    ["layers in another order", tarOf(withItem({ Layers: [...manifestItem.Layers].reverse() })), /invalid diffID for layer 0/],
    ["a layer that is not there", tarOf(withItem({ Layers: ["nosuch", "nosuch"] })), /layer "nosuch" is missing/],
    ["no configuration", tarOf(withoutConfig), /is missing/],
    ["a bad name", tarOf(withItem({ RepoTags: ["UPPER:1"] })), /reference/],
    ["a name without a tag", tarOf(withItem({ RepoTags: ["x"] })), /invalid tag/],
    ["a manifest that is no list", tarOf({ ...archive, "manifest.json": "{}" }), /not a list/],
    ["a manifest of numbers", tarOf({ ...archive, "manifest.json": "[1]" }), /bad entry/],
    ["a configuration without rootfs", tarOf(badConfig("{}")), /no RootFS key/],
    ["a configuration of another shape", tarOf(badConfig(configOf(layers, { config: { Env: "x" } }))), /invalid image configuration/],
    ["a configuration for Windows", tarOf(badConfig(configOf(layers, { os: "windows" }))), /cannot load windows image on linux/],
    ["too long a history", tarOf(badConfig(configOf(layers, { history: [{}, {}, {}] }))), /too many non-empty layers/],
    ["broken JSON", tarOf(badConfig("{")), /not JSON/],
    ["both layers and manifests", tarOf(manifestOf({ config: configDescriptor, layers: [], manifests: [] })), /both/],
    ["a media type that does not fit", tarOf(manifestOf({ manifests: [] })), /media type/],
    ["schema 1", tarOf(manifestOf({ schemaVersion: 1 })), /schema 1/],
    ["a blob that is not there", tarOf(manifestOf({ config: { ...configDescriptor, digest: digestOf("x") }, layers: [] })), /missing/],
    ["a size that is wrong", tarOf(manifestOf({ config: { ...configDescriptor, size: 1 }, layers: [] })), /bytes instead of 1/],
    [
      "a configuration that is none",
      tarOf(manifestOf({ config: { ...configDescriptor, mediaType: "text/plain" }, layers: [] })),
      /not a container image/,
    ],
    [
      "an index of nothing that suits",
      tarOf(ociLayout({ [blob(loop)]: loop }, { mediaType: mediaTypes.ociIndex, digest: digestOf(loop), size: loop.length })),
      /platform/,
    ],
    ["another layout version", tarOf({ ...layout, "oci-layout": json({ imageLayoutVersion: "2.0.0" }) }), /layout version/],
    [
      "a second image that is broken",
      tarOf({ ...archive, "manifest.json": json([manifestItem, { ...manifestItem, Config: "x.json" }]) }),
      /missing/,
    ],
  ];
  for (const [what, data, message] of table)
    test(what, async () => {
      await using store = await openScratchStore();
      const before = await store.traces();
      await assert.rejects(loadAll(store, data), { name: "EngineError", code: "InvalidParameter", message });
      assert.deepEqual(await store.traces(), before);
      assert.deepEqual(store.events, []);
    });

  test("the client is told although it has not sent everything", async () => {
    await using store = await openScratchStore();
    const server = createServer(async (request, response) => {
      const work =
        request.url === "/load"
          ? Array.fromAsync(store.images.load(request, { quiet: true }))
          : store.images.import(request, { message: "", changes: [] });
      await work.then(
        () => response.end(),
        (error) => response.writeHead(400).end(error.message),
      );
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    try {
      const noise = Buffer.alloc((8 << 20) + 1, "noise");
      for (const path of ["/load", "/import"]) {
        const { port } = server.address() as { port: number };
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: noise });
        assert.equal(answer.status, 400);
        assert.match(await answer.text(), /tar|EOF|header/);
      }
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("cut anywhere", async () => {
    await using store = await openScratchStore();
    const before = await store.traces();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: plain.length - 1025 }), fc.integer({ min: 1, max: 5000 }), async (length, chunk) => {
        await assert.rejects(loadAll(store, plain.subarray(0, length), chunk), { name: "EngineError" });
        assert.deepEqual(await store.traces(), before);
      }),
      { numRuns: 40 },
    );
  });

  test("any flipped bit is refused, or lies where no image looks", async () => {
    await using store = await openScratchStore();
    const before = await store.traces();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: plain.length - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const data = Buffer.from(plain);
        data[at] = (data[at] ?? 0) ^ (1 << bit);
        try {
          await loadAll(store, data);
          // The names in manifest.json are not under a digest: another name is another archive, not a broken one.
          const [image] = store.images.list(new Map());
          assert.equal(image?.Id, digestOf(config));
          await store.images.remove(image?.Id ?? "", { force: true, noPrune: false });
        } catch (error) {
          assert.equal((error as Error).name, "EngineError", String(error));
        }
        assert.deepEqual(await store.traces(), before);
      }),
      { numRuns: 80 },
    );
  });
});

describe("save", () => {
  async function loaded(store: ScratchStore): Promise<{ config: string; layers: Buffer[] }> {
    const layers = [layerOf("a"), layerOf("b"), layerOf("a")];
    const config = configOf(layers);
    await loadAll(store, tarOf(classicArchive(layers, config, ["x:1"])));
    store.images.tag("x:1", parseReference("x:2"));
    store.images.tag("x:1", parseReference("quay.io/y:3"));
    return { config, layers };
  }

  test("docker-archive and OCI layout in one, the same bytes each time", async () => {
    await using store = await openScratchStore();
    const { config, layers } = await loaded(store);
    const data = await saveAll(store, "x:1", "quay.io/y:3");
    assert.equal(sha256(data), sha256(await saveAll(store, "x:1", "quay.io/y:3")));
    const files = await extract(data);
    assert.equal(files.get(blob(config))?.toString(), config);
    const sources = layers.map((layer) => {
      const digest = digestOf(layer);
      return [digest, { mediaType: "application/vnd.oci.image.layer.v1.tar", size: layer.length, digest }] as const;
    });
    assert.deepEqual(JSON.parse(String(files.get("manifest.json"))), [
      { Config: blob(config), RepoTags: ["x:1", "quay.io/y:3"], Layers: layers.map(blob), LayerSources: Object.fromEntries(sources) },
    ]);
    for (const layer of layers) assert.deepEqual(files.get(blob(layer)), layer);
    const index = JSON.parse(String(files.get("index.json")));
    assert.deepEqual(
      index.manifests.map((entry: { annotations: object }) => entry.annotations),
      [
        { "io.containerd.image.name": "docker.io/library/x:1", "org.opencontainers.image.ref.name": "1" },
        { "io.containerd.image.name": "quay.io/y:3", "org.opencontainers.image.ref.name": "3" },
      ],
    );
    assert.deepEqual(
      store.events.slice(-2).map((event) => event.action),
      ["save", "save"],
    );
  });

  test("as either format, loading gives the same ids and layers", async () => {
    await using store = await openScratchStore();
    const { config, layers } = await loaded(store);
    const data = await saveAll(store, "x:1");
    const files = await extract(data);
    for (const left of ["manifest.json", "index.json", "none"]) {
      await using other = await openScratchStore();
      const members = Object.fromEntries([...files].filter(([name]) => name !== left));
      assert.equal(await loadAll(other, tarOf(members)), "Loaded image: x:1\n");
      assert.equal(other.images.resolve("x:1").id, digestOf(config));
      for (const layer of layers) assert.deepEqual(readFileSync(other.layers.tarPath(digestOf(layer))), layer);
      if (left === "none") assert.equal(sha256(await saveAll(other, "x:1")), sha256(data));
    }
  });

  test("a bare name means all its tags; an id means no name", async () => {
    await using store = await openScratchStore();
    const { config } = await loaded(store);
    const tagsOf = async (...references: string[]): Promise<unknown> =>
      JSON.parse(String((await extract(await saveAll(store, ...references))).get("manifest.json"))).map(
        (item: { RepoTags: unknown }) => item.RepoTags,
      );
    const id = digestOf(config);
    assert.deepEqual(await tagsOf("x"), [["x:1", "x:2"]]);
    assert.deepEqual(await tagsOf(id), [null]);
    assert.deepEqual(await tagsOf(shortId(id)), [null]);
    assert.deepEqual(await tagsOf(id, "x:2"), [["x:2"]]);
    const empty = await store.traces();
    for (const text of ["nosuch", `sha256:${"0".repeat(64)}`])
      await assert.rejects(store.images.save([text]), { code: "NotFound", message: /^No such image: / });
    await assert.rejects(store.images.save(["x:nosuch"]), { code: "NotFound", message: "reference does not exist" });
    assert.deepEqual(await store.traces(), empty);
  });

  test("streams with backpressure, and goes on when the image is removed meanwhile", async () => {
    await using store = await openScratchStore();
    const big = Buffer.concat([entryHeader({ name: "big", type: "file", sizeBytes: 8 << 20 }), Buffer.alloc(8 << 20, 7), archiveEnd()]);
    const config = configOf([big]);
    await loadAll(store, tarOf(classicArchive([big], config, ["big:1"])), 65536);
    const stream = await store.images.save(["big:1"]);
    stream.once("readable", () => {});
    await once(stream, "readable");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(stream.readableLength <= 4 << 20, `${stream.readableLength} bytes wait for a reader that is slow`);
    await store.images.remove("big:1", { force: false, noPrune: false });
    const data = Buffer.concat((await stream.toArray()) as Uint8Array[]);
    assert.deepEqual((await extract(data)).get(blob(big)), big);
    const unread = await store.images.save([]);
    unread.destroy();
  });

  test("round trip of any configuration and layers", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 4 }),
        fc.dictionary(text, text),
        fc.array(text),
        fc.integer({ min: 1, max: 5000 }),
        async (contents, labels, env, chunk) => {
          await using store = await openScratchStore();
          const layers = contents.map((content) => tarOf({ file: content }));
          const config = configOf(layers, { config: { Labels: labels, Env: env } });
          await loadAll(store, tarOf(classicArchive(layers, config, ["x:1"])), chunk);
          const saved = await saveAll(store, "x:1");
          await using other = await openScratchStore();
          await loadAll(other, saved, chunk);
          assert.equal(other.images.resolve("x:1").id, digestOf(config));
          assert.equal(sha256(await saveAll(other, "x:1")), sha256(saved));
        },
      ),
      { numRuns: 15 },
    );
  });

  const schemas = resolve(import.meta.dirname, "../../../shared/data/oci-image");
  test("what is written passes the OCI schemas", { skip: existsSync(schemas) ? false : `${schemas} is not there` }, async () => {
    await using store = await openScratchStore();
    const { config } = await loaded(store);
    const ajv = new Ajv({ strict: false, formats: { uri: true, "date-time": true, int64: true } });
    const read = (name: string): object =>
      JSON.parse(readFileSync(`${schemas}/${name}`, "utf8"), (key, value) => (/^(id|\$schema)$/.test(key) ? undefined : value)) as object;
    for (const name of ["defs.json", "defs-descriptor.json", "content-descriptor.json"]) ajv.addSchema(read(name), name);
    const valid = (schema: string, data: unknown): void => {
      const check = ajv.compile(read(schema));
      assert.ok(check(data), `${schema}: ${JSON.stringify(check.errors)}`);
      assert.ok(!check({ schemaVersion: "no", layers: 1, rootfs: 1, imageLayoutVersion: 7, manifests: 1 }), `${schema} refuses nothing`);
    };
    const imported = await store.images.import(streamOf(layerOf("z")), {
      message: "m",
      changes: ["CMD a", "EXPOSE 80", "VOLUME /v", "LABEL a=b"],
    });
    const files = await extract(await saveAll(store, "x", imported));
    const parse = (name: string): unknown => JSON.parse(String(files.get(name)));
    valid("image-layout-schema.json", parse("oci-layout"));
    valid("image-index-schema.json", parse("index.json"));
    for (const { digest } of (parse("index.json") as { manifests: { digest: Digest }[] }).manifests)
      valid("image-manifest-schema.json", parse(`blobs/sha256/${hexOf(digest)}`));
    for (const digest of [digestOf(config), imported])
      valid("config-schema.json", parse(`blobs/sha256/${hexOf(digest)}`) as ImageConfiguration);
  });
});

describe("archives beyond the usual", () => {
  test("sizes over 8 GiB are written as tar reads them", async () => {
    const sizeBytes = 9 * 2 ** 30;
    const header = entryHeader({ name: "big", type: "file", sizeBytes });
    const tar = spawn("tar", ["-tv"], { stdio: ["pipe", "pipe", "ignore"] });
    tar.stdin.on("error", () => {});
    tar.stdin.end(header);
    const listing = Buffer.concat((await tar.stdout.toArray()) as Uint8Array[]).toString();
    assert.match(listing, new RegExp(`${sizeBytes} .* big`));
    assert.equal(entryPadding(sizeBytes).length, 0);
  });
});
