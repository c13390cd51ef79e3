/**
 * What a machine that falls may make of files that are not synced (docs/adr/0018): shortened, full of zeros, or gone. Nothing of it
 * reaches a container or a registry, and nothing has to be mended by hand.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { digestOf } from "../../src/base/base.ts";
import { ask } from "../../src/registry/scratch-registry.ts";
import { eventually } from "../daemon.ts";
import { assertEmpty, audit, runs } from "../kills/audit.ts";
import { Chance } from "../kills/chance.ts";
import { dockerArchive } from "../kills/known-images.ts";
import { assertWhole } from "../kills/pushes.ts";
import { RegistryProcess } from "../kills/registry-process.ts";
import { Stand } from "../kills/stand.ts";

const shorten = (path: string): void => truncateSync(path, statSync(path).size >> 1);
const zero = (path: string): void => writeFileSync(path, Buffer.alloc(statSync(path).size));
const remove = (path: string): void => rmSync(path);

function spoil(paths: readonly string[], changes: readonly ((path: string) => void)[]): void {
  for (const [at, path] of paths.entries()) changes[at]?.(path);
}

describe("after the power was cut", { timeout: 180_000 }, () => {
  let stand: Stand;
  let other: RegistryProcess;
  before(async () => {
    stand = await Stand.open(new Chance(7));
    other = await RegistryProcess.start();
  });
  after(async () => {
    await other[Symbol.asyncDispose]();
    await stand[Symbol.asyncDispose]();
  });

  async function whileDown(work: () => void): Promise<void> {
    await stand.strike("all of Berth");
    work();
    await stand.recover("all of Berth");
  }

  const filesIn = (folder: string): string[] => {
    const root = join(stand.daemon.dataRoot, folder);
    return readdirSync(root).map((name) => join(root, name));
  };
  /** Layers as they came; not configurations and manifests, which are synced. */
  const keptBlobs = (): string[] => filesIn("content/sha256").filter((path) => statSync(path).size > 10_000);

  const spoiled: [string, readonly ((path: string) => void)[]][] = [
    ["shortened or gone", [shorten, remove, shorten]],
    ["full of zeros", [zero, zero, zero]],
  ];
  for (const [how, changes] of spoiled)
    test(`compressed layers that are ${how}: a push makes them anew`, async () => {
      const image = stand.known.get("a");
      const repository = `spoiled/${how.replaceAll(" ", "-")}`;
      await stand.pull("a");
      assert.equal(keptBlobs().length, 3, "gzip, zstd and gzip; the plain one is the layer's tar");
      await whileDown(() => spoil(keptBlobs(), changes));
      await runs(stand, image, stand.name("a"));
      const host = `127.0.0.1:${other.port}`;
      await stand.ok("POST", `/images/${image.id}/tag?repo=${encodeURIComponent(`${host}/${repository}`)}&tag=1`);
      await stand.ok("POST", `/images/${host}/${repository}/push?tag=1`);
      const { digest, content } = await assertWhole(other.port, repository, "1");
      assert.equal(content.config.digest, image.id);
      await stand.ok("POST", `/images/${host}/${repository}/push?tag=1`);
      assert.equal((await assertWhole(other.port, repository, "1")).digest, digest, "and that is what it is from now on");
      await stand.removeAll();
      assertEmpty(stand);
      await stand.ok("POST", `/images/create?fromImage=${encodeURIComponent(`${host}/${repository}`)}&tag=1`);
      await runs(stand, image, image.id);
      await stand.removeAll();
      assertEmpty(stand);
    });

  test("layers on their way that are shortened or full of zeros: the same pull fetches them anew", async () => {
    stand.relay.pauseMs = 20;
    const pulling = stand.pull("a").catch(() => undefined);
    const isUnderWay = (): boolean => filesIn("downloads").filter((path) => statSync(path).size > 150_000).length >= 3;
    await eventually("bytes of three layers", async () => isUnderWay() || undefined);
    await whileDown(() => spoil(filesIn("downloads"), [shorten, zero, zero]));
    await pulling;
    stand.relay.pauseMs = 0;
    await stand.pull("a");
    assert.equal((await audit(stand)).downloads.size, 0);
    await runs(stand, stand.known.get("a"), stand.name("a"));
    await stand.removeAll();
    assertEmpty(stand);
  });

  test("a database that is older than the files: they go", async () => {
    const { dataRoot } = stand.daemon;
    const isDatabase = (name: string): boolean => name.startsWith("berth.db");
    const copy = join(dataRoot, "../", `berth-test-old-${process.pid}`);
    await whileDown(() =>
      cpSync(dataRoot, copy, { recursive: true, filter: (path) => path === dataRoot || isDatabase(path.slice(dataRoot.length + 1)) }),
    );
    const host = `127.0.0.1:${other.port}`;
    await stand.load(dockerArchive([stand.known.get("b")], false));
    await stand.ok("POST", `/images/known/b:1/tag?repo=${encodeURIComponent(`${host}/old/b`)}&tag=1`);
    await stand.ok("POST", `/images/${host}/old/b/push?tag=1`);
    assert.ok(keptBlobs().length > 0);
    await whileDown(() => {
      for (const name of readdirSync(dataRoot).filter(isDatabase)) rmSync(join(dataRoot, name));
      cpSync(copy, dataRoot, { recursive: true });
      rmSync(copy, { recursive: true });
    });
    assert.deepEqual((await audit(stand)).images, []);
    assertEmpty(stand);
  });

  test("an upload that the registry has lost bytes of is refused, and nothing of it stays", async () => {
    const bytes = new Chance(3).bytes(400_000);
    const digest = digestOf(bytes);
    const location = String((await ask(other.port, "POST", "/v2/lost/it/blobs/uploads/")).headers.location);
    assert.equal((await ask(other.port, "PATCH", location, { body: bytes.subarray(0, 200_000) })).status, 202);
    await other.kill();
    for (const name of readdirSync(join(other.root, "uploads"))) zero(join(other.root, "uploads", name));
    await other.restart();
    const put = await ask(other.port, "PUT", `${location}?digest=${digest}`, { body: bytes.subarray(200_000) });
    assert.deepEqual([put.status, put.json.errors?.[0]?.code], [400, "DIGEST_INVALID"]);
    assert.equal((await ask(other.port, "POST", `/v2/lost/it/blobs/uploads/?digest=${digest}`, { body: bytes })).status, 201);
    await other.kill();
    await other.restart();
    await other.kill();
    other.assertTidy();
  });
});
