/** Pushes to Berth's own registry, and to servers that get in the way. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { type Digest, digestOf, hexOf, parseReference, withDefaultTag } from "../base/base.ts";
import type { Distribution, Remote } from "../distribution/distribution.ts";
import { openDistribution } from "../distribution/open.ts";
import { openRegistry } from "../registry/registry.ts";
import type { ImageManifest } from "../spec/spec.ts";
import { openScratchStore, type ScratchStore, streamOf, tarOf } from "./scratch-store.ts";

interface World extends AsyncDisposable {
  readonly store: ScratchStore;
  readonly distribution: Distribution;
  readonly host: string;
  /** An image of layers `tars`, with a name in the registry. */
  image(name: string, tars: readonly Uint8Array[]): Promise<Digest[]>;
  remote(name: string): Remote;
  push(name: string, signal?: AbortSignal): Promise<Record<string, unknown>[]>;
}

async function world(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "berth-test-push-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const registry = stack.use(await openRegistry({ root: join(folder, "registry"), address: { host: "127.0.0.1", port: 0 } }));
  const distribution = stack.use(await openDistribution({ root: join(folder, "transfers"), timings: { retryMs: 10 } }));
  const store = stack.use(await openScratchStore());
  const host = `127.0.0.1:${registry.port}`;
  const remote = (name: string): Remote => distribution.remote(parseReference(name.replace(/^\//, `${host}/`)));
  const kept = stack.move();
  return {
    store,
    distribution,
    host,
    remote,
    async image(name, tars) {
      const diffIds: Digest[] = [];
      await using _held = await store.images.hold();
      for (const tar of tars) diffIds.push((await store.layers.ingest(streamOf(tar))).diffId);
      const config = {
        architecture: "amd64",
        os: "linux",
        config: { Labels: { a: "b" } },
        rootfs: { type: "layers" as const, diff_ids: diffIds },
      };
      await store.images.create(config, withDefaultTag(parseReference(name.replace(/^\//, `${host}/`))));
      return diffIds;
    },
    async push(name, signal) {
      return Array.fromAsync(store.images.push(remote(name), signal === undefined ? {} : { signal }));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const statuses = (messages: readonly Record<string, unknown>[], id?: Digest): unknown[] =>
  messages.filter((message) => message["id"] === id?.slice(7, 19)).map((message) => message["status"]);

/** What a registry has under a tag, and the layers' tars. */
async function contentOf(
  remote: Remote,
): Promise<{ digest: Digest; manifest: ImageManifest; mediaType: string; tars: Buffer[]; size: number }> {
  const { content, digest, mediaType, bytes } = await remote.manifest();
  assert.ok(content.kind === "image");
  const tars = await Promise.all(content.manifest.layers.map(async (layer) => gunzipSync(await remote.readBlob(layer))));
  return { digest, mediaType, tars, manifest: content.manifest, size: bytes.byteLength };
}

const big = tarOf({ noise: randomBytes(3 << 20) });
const small = tarOf({ a: "hello" });
const tiny = tarOf({ b: "world" });

describe("push", () => {
  test("an image that was made here: compressed once, told as Docker tells it, the same again elsewhere", async () => {
    await using here = await world();
    const [bottom, middle, top] = await here.image("/some/thing:v1", [small, big, tiny, small]);
    const messages = await here.push("/some/thing:v1");
    assert.deepEqual(messages[0], { status: `The push refers to repository [${here.host}/some/thing]` });
    // The topmost first; one that is there twice goes once.
    assert.deepEqual(
      messages.slice(1, 4).map((message) => [message["status"], message["id"]]),
      [bottom, top, middle].map((id) => ["Preparing", id?.slice(7, 19)]),
    );
    for (const id of [bottom, middle, top]) assert.equal(statuses(messages, id).at(-1), "Pushed");
    const pushing = messages.filter((message) => message["status"] === "Pushing");
    assert.ok(pushing.some(({ progressDetail }) => (progressDetail as { total: number }).total > 3 << 20));
    const { digest, manifest, mediaType, tars, size } = await contentOf(here.remote("/some/thing:v1"));
    assert.deepEqual(messages.slice(-2), [
      { status: `v1: digest: ${digest} size: ${size}` },
      { progressDetail: {}, aux: { Tag: "v1", Digest: digest, Size: size } },
    ]);
    assert.equal(mediaType, "application/vnd.docker.distribution.manifest.v2+json");
    assert.equal(manifest.config.mediaType, "application/vnd.docker.container.image.v1+json");
    assert.deepEqual(
      manifest.layers.map((layer) => layer.mediaType),
      Array(4).fill("application/vnd.docker.image.rootfs.diff.tar.gzip"),
    );
    assert.deepEqual(tars, [small, big, tiny, small]);
    assert.deepEqual(here.store.images.inspect(`${here.host}/some/thing:v1`).RepoDigests, [`${here.host}/some/thing@${digest}`]);
    const name = `${here.host}/some/thing`;
    assert.deepEqual(here.store.events.at(-1), {
      action: "push",
      id: `${name}:v1`,
      attributes: { a: "b", name },
    });

    const again = await here.push("/some/thing:v1");
    for (const id of [bottom, middle, top]) assert.deepEqual(statuses(again, id), ["Preparing", "Layer already exists"]);
    assert.deepEqual(again.at(-1), messages.at(-1));

    here.store.images.tag(`${name}:v1`, parseReference(`${here.host}/other:v2`));
    const other = await here.push("/other:v2");
    for (const id of [bottom, middle, top]) assert.deepEqual(statuses(other, id), ["Preparing", "Mounted from some/thing"]);
    assert.equal((await contentOf(here.remote("/other:v2"))).digest, digest);
  });

  test("a large layer is sent while it is compressed, and known afterwards", async () => {
    await using here = await world();
    const large = tarOf({ noise: randomBytes(5 << 20), zeros: Buffer.alloc(3 << 20) });
    const diffIds = await here.image("/x:1", [small, large]);
    const messages = await here.push("/x:1");
    for (const id of diffIds) assert.equal(statuses(messages, id).at(-1), "Pushed");
    assert.ok(messages.some(({ progressDetail }) => (progressDetail as { total?: number } | undefined)?.total === large.length));
    const { tars, digest } = await contentOf(here.remote("/x:1"));
    assert.deepEqual(tars, [small, large]);
    await using elsewhere = await world();
    const name = `${elsewhere.host}/x:1`;
    here.store.images.tag(`${here.host}/x:1`, parseReference(name));
    const [one, other] = [here.push("/x:1"), Array.fromAsync(here.store.images.push(here.distribution.remote(parseReference(name)), {}))];
    for (const id of diffIds) assert.equal(statuses(await one, id).at(-1), "Layer already exists");
    for (const id of diffIds) assert.equal(statuses(await other, id).at(-1), "Pushed");
    assert.equal((await contentOf(elsewhere.remote("/x:1"))).digest, digest);
  });

  test("all tags of a repository; none; no image of the name", async () => {
    await using here = await world();
    await here.image("/r:b", [small]);
    await here.image("/r:a", [small, tiny]);
    await here.image("/rest:c", [tiny]);
    const messages = await here.push("/r");
    assert.deepEqual(
      messages.flatMap(({ aux }) => (aux === undefined ? [] : (aux as { Tag: string }).Tag)),
      ["a", "b"],
    );
    assert.deepEqual((await Array.fromAsync(here.remote("/r").tags())).sort(), ["a", "b"]);
    await assert.rejects(here.push("/r:x"), { message: `tag does not exist: ${here.host}/r:x` });
    await assert.rejects(here.push("/none:x"), { message: `An image does not exist locally with the tag: ${here.host}/none` });
  });

  test("a hundred layers", async () => {
    await using here = await world();
    const tars = Array.from({ length: 100 }, (_, index) => tarOf({ [`file${index}`]: `${index}` }));
    await here.image("/many", tars);
    const messages = await here.push("/many:latest");
    assert.equal(messages.filter(({ status }) => status === "Pushed").length, 100);
    assert.deepEqual((await contentOf(here.remote("/many"))).tars, tars);
  });

  test("two at once of the same layers compress each once", async () => {
    await using here = await world();
    await here.image("/one", [big, small]);
    here.store.images.tag(`${here.host}/one`, withDefaultTag(parseReference(`${here.host}/two`)));
    await Promise.all([here.push("/one:latest"), here.push("/two:latest")]);
    assert.equal((await contentOf(here.remote("/one"))).digest, (await contentOf(here.remote("/two"))).digest);
    // Configuration, manifest and two layers.
    assert.equal((await readdir(join(here.store.root, "content/sha256"))).length, 4);
  });

  test("a kept blob that the machine has shortened is made again", async () => {
    await using here = await world();
    await here.image("/x", [small]);
    await here.push("/x:latest");
    const { digest, manifest } = await contentOf(here.remote("/x"));
    const blob = manifest.layers[0]?.digest;
    assert.ok(blob);
    await truncate(join(here.store.root, "content/sha256", hexOf(blob)), 3);
    await using elsewhere = await world();
    const name = `${elsewhere.host}/x:latest`;
    here.store.images.tag(`${here.host}/x`, parseReference(name));
    await Array.fromAsync(here.store.images.push(here.distribution.remote(parseReference(name)), {}));
    assert.equal((await contentOf(elsewhere.remote("/x"))).digest, digest);
  });

  test("an image that is removed meanwhile is pushed, and its files go afterwards", async () => {
    await using here = await world();
    await here.image("/x", [big, small]);
    const before = await here.store.traces();
    assert.ok(before.length > 0);
    const messages = here.store.images.push(here.remote("/x:latest"), {})[Symbol.asyncIterator]();
    while ((await messages.next()).value?.["status"] !== "Preparing");
    await here.store.images.remove(`${here.host}/x:latest`, { force: true, noPrune: false });
    for (let next = await messages.next(); next.done !== true; next = await messages.next());
    assert.deepEqual((await contentOf(here.remote("/x"))).tars, [big, small]);
    assert.deepEqual(await here.store.traces(), []);
  });
});

/** A server that answers each request as told. */
async function serving(answer: Parameters<typeof createServer>[1]): Promise<{ server: Server; host: string } & AsyncDisposable> {
  const server = createServer(answer ?? (() => undefined));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, host: `127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: close };
}

describe("a push that does not come to its end", () => {
  test("is told in the registry's words, and leaves no more than what it compressed", async () => {
    await using here = await world();
    await using refusing = await serving((request, response) => {
      request.resume();
      response.writeHead(request.method === "HEAD" ? 404 : 403, { "content-type": "application/json" });
      response.end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
    });
    await here.image("/x", [small, tiny]);
    const name = `${refusing.host}/x:latest`;
    here.store.images.tag(`${here.host}/x`, parseReference(name));
    const pushed = Array.fromAsync(here.store.images.push(here.distribution.remote(parseReference(name)), {}));
    await assert.rejects(pushed, { code: "Forbidden", message: "denied: requested access to the resource is denied" });
    assert.deepEqual(await readdir(join(here.store.root, "content/ingest")), []);
    assert.deepEqual(here.store.images.inspect(name).RepoDigests, []);
  });

  test("ends when the client is gone, in the middle of a blob; the next one goes on", async () => {
    await using here = await world();
    const gone = new AbortController();
    await using stuck = await serving((request, response) => {
      if (request.method === "HEAD") return response.writeHead(404).end();
      if (request.method === "POST") return response.writeHead(202, { location: "/v2/x/blobs/uploads/1" }).end();
      // The body is never read.
      setTimeout(() => gone.abort(new Error("the client has gone")), 50);
      return undefined;
    });
    const diffIds = await here.image("/x", [big, small]);
    const name = `${stuck.host}/x:latest`;
    here.store.images.tag(`${here.host}/x`, parseReference(name));
    await assert.rejects(
      Array.fromAsync(here.store.images.push(here.distribution.remote(parseReference(name)), { signal: gone.signal })),
      /gone/,
    );
    assert.deepEqual(await readdir(join(here.store.root, "content/ingest")), []);
    const messages = await here.push("/x:latest");
    for (const id of diffIds) assert.equal(statuses(messages, id).at(-1), "Pushed");
    assert.deepEqual((await contentOf(here.remote("/x"))).tars, [big, small]);
  });

  test("ends when its messages are left", async () => {
    await using here = await world();
    await here.image("/x", [big]);
    for await (const { status } of here.store.images.push(here.remote("/x:latest"), {})) if (status === "Preparing") break;
    assert.deepEqual(await readdir(join(here.store.root, "content/ingest")), []);
    assert.equal(await here.remote("/x").manifestHead(), undefined);
    await here.store.images.remove(`${here.host}/x:latest`, { force: true, noPrune: false });
    assert.deepEqual(await here.store.traces(), []);
  });

  test("leaves a store that a daemon which was killed meanwhile opens clean", async () => {
    await using here = await world();
    await here.image("/x", [big, small]);
    await here.store.content.put(digestBytes());
    await using reopened = await here.store.reopen();
    assert.equal(await reopened.content.has(digestOf(digestBytes())), false);
    await Array.fromAsync(reopened.images.push(here.remote("/x:latest"), {}));
    assert.deepEqual((await contentOf(here.remote("/x"))).tars, [big, small]);
  });
});

/** A blob that no row names: compressed, and not written down. */
function digestBytes(): Buffer {
  return Buffer.from("a layer that was compressed just before");
}
