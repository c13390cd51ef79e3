/** The process dies at any instruction of pull and rmi: afterwards each image is whole or not there, and pulls go on. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf, parseReference } from "../base/base.ts";
import { openDistribution } from "../distribution/open.ts";
import { ImageRows } from "../state/state.ts";
import { openScratchStore, type ScratchStore, tarOf } from "./scratch-store.ts";
import { Shelf } from "./shelf.ts";

const work = `
import { parseReference } from ${JSON.stringify(import.meta.resolve("../base/base.ts"))};
import { openDistribution } from ${JSON.stringify(import.meta.resolve("../distribution/open.ts"))};
import { openScratchStore } from ${JSON.stringify(import.meta.resolve("./scratch-store.ts"))};
const [, , root, name] = process.argv;
const store = await openScratchStore(root);
const distribution = await openDistribution({ root: root + "/downloads" });
process.stdout.write("ready");
for (let round = 0; ; round++) {
  const pulls = [1, 2, 3].map(async (tag) => {
    for await (const _ of store.images.pull(distribution.remote(parseReference(name + ":" + tag)), {}));
  });
  await Promise.all(pulls);
  process.stdout.write("p");
  for (const image of store.images.list(new Map()).slice(round % 2)) await store.images.remove(image.Id, { force: true, noPrune: false });
}`;

async function check(store: ScratchStore): Promise<number> {
  const rows = new ImageRows(store.database);
  const ids = rows.ids().map(({ id }) => id);
  const layers = new Set(ids.flatMap((id) => rows.layersOf(id).map((layer) => layer.diffId.slice("sha256:".length))));
  const kept = (await readdir(join(store.root, "layers"))).filter((name) => name !== "empty");
  assert.deepEqual(kept.sort(), [...layers].sort(), "the layers of the images, and no others");
  const wanted = rows.blobs();
  for (const id of ids) {
    assert.equal(digestOf(await store.content.read(id)), id);
    for (const { digest } of rows.manifestsOf(id)) assert.equal(digestOf(await store.content.read(digest)), digest);
  }
  for (const name of await readdir(join(store.root, "content/sha256"))) {
    const digest = `sha256:${name}` as Digest;
    assert.ok(wanted.has(digest), "no blob that no row names");
    assert.equal(digestOf(await readFile(join(store.root, "content/sha256", name))), digest, "no blob but a whole one");
  }
  assert.deepEqual(await readdir(join(store.root, "content/ingest")), []);
  return ids.length;
}

test("killed at any time of a pull", { timeout: 120_000 }, async () => {
  const root = await mkdtemp(join(tmpdir(), "berth-test-killed-"));
  await using _left = { [Symbol.asyncDispose]: async () => (await openScratchStore(root))[Symbol.asyncDispose]() };
  const script = join(root, "work.mjs");
  await writeFile(script, work);
  const shelf = new Shelf();
  const shared = tarOf({ shared: randomBytes(400_000) });
  for (const tag of ["1", "2", "3"])
    shelf.image([shared, tarOf({ tag }), tarOf({ own: randomBytes(200_000) })], { os: "linux", architecture: "amd64" }, tag);
  await using registry = await shelf.serve();
  const name = `${registry.host}/x/y`;
  let images = 0;
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, [script, root, name], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    // Within the first pulls, or later: however slow the machine is, some have come to their end.
    for (let pulled = round % 3; pulled > 0; pulled--) await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    assert.deepEqual(await exited, [null, "SIGKILL"], "it was killed at its work");
    const store = await openScratchStore(root);
    images += await check(store);
    await store.close();
  }
  assert.ok(images > 0, "some rounds left images to look at");
  const store = await openScratchStore(root);
  const rows = new ImageRows(store.database);
  const distribution = await openDistribution({ root: join(root, "downloads"), isStored: (digest) => rows.wantsBlob(digest) });
  for (const tag of ["1", "2", "3"]) for await (const _ of store.images.pull(distribution.remote(parseReference(`${name}:${tag}`)), {}));
  assert.equal(await check(store), 3);
  assert.deepEqual(await readdir(join(root, "downloads")), []);
  await distribution[Symbol.asyncDispose]();
  await store.close();
});
