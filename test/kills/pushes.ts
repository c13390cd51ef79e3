/** Pushes: of what was made here, which is compressed first, and of what was pulled. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { digestOf } from "../../src/base/base.ts";
import { ask } from "../../src/registry/scratch-registry.ts";
import { type ImageManifest, mediaTypes } from "../../src/spec/spec.ts";
import { assertEmpty, audit, runs } from "./audit.ts";
import { dockerArchive, type KnownImage } from "./known-images.ts";
import { note, type Scenario } from "./scenario.ts";
import type { Stand } from "./stand.ts";

const tag = "1";

export const pushes: Scenario = {
  name: "push",
  victims: ["daemon", "daemon", "all of Berth", "registry", "everything"],
  async round(stand, chance, number) {
    const image = stand.known.get(chance.one(["a", "b"]));
    const isPulled = chance.happens(0.4);
    // Each into a repository of its own: of what was made here the registry has nothing.
    const repository = `push${number + 1}/it`;
    stand.relay.pauseMs = 0;
    await prepare(stand, image, isPulled, repository);
    stand.relay.pauseMs = chance.one([0, 2, 6]);
    const push = (): Promise<Buffer> => stand.ok("POST", `/images/${stand.relay.host}/${repository}/push?tag=${tag}`);
    return {
      begin: push,
      async after(completed) {
        await audit(stand);
        if (completed) await assertWhole(stand.registry.port, repository, tag);
        const held = await heldBytes(stand, repository);
        stand.relay.forget();
        stand.relay.pauseMs = 0;
        await push();
        const { digest, content } = await assertWhole(stand.registry.port, repository, tag);
        const whole = [content.config, ...content.layers].reduce((sum, { size }) => sum + size, 0);
        assert.ok(stand.relay.sentBytes <= whole - held, `${stand.relay.sentBytes} bytes were sent; ${held} of ${whole} were there`);
        if (held > 0 && held < whole) note("a part of the blobs was there: not sent again");
        if (isPulled) assert.equal(digest, image.manifest, "what was pulled goes out with the same digest");
        stand.relay.forget();
        await push();
        assert.equal((await assertWhole(stand.registry.port, repository, tag)).digest, digest);
        assert.equal(stand.relay.sentBytes, 0, "a second push sends nothing");
        await audit(stand);
        await stand.removeAll();
        assertEmpty(stand);
        await stand.pull(tag, repository);
        await runs(stand, image, stand.name(tag, repository));
        await stand.removeAll();
        assertEmpty(stand);
        if (number % 10 === 9) await assertRegistryTidy(stand);
      },
    };
  },
  end: assertRegistryTidy,
};

/** The image is here under the name that is to be pushed, and under no other. */
export async function prepare(stand: Stand, image: KnownImage, isPulled: boolean, repository: string): Promise<void> {
  const from = isPulled ? stand.name(image.tag) : `known/${image.tag}:1`;
  if (isPulled) await stand.pull(image.tag);
  else await stand.load(dockerArchive([image], false));
  await stand.ok("POST", `/images/${from}/tag?repo=${encodeURIComponent(`${stand.relay.host}/${repository}`)}&tag=${tag}`);
  await stand.ok("DELETE", `/images/${from}`);
}

/** Bytes of the image's layers that the registry has in this repository by now. */
async function heldBytes(stand: Stand, repository: string): Promise<number> {
  const database = new DatabaseSync(join(stand.daemon.dataRoot, "berth.db"), { readOnly: true, timeout: 5000 });
  const rows = database.prepare("SELECT DISTINCT digest, size_bytes AS size FROM layer_blobs").all();
  database.close();
  let held = 0;
  for (const { digest, size } of rows) {
    const { status } = await ask(stand.registry.port, "HEAD", `/v2/${repository}/blobs/${String(digest)}`);
    if (status === 200) held += Number(size);
  }
  return held;
}

/** Every blob of the image is in the registry, to the byte. */
export async function assertWhole(
  port: number,
  repository: string,
  reference: string,
): Promise<{ digest: string; content: ImageManifest }> {
  const headers = { accept: Object.values(mediaTypes).join(", ") };
  const got = await ask(port, "GET", `/v2/${repository}/manifests/${reference}`, { headers });
  assert.equal(got.status, 200, `${repository}:${reference}: ${got.body.toString()}`);
  const content = JSON.parse(got.body.toString()) as ImageManifest;
  for (const { digest, size } of [content.config, ...content.layers]) {
    const blob = await ask(port, "GET", `/v2/${repository}/blobs/${digest}`);
    assert.deepEqual([blob.status, blob.body.length, digestOf(blob.body)], [200, size, digest]);
  }
  return { digest: digestOf(got.body), content };
}

/** Killed once more, as nobody asks it for anything: what it left is what it keeps. */
export async function assertRegistryTidy(stand: Stand): Promise<void> {
  await stand.registry.kill();
  await stand.registry.restart();
  await stand.registry.kill();
  stand.registry.assertTidy();
  await stand.registry.restart();
}
