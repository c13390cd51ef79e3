import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { digestOf, systemError } from "../base/base.ts";
import { mediaTypes } from "../spec/spec.ts";
import type { BlobSource, Progress } from "./distribution.ts";
import { type Behaviour, blobOf, refuse, rough, scratch, send } from "./rough-registry.ts";

const blob = blobOf(400_000);
const source: BlobSource = { digest: blob.digest, size: blob.size, open: (offset) => Readable.from(pieces(blob.bytes.subarray(offset))) };

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

interface Held {
  bytes: Buffer;
}

/** Holds one upload as OCI distribution-spec says; `breaks` ends a request's connection when so many bytes of all have come. */
function storing(held: Held, breaks: number[] = []): Behaviour {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const location = { location: "/v2/a/blobs/uploads/1?state=x%2By" };
    if (request.method === "HEAD") return refuse(response, 404, "BLOB_UNKNOWN", "");
    if (request.method === "POST") {
      held.bytes = Buffer.alloc(0);
      return send(response, 202, location);
    }
    if (!request.url?.startsWith(location.location)) return send(response, 404, {});
    if (request.method === "GET") return send(response, 204, { ...location, range: `0-${Math.max(held.bytes.length - 1, 0)}` });
    if (
      request.method === "PATCH" &&
      request.headers["content-range"] !== undefined &&
      !request.headers["content-range"].startsWith(`${held.bytes.length}-`)
    )
      return send(response, 416, {});
    const at = breaks.shift() ?? Number.POSITIVE_INFINITY;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        held.bytes = Buffer.concat([held.bytes, chunk]).subarray(0, at);
        if (held.bytes.length >= at) return response.destroy();
      }
    } catch {
      return undefined;
    }
    if (request.method === "PATCH") return send(response, 202, location);
    const digest = new URL(request.url, "http://x").searchParams.get("digest");
    return digest === digestOf(held.bytes)
      ? send(response, 201, { "docker-content-digest": digest })
      : refuse(response, 400, "DIGEST_INVALID", "");
  };
}

const calls = (seen: readonly { method: string }[]): string[] => seen.map(({ method }) => method);

describe("a blob is sent", () => {
  test("in one request, with Docker's progress", async () => {
    const held = { bytes: Buffer.alloc(0) };
    await using registry = await rough(storing(held));
    await using setting = await scratch();
    const progress: Progress[] = [];
    const pushed = await setting.remote(`${registry.host}/a`).pushBlob(source, { onProgress: (message) => progress.push(message) });
    assert.deepEqual(pushed, { kind: "pushed", digest: blob.digest, size: blob.size });
    assert.deepEqual(held.bytes, blob.bytes);
    assert.deepEqual(calls(registry.seen), ["HEAD", "POST", "PUT"]);
    const statuses = progress.map(({ status }) => status).filter((status, at, all) => status !== all[at - 1]);
    assert.deepEqual(statuses, ["Preparing", "Pushing", "Pushed"]);
  });

  test("after resets, from where the registry says that it is", async () => {
    const held = { bytes: Buffer.alloc(0) };
    await using registry = await rough(storing(held, [100_000, 250_000, 0]));
    await using setting = await scratch();
    const pushed = await setting.remote(`${registry.host}/a`).pushBlob(source);
    assert.equal(pushed.kind, "pushed");
    assert.deepEqual(held.bytes, blob.bytes);
    assert.deepEqual(registry.seen.flatMap(({ headers }) => headers["content-range"] ?? []).slice(0, 1), ["100000-399999"]);
  });

  test("again from the start when the registry has lost the upload", async () => {
    const held = { bytes: Buffer.alloc(0) };
    const inner = storing(held, [100_000]);
    await using registry = await rough((request, response, index) =>
      request.method === "GET" ? send(response, 404, {}) : inner(request, response, index),
    );
    await using setting = await scratch();
    assert.equal((await setting.remote(`${registry.host}/a`).pushBlob(source)).kind, "pushed");
    assert.deepEqual(calls(registry.seen), ["HEAD", "POST", "PUT", "GET", "POST", "PUT"]);
  });

  test("with a digest that is known when all of it is sent", async () => {
    const held = { bytes: Buffer.alloc(0) };
    await using registry = await rough(storing(held, [100_000]));
    await using setting = await scratch();
    const pushed = await setting.remote(`${registry.host}/a`).pushBlob({ id: "x", open: source.open });
    assert.deepEqual(pushed, { kind: "pushed", digest: blob.digest, size: blob.size });
    assert.deepEqual(calls(registry.seen), ["POST", "PATCH", "POST", "PATCH", "PUT"]);
  });

  test("while it is made: and when that breaks off, what is missing of it when it is whole", async () => {
    const held = { bytes: Buffer.alloc(0) };
    await using registry = await rough(storing(held, [100_000]));
    await using setting = await scratch();
    const made = Promise.withResolvers<{ digest: typeof blob.digest; size: number }>();
    const open = (offset: number): Readable => {
      if (offset > 0) return source.open(offset) as Readable;
      const half = Readable.from(pieces(blob.bytes.subarray(0, 200_000)));
      half.once("close", () => made.resolve({ digest: blob.digest, size: blob.size }));
      return half;
    };
    const pushed = await setting.remote(`${registry.host}/a`).pushBlob({ id: "x", later: made.promise, open });
    assert.deepEqual(pushed, { kind: "pushed", digest: blob.digest, size: blob.size });
    assert.deepEqual(held.bytes, blob.bytes);
    assert.deepEqual(calls(registry.seen), ["POST", "PATCH", "GET", "PATCH", "PUT"]);
    assert.equal(registry.seen[3]?.headers["content-range"], "100000-399999");
    const again = await setting.remote(`${registry.host}/a`).pushBlob({ id: "x", later: made.promise, open: source.open });
    assert.deepEqual(again, pushed);
    assert.deepEqual(calls(registry.seen).slice(5), ["POST", "PATCH", "PUT"]);
  });

  test("while it is made, and the making fails: that is the error", async () => {
    await using registry = await rough(storing({ bytes: Buffer.alloc(0) }));
    await using setting = await scratch();
    const broken = systemError("the disk is broken");
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield blob.bytes.subarray(0, 10);
      throw broken;
    };
    const later = Promise.reject(broken);
    later.catch(() => undefined);
    await assert.rejects(
      setting.remote(`${registry.host}/a`).pushBlob({ id: "x", later, open: () => Readable.from(failing()) }),
      /the disk is broken/,
    );
  });

  test("not when it is there, nor when it can be mounted; when it cannot, the registry's upload is used", async () => {
    const held = { bytes: Buffer.alloc(0) };
    const inner = storing(held);
    await using there = await rough((_, response) => send(response, 200, {}));
    await using mounting = await rough((request, response, index) => {
      if (!request.url?.includes("mount=")) return inner(request, response, index);
      return request.url.includes("from=good") ? send(response, 201, {}) : refuse(response, 404, "NAME_UNKNOWN", "");
    });
    await using other = await rough(inner);
    await using setting = await scratch();
    const progress: Progress[] = [];
    const push = (host: string, mountFrom: string[]): Promise<{ kind: string }> =>
      setting.remote(`${host}/a`).pushBlob(source, { mountFrom, onProgress: (message) => progress.push(message) });
    assert.equal((await push(there.host, ["x"])).kind, "exists");
    assert.deepEqual(await push(mounting.host, ["bad", "good"]), { kind: "mounted", from: "good", digest: blob.digest, size: blob.size });
    assert.equal((await push(other.host, ["x"])).kind, "pushed");
    assert.deepEqual(calls(other.seen), ["HEAD", "POST", "PUT"]);
    for (const status of ["Layer already exists", "Mounted from good", "Pushed"])
      assert.ok(progress.some((message) => message.status === status));
  });

  test("refused: in the registry's words, without another attempt, and the source is closed", async () => {
    let opened: Readable | undefined;
    await using registry = await rough((request, response) => {
      if (request.method === "PUT") return refuse(response, 403, "DENIED", "quota exceeded");
      return request.method === "HEAD" ? refuse(response, 404, "BLOB_UNKNOWN", "") : send(response, 202, { location: "/up" });
    });
    await using setting = await scratch();
    const open = (): Readable => {
      opened = Readable.from(pieces(blob.bytes));
      return opened;
    };
    await assert.rejects(setting.remote(`${registry.host}/a`).pushBlob({ ...source, open }), {
      code: "Forbidden",
      message: "denied: quota exceeded",
    });
    assert.equal(registry.seen.filter(({ method }) => method === "PUT").length, 1);
    assert.equal(opened?.destroyed, true);
  });

  test("a source that fails, is too short or too long is the error that is told", async () => {
    await using registry = await rough(storing({ bytes: Buffer.alloc(0) }));
    await using setting = await scratch();
    const push = (open: () => Readable): Promise<unknown> => setting.remote(`${registry.host}/a`).pushBlob({ ...source, open });
    await assert.rejects(
      push(() => Readable.from([blob.bytes.subarray(1)])),
      /399999 bytes instead of 400000/,
    );
    await assert.rejects(
      push(() => Readable.from([blob.bytes, "x"])),
      /more than its 400000 bytes/,
    );
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield blob.bytes.subarray(0, 10);
      throw systemError("the disk is broken");
    };
    await assert.rejects(
      push(() => Readable.from(failing())),
      /the disk is broken/,
    );
  });
});

describe("lists", () => {
  test("tags and repositories come page by page, from the registry itself only", async () => {
    await using registry = await rough((request, response) => {
      const page = Number(new URL(request.url ?? "", "http://x").searchParams.get("page") ?? 0);
      const link =
        page < 2
          ? { link: `<${request.url?.split("?")[0]}?page=${page + 1}>; rel="next"` }
          : { link: '<http://127.0.0.1:1/x>; rel="next"' };
      send(response, 200, link as Record<string, string>, JSON.stringify({ tags: [`t${page}`, 5], repositories: [`r${page}`] }));
    });
    await using setting = await scratch();
    assert.deepEqual(await Array.fromAsync(setting.remote(`${registry.host}/a`).tags()), ["t0", "t1", "t2"]);
    assert.deepEqual(await Array.fromAsync(setting.client.catalog(registry.host)), ["r0", "r1", "r2"]);
  });

  test("without end, by new pages, by pages that lead back, or with nothing on them: given up", async () => {
    const endless: ((page: number) => [next: number, tags: string[]])[] = [
      (page) => [page + 1, []],
      (page) => [(page + 1) % 7, [`t${page}`]],
      (page) => [page + 1, Array(20_000).fill("t")],
    ];
    for (const answer of endless) {
      await using registry = await rough((request, response) => {
        const [next, tags] = answer(Number(new URL(request.url ?? "", "http://x").searchParams.get("page") ?? 0));
        send(response, 200, { link: `</v2/a/tags/list?page=${next}>; rel="next"` }, JSON.stringify({ tags }));
      });
      await using setting = await scratch();
      await assert.rejects(Array.fromAsync(setting.remote(`${registry.host}/a`).tags()), { message: /lists without end$/ });
      assert.ok(registry.seen.length < 110);
    }
  });

  test("referrers, by the interface for them and by the tag in its place", async () => {
    const entry = (artifactType: string): unknown => ({ mediaType: mediaTypes.ociManifest, digest: blob.digest, size: 1, artifactType });
    const index = JSON.stringify({ schemaVersion: 2, manifests: [entry("a"), entry("b"), { digest: "no" }] });
    await using modern = await rough((_, response) => send(response, 200, { "content-type": mediaTypes.ociIndex }, index));
    await using old = await rough((request, response) =>
      request.url === `/v2/a/manifests/sha256-${blob.digest.slice(7)}`
        ? send(response, 200, {}, index)
        : refuse(response, 404, "NOT_FOUND", ""),
    );
    await using setting = await scratch();
    for (const { host } of [modern, old]) {
      assert.equal((await setting.remote(`${host}/a`).referrers(blob.digest)).length, 2);
      assert.equal((await setting.remote(`${host}/a`).referrers(blob.digest, "b")).length, 1);
    }
    assert.deepEqual(await setting.remote(`${old.host}/other`).referrers(blob.digest), []);
  });

  test("search, with its words cleaned for terminals", async () => {
    await using registry = await rough((_, response) =>
      send(response, 200, {}, JSON.stringify({ results: [{ name: "a\u001b[2J", description: null, star_count: 3, is_official: true }] })),
    );
    await using setting = await scratch();
    const found = await setting.client.search(`${registry.host}/word`, { limit: 5 });
    assert.deepEqual(found, [{ name: "a[2J", description: "", star_count: 3, is_official: true, is_automated: false }]);
    assert.equal(registry.seen[0]?.url, "/v1/search?q=word&n=5");
    await assert.rejects(setting.client.search("x", { limit: 101 }), {
      code: "InvalidParameter",
      message: "limit 101 is outside the range of [1, 100]",
    });
  });
});
