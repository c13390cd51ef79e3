import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { BlobDescriptor, BlobFetch, Progress, Remote } from "./distribution.ts";
import { Gate } from "./gate.ts";
import { type Behaviour, blobOf, refuse, rough, scratch, send } from "./rough-registry.ts";

const blob = blobOf(400_000);

/** The range that was asked for, answered as a good registry does, up to `most` bytes; then the connection is reset. */
function serve(response: ServerResponse, range: string | undefined, most = Number.POSITIVE_INFINITY): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const headers = { "content-length": String(blob.size - from) };
  if (range === undefined) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${blob.size - 1}/${blob.size}` });
  const piece = blob.bytes.subarray(from, from + Math.min(most, blob.size - from));
  if (from + piece.length === blob.size) response.end(piece);
  else response.write(piece, () => setTimeout(() => response.destroy(), 10));
}

async function bytesOf(fetch: BlobFetch): Promise<Buffer> {
  for await (const bytes of fetch.arrival) assert.ok((await stat(fetch.path)).size >= bytes);
  return await readFile(fetch.path);
}

async function take(remote: Remote, what: BlobDescriptor = blob, progress: Progress[] = []): Promise<Buffer> {
  await using fetch = await remote.fetchBlob(what, { onProgress: (message) => progress.push(message) });
  const bytes = await bytesOf(fetch);
  fetch.stored();
  return bytes;
}

describe("a blob arrives", () => {
  test("whole, with Docker's progress, and leaves nothing when it is stored", async () => {
    await using registry = await rough((_, response) => serve(response, undefined));
    await using setting = await scratch();
    const progress: Progress[] = [];
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`), blob, progress), blob.bytes);
    const statuses = progress.map(({ status }) => status).filter((status, at, all) => status !== all[at - 1]);
    assert.deepEqual(statuses, ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete"]);
    assert.ok(progress.every(({ id }) => id === blob.digest.slice(7, 19)));
    assert.ok(progress.some(({ current, total }) => total === blob.size && current !== undefined && current > 0));
    assert.deepEqual(await readdir(setting.root), []);
    assert.equal(registry.seen[0]?.url, `/v2/a/blobs/${blob.digest}`);
  });

  test("after resets, by Range from where it broke off", async () => {
    await using registry = await rough((request, response) => serve(response, request.headers.range, 100_000));
    await using setting = await scratch();
    const progress: Progress[] = [];
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`), blob, progress), blob.bytes);
    assert.deepEqual(
      registry.seen.map(({ headers }) => headers.range),
      [undefined, "bytes=100000-", "bytes=200000-", "bytes=300000-"],
    );
    assert.ok(progress.some(({ status }) => status === "Retrying in 1 second"));
  });

  test("from a server that knows no ranges, from one that forgets them, and from one that answers with an earlier one", async () => {
    const behaviours: Behaviour[] = [
      (_, response, index) => serve(response, undefined, index === 0 ? 100_000 : undefined),
      (request, response, index) =>
        request.headers.range !== undefined
          ? refuse(response, 416, "UNKNOWN", "no")
          : serve(response, undefined, index === 0 ? 100_000 : undefined),
      (_, response, index) => serve(response, index === 0 ? undefined : "bytes=50000-", index === 0 ? 100_000 : undefined),
    ];
    for (const behaviour of behaviours) {
      await using registry = await rough(behaviour);
      await using setting = await scratch();
      assert.deepEqual(await take(setting.remote(`${registry.host}/a`)), blob.bytes);
    }
  });

  test("after a stall, and after 429 and 503 that say when to come back", async () => {
    await using registry = await rough((request, response, index) => {
      if (index === 0) return response.writeHead(200, { "content-length": String(blob.size) }).write(blob.bytes.subarray(0, 1000));
      if (index === 1) return refuse(response, 429, "TOOMANYREQUESTS", "slowly", { "retry-after": "0" });
      if (index === 2) return send(response, 503, { "retry-after": "1" });
      if (index === 3) return send(response, 500, {});
      return serve(response, request.headers.range);
    });
    await using setting = await scratch();
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`)), blob.bytes);
    assert.deepEqual(registry.seen.map(({ headers }) => headers.range).slice(1), Array(4).fill("bytes=1000-"));
  });

  test("and goes on where it was after the daemon was stopped", async () => {
    let isStuck = true;
    await using registry = await rough((request, response) => {
      if (!isStuck) return serve(response, request.headers.range);
      return response.writeHead(200, { "content-length": String(blob.size) }).write(blob.bytes.subarray(0, 250_000));
    });
    await using setting = await scratch({ timings: { stallMs: 5000 } });
    const fetch = await setting.remote(`${registry.host}/a`).fetchBlob(blob);
    for await (const seen of fetch.arrival) if (seen >= 250_000) break;
    await setting.restart();
    isStuck = false;
    const progress: Progress[] = [];
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`), blob, progress), blob.bytes);
    assert.equal(registry.seen[1]?.headers.range, "bytes=250000-");
    assert.deepEqual(await readdir(setting.root), []);
  });

  test("also when the registry was being restarted, and was not there at all", async () => {
    const first = await rough((_, response) => send(response, 200, {}));
    await using setting = await scratch({ timings: { retryMs: 60 } });
    const remote = setting.remote(`${first.host}/a`);
    assert.equal(await remote.hasBlob(blob.digest), true);
    await remote.manifest().catch(() => undefined);
    await first[Symbol.asyncDispose]();
    const taking = take(remote);
    await sleep(40);
    await using _second = await rough((_, response) => serve(response, undefined), undefined, first.port);
    assert.deepEqual(await taking, blob.bytes);
  });

  test("and after it was killed", async () => {
    await using registry = await rough((request, response, index) => {
      if (index > 0) return serve(response, request.headers.range);
      return response.writeHead(200, { "content-length": String(blob.size) }).write(blob.bytes.subarray(0, 250_000));
    });
    await using setting = await scratch();
    const text = `
      const { openDistribution } = await import(${JSON.stringify(join(import.meta.dirname, "open.ts"))});
      const client = await openDistribution({ root: ${JSON.stringify(setting.root)} });
      const remote = client.remote({ domain: ${JSON.stringify(registry.host)}, path: "a" });
      await remote.fetchBlob({ digest: ${JSON.stringify(blob.digest)}, size: ${blob.size} });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", text], { stdio: "inherit" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const there = async (): Promise<number> => {
      const [name] = await readdir(setting.root);
      return name === undefined ? 0 : (await stat(join(setting.root, name))).size;
    };
    while ((await there()) < 250_000) await sleep(20);
    child.kill("SIGKILL");
    await ended;
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`)), blob.bytes);
    assert.equal(registry.seen[1]?.headers.range, "bytes=250000-");
    assert.deepEqual(await readdir(setting.root), []);
  });

  test("complete, it is not asked for again as long as nobody has stored it", async () => {
    await using registry = await rough((request, response) => serve(response, request.headers.range));
    await using setting = await scratch();
    {
      await using fetch = await setting.remote(`${registry.host}/a`).fetchBlob(blob);
      await bytesOf(fetch);
    }
    assert.equal((await readdir(setting.root)).length, 1);
    await setting.restart();
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`)), blob.bytes);
    assert.equal(registry.seen.length, 1);
  });

  test("once for ten who want it, of whom some come late and some leave", async () => {
    const going: ServerResponse[] = [];
    await using registry = await rough((_, response) => {
      response.writeHead(200, { "content-length": String(blob.size) });
      response.write(blob.bytes.subarray(0, 200_000));
      going.push(response);
    });
    await using setting = await scratch({ timings: { stallMs: 5000 } });
    const early = Array.from({ length: 5 }, () => take(setting.remote(`${registry.host}/a`)));
    while (going.length === 0) await sleep(5);
    const gone = await setting.remote(`${registry.host}/b`).fetchBlob(blob);
    await gone[Symbol.asyncDispose]();
    await sleep(30);
    const late = Array.from({ length: 5 }, (_, index) => take(setting.remote(`${registry.host}/late${index}`)));
    await sleep(10);
    going[0]?.end(blob.bytes.subarray(200_000));
    for (const bytes of await Promise.all([...early, ...late])) assert.deepEqual(bytes, blob.bytes);
    assert.equal(registry.seen.length, 1);
    assert.deepEqual(await readdir(setting.root), []);
  });
});

describe("a blob that is wrong", () => {
  const cases: [string, Behaviour, RegExp][] = [
    [
      "other bytes",
      (_, response) => send(response, 200, {}, blobOf(blob.size, 2).bytes),
      /^filesystem layer verification failed for digest sha256:/,
    ],
    ["too long by its header", (_, response) => send(response, 200, {}, blobOf(blob.size + 1).bytes), /400001 bytes instead of 400000/],
    ["too long without one", (_, response) => response.writeHead(200).end(blobOf(blob.size + 1).bytes), /more than the 400000 bytes/],
    ["too short by its header", (_, response) => send(response, 200, {}, blobOf(1000).bytes), /1000 bytes instead of 400000/],
    ["too short without one", (_, response) => response.writeHead(200).end(blobOf(1000).bytes), /1000 bytes instead of 400000/],
    ["not there", (_, response) => refuse(response, 404, "BLOB_UNKNOWN", "blob unknown to registry"), /^unknown blob$/],
    [
      "429 for longer than anybody waits",
      (_, response) => refuse(response, 429, "TOOMANYREQUESTS", "pull rate limit", { "retry-after": "3600" }),
      /^toomanyrequests: pull rate limit$/,
    ],
  ];
  for (const [name, behaviour, message] of cases) {
    test(`${name}: an error, at once, and nothing is kept`, async () => {
      await using registry = await rough(behaviour);
      await using setting = await scratch();
      await assert.rejects(take(setting.remote(`${registry.host}/a`)), { name: "EngineError", message });
      assert.equal(registry.seen.length, 1);
      assert.deepEqual(await readdir(setting.root), []);
    });
  }

  test("what an earlier life left is wrong: an error, and the next time it is right", async () => {
    await using registry = await rough((request, response, index) =>
      index === 0
        ? response.writeHead(200, { "content-length": String(blob.size) }).write(Buffer.alloc(1000), () => response.destroy())
        : serve(response, request.headers.range),
    );
    await using setting = await scratch();
    await assert.rejects(take(setting.remote(`${registry.host}/a`)), /verification failed/);
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`)), blob.bytes);
  });

  test("a server that breaks off without end is given up, and what has come is kept until it is pruned", async () => {
    await using registry = await rough((_, response) => {
      response.writeHead(200, { "content-length": String(blob.size) });
      response.write(blob.bytes.subarray(0, 100), () => setTimeout(() => response.destroy(), 10));
    });
    await using setting = await scratch({ maxDownloadAttempts: 3 });
    await assert.rejects(take(setting.remote(`${registry.host}/a`)), /connection reset by peer/);
    assert.equal(registry.seen.length, 3);
    assert.equal((await readdir(setting.root)).length, 1);
    assert.equal(await setting.client.prune(), 100);
    assert.deepEqual(await readdir(setting.root), []);
  });

  test("what was stored before a kill could be told so is not kept; the rest is", async () => {
    const other = blobOf(500, 9);
    await using registry = await rough((request, response) => {
      const { bytes } = request.url?.endsWith(other.digest) ? other : blob;
      response.writeHead(200, { "content-length": String(bytes.length) });
      response.write(bytes.subarray(0, 100), () => setTimeout(() => response.destroy(), 10));
    });
    await using setting = await scratch({ maxDownloadAttempts: 1, isStored: (digest) => digest === blob.digest });
    for (const each of [blob, other]) await assert.rejects(take(setting.remote(`${registry.host}/a`), each), /connection reset by peer/);
    assert.equal((await readdir(setting.root)).length, 2);
    await setting.restart();
    assert.deepEqual(
      (await readdir(setting.root)).map((name) => name.slice(0, 64)),
      [other.digest.slice("sha256:".length)],
    );
  });
});

describe("turns", () => {
  test("no more at once than configured, and a pull of many does not keep out one of few", async () => {
    const gate = new Gate(1);
    const order: string[] = [];
    const enter = async (name: string, key: string): Promise<void> => {
      using _turn = await gate.enter(key);
      order.push(name);
      await sleep(1);
    };
    await Promise.all([enter("a1", "a"), enter("a2", "a"), enter("a3", "a"), enter("b1", "b"), enter("b2", "b")]);
    assert.deepEqual(order, ["a1", "a2", "b1", "a3", "b2"]);
  });

  test("who gives up waiting leaves the queue", async () => {
    const gate = new Gate(1);
    const first = await gate.enter("a");
    const leaving = new AbortController();
    const left = gate.enter("a", leaving.signal);
    const next = gate.enter("a");
    leaving.abort(new Error("left"));
    await assert.rejects(left, /left/);
    first[Symbol.dispose]();
    (await next)[Symbol.dispose]();
    assert.equal(gate.isFull, false);
  });

  test("a limit of downloads holds over all pulls, and those beyond it wait", async () => {
    const blobs = Array.from({ length: 6 }, (_, index) => blobOf(1000, index + 1));
    let inside = 0;
    let most = 0;
    await using registry = await rough(async (request, response) => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(20);
      inside -= 1;
      send(response, 200, {}, blobs.find(({ digest }) => request.url?.endsWith(digest))?.bytes ?? "");
    });
    await using setting = await scratch({ maxConcurrentDownloads: 2 });
    const progress: Progress[] = [];
    await Promise.all(blobs.map((each, index) => take(setting.remote(`${registry.host}/r${index}`), each, progress)));
    assert.equal(most, 2);
    assert.ok(progress.some(({ status }) => status === "Waiting"));
  });

  test("a registry that stands still keeps nobody from another", async () => {
    await using still = await rough((_, response) => response.writeHead(200, { "content-length": String(blob.size) }).flushHeaders());
    await using registry = await rough((request, response) => serve(response, request.headers.range));
    await using setting = await scratch({ maxConcurrentDownloads: 1, maxDownloadAttempts: 1, timings: { stallMs: 5000 } });
    const leaving = new AbortController();
    const stuck = setting.remote(`${still.host}/a`).fetchBlob(blob, { signal: leaving.signal });
    while (still.seen.length === 0) await sleep(5);
    assert.deepEqual(await take(setting.remote(`${registry.host}/a`)), blob.bytes);
    leaving.abort(new Error("enough"));
    await (await stuck)[Symbol.asyncDispose]();
  });
});
