import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { digestOf } from "../base/base.ts";
import { openDistribution } from "../distribution/open.ts";
import { openScratchStore, type ScratchStore, streamOf, tarOf } from "../images/scratch-store.ts";
import { type ImageBackend, openImageBackend } from "./image-backend.ts";

const downloads = await mkdtemp(join(tmpdir(), "berth-test-downloads-"));
const distribution = await openDistribution({ root: downloads });
after(async () => {
  await distribution[Symbol.asyncDispose]();
  await rm(downloads, { recursive: true });
});

function backendOf(store: ScratchStore): ImageBackend {
  const program = join(store.root, "program");
  const embedded = { "hello-world:latest": { name: "hello", program } };
  return openImageBackend({ images: store.images, layers: store.layers, distribution, embedded, collectPolicy: () => ({}) });
}

async function all(messages: AsyncIterable<Record<string, unknown>>): Promise<Record<string, unknown>[]> {
  return Array.fromAsync(messages);
}

const { signal } = new AbortController();
const nothing = { repository: "", tag: "", message: "", changes: [] };

describe("image backend", () => {
  test("import tells the id as its only status; the message has a default", async () => {
    await using store = await openScratchStore();
    const backend = backendOf(store);
    const [message, ...more] = await all(backend.import(streamOf(tarOf({ a: "b" })), { ...nothing, repository: "x/y" }, signal));
    assert.deepEqual(more, []);
    assert.match(String(message?.["status"]), /^sha256:[0-9a-f]{64}$/);
    const inspect = await backend.inspect("x/y:latest");
    assert.equal(inspect.Id, message?.["status"]);
    assert.equal(inspect.Comment, "Imported from -");
    await assert.rejects(all(backend.import(streamOf(tarOf({ a: "b" })), { ...nothing, repository: "UPPER" }, signal)), {
      code: "InvalidParameter",
    });
    await assert.rejects(backend.tag("x/y", { repository: "a b", tag: "" }), { code: "InvalidParameter" });
    await backend.tag("x/y", { repository: "localhost:5000/z", tag: "1" });
    assert.deepEqual((await backend.list({ all: false, filters: new Map(), sharedSize: false }))[0]?.RepoTags, [
      "x/y:latest",
      "localhost:5000/z:1",
    ]);
  });

  test("pull refuses what is no name or platform", async () => {
    await using store = await openScratchStore();
    const backend = backendOf(store);
    assert.throws(() => backend.pull("NOSUCH", {}), { code: "InvalidParameter" });
    await assert.rejects(all(backend.pull("127.0.0.1:1/nosuch:x", { platform: "plan9" })), { code: "InvalidParameter" });
    await assert.rejects(all(backend.pull("127.0.0.1:1/nosuch:x", {})), { code: "System", message: /connection refused/ });
  });

  test("prune takes what broken-off pulls have left", async () => {
    await using store = await openScratchStore();
    await writeFile(join(downloads, "0".repeat(64)), "half a blob");
    const pruned = await backendOf(store).prune(new Map());
    assert.deepEqual(pruned, { ImagesDeleted: null, SpaceReclaimed: 11 });
    assert.deepEqual(await readdir(downloads), []);
  });

  test("an embedded image is the same each time, and its name is known", async () => {
    await using store = await openScratchStore();
    await writeFile(join(store.root, "program"), "static program");
    const backend = backendOf(store);
    await backend.installEmbedded("hello-world");
    const first = await backend.inspect("hello-world");
    assert.deepEqual(first.Config?.Cmd, ["/hello"]);
    assert.deepEqual(first.RepoTags, ["hello-world:latest"]);
    await backend.installEmbedded("hello-world");
    await backend.remove("hello-world", { force: false, noPrune: false });
    await backend.installEmbedded("docker.io/library/hello-world:latest");
    assert.equal((await backend.inspect("hello-world")).Id, first.Id);
    assert.match(String(first.Id), new RegExp(`^${digestOf(await store.content.read(first.Id as ReturnType<typeof digestOf>))}$`));
    await assert.rejects(backend.installEmbedded("busybox"), { code: "NotFound" });
  });
});
