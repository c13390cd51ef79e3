/** The client of registries against Berth's registry, and Docker's as Debian has it: `sh test/docker-registry-of-debian.sh` fetches it. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { digestOf } from "../src/base/base.ts";
import type { BlobSource } from "../src/distribution/distribution.ts";
import { blobOf, certificates, scratch } from "../src/distribution/rough-registry.ts";
import { ScratchRegistry } from "../src/registry/scratch-registry.ts";
import { mediaTypes } from "../src/spec/spec.ts";
import { debianRegistry, debianRegistryMissing, type Running } from "./debian-registry.ts";

const layer = blobOf(300_000);
const config = blobOf(300, 3);
const sourceOf = ({ bytes, digest, size }: typeof layer): BlobSource => ({
  digest,
  size,
  open: (offset) => Readable.from([bytes.subarray(offset)]),
});
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: layer.digest, size: layer.size }],
  }),
);

async function berth(): Promise<Running> {
  const registry = await ScratchRegistry.open();
  return { host: `127.0.0.1:${registry.running.port}`, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

const registries: [string, () => Promise<Running>, string | false][] = [
  ["Berth's registry", berth, false],
  ["Docker's registry", debianRegistry, debianRegistryMissing],
];

for (const [name, open, unless] of registries)
  describe(name, { skip: unless }, () => {
    test("what is pushed is pulled with the same digests; mounted, listed, deleted", async () => {
      await using registry = await open();
      await using setting = await scratch();
      const remote = setting.remote(`${registry.host}/team/a:1`);
      await assert.rejects(remote.manifest(), {
        code: "NotFound",
        message: /^(manifest for 127.*team\/a:1 not found: manifest|repository 127.*team\/a not found: name) unknown: /,
      });
      assert.equal((await remote.pushBlob(sourceOf(layer))).kind, "pushed");
      // Without its digest: chunks.
      assert.deepEqual(await remote.pushBlob({ open: () => Readable.from([config.bytes]) }), {
        kind: "pushed",
        digest: config.digest,
        size: config.size,
      });
      const empty = blobOf(0);
      assert.equal((await remote.pushBlob(sourceOf(empty))).kind, "pushed");
      assert.equal(await remote.putManifest("1", mediaTypes.ociManifest, manifest), digestOf(manifest));
      assert.equal((await remote.pushBlob(sourceOf(layer))).kind, "exists");
      const other = setting.remote(`${registry.host}/team/b`);
      assert.equal((await other.pushBlob(sourceOf(layer), { mountFrom: ["team/a"] })).kind, "mounted");

      const pulled = await setting.remote(`${registry.host}/team/a:1`).manifest();
      assert.deepEqual(Buffer.from(pulled.bytes), manifest);
      assert.deepEqual(await remote.manifestHead(), { digest: pulled.digest, mediaType: mediaTypes.ociManifest, size: manifest.length });
      assert.deepEqual(Buffer.from(await remote.readBlob(config)), config.bytes);
      {
        await using fetch = await remote.fetchBlob(layer);
        assert.equal((await Array.fromAsync(fetch.arrival)).at(-1), layer.size);
        assert.deepEqual(await readFile(fetch.path), layer.bytes);
        fetch.stored();
      }
      assert.deepEqual(await readdir(setting.root), []);
      assert.deepEqual(await Array.fromAsync(remote.tags()), ["1"]);
      // Whether team/b, which has no manifest, is one of them is each registry's own matter.
      assert.equal((await Array.fromAsync(setting.client.catalog(registry.host)))[0], "team/a");
      assert.deepEqual(await remote.referrers(pulled.digest), []);
      await remote.deleteManifest(pulled.digest);
      assert.equal(await remote.manifestHead(pulled.digest), undefined);
    });

    test("what refers to an image is found by it, whether or not the registry keeps a list", async () => {
      await using registry = await open();
      await using setting = await scratch();
      const remote = setting.remote(`${registry.host}/team/c`);
      const empty = blobOf(2, 9);
      for (const blob of [layer, config, empty]) await remote.pushBlob(sourceOf(blob));
      const digest = await remote.putManifest("1", mediaTypes.ociManifest, manifest);
      const subject = { mediaType: mediaTypes.ociManifest, digest, size: manifest.length };
      const artifact = (more: object): Buffer => {
        const described = { mediaType: "application/vnd.oci.empty.v1+json", digest: empty.digest, size: empty.size };
        const content = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: described, layers: [described], subject, ...more };
        return Buffer.from(JSON.stringify(content));
      };
      const typed = artifact({ artifactType: "application/x.sbom", annotations: { made: "today" } });
      const plain = artifact({});
      for (const bytes of [typed, plain, typed]) await remote.putManifest(digestOf(bytes), mediaTypes.ociManifest, bytes);
      const expected = [typed, plain].map((bytes, position) => ({
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(bytes),
        size: bytes.length,
        ...(position === 0
          ? { artifactType: "application/x.sbom", annotations: { made: "today" } }
          : { artifactType: "application/vnd.oci.empty.v1+json" }),
      }));
      const sorted = (list: readonly { digest: string }[]): unknown[] => list.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      assert.deepEqual(sorted(await remote.referrers(digest)), sorted(expected));
      assert.deepEqual(await remote.referrers(digest, "application/x.sbom"), expected.slice(0, 1));
      assert.equal((await setting.remote(`${registry.host}/team/c@${digestOf(typed)}`).manifest()).digest, digestOf(typed));
    });

    test("an upload that breaks off goes on", async () => {
      await using registry = await open();
      await using setting = await scratch();
      const offsets: number[] = [];
      const remote = setting.remote(`${registry.host}/a`);
      // Between us and the registry somebody cuts the first connection that has carried so much.
      const { port } = new URL(`http://${registry.host}`);
      const { connect } = await import("node:net");
      let isCut = false;
      const cutter = createServer((client) => {
        const upstream = connect(Number(port), "127.0.0.1");
        let carried = 0;
        client.on("data", (chunk) => {
          carried += chunk.length;
          if (!isCut && carried > 200_000) {
            isCut = true;
            upstream.write(chunk, () => {
              client.destroy();
              upstream.end();
            });
            return;
          }
          upstream.write(chunk);
        });
        upstream.on("data", (chunk) => client.write(chunk));
        for (const [one, two] of [
          [client, upstream],
          [upstream, client],
        ] as const) {
          one.on("error", () => undefined);
          one.on("close", () => two.destroy());
        }
      });
      await new Promise<void>((resolve) => cutter.listen(0, "127.0.0.1", resolve));
      const through = setting.remote(`127.0.0.1:${(cutter.address() as AddressInfo).port}/a`);
      const big = blobOf(2_000_000, 5);
      function* pieces(bytes: Buffer): Generator<Buffer> {
        for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
      }
      const openAt = (offset: number): Readable => {
        offsets.push(offset);
        return Readable.from(pieces(big.bytes.subarray(offset)));
      };
      assert.equal((await through.pushBlob({ ...sourceOf(big), open: openAt })).kind, "pushed");
      await setting.client[Symbol.asyncDispose]();
      cutter.close();
      assert.equal(isCut, true);
      // A registry that is still writing down what came may have to be asked once more.
      assert.ok(offsets.length >= 2, String(offsets));
      assert.equal(digestOf(await remote.readBlob(big)), big.digest);
    });
  });

describe("Docker's registry, guarded", { skip: debianRegistryMissing }, () => {
  test("by TLS with its own authority and a password", async () => {
    const pems = await certificates();
    await using scratchFolder = await scratch();
    const passwords = join(scratchFolder.folder, "htpasswd");
    // bcrypt of "secret", made by htpasswd -nbB.
    await writeFile(passwords, "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
    await using registry = await debianRegistry(`auth:\n  htpasswd:\n    realm: r\n    path: ${passwords}\n`, pems);
    await mkdir(join(scratchFolder.folder, "certs.d", registry.host), { recursive: true });
    await writeFile(join(scratchFolder.folder, "certs.d", registry.host, "ca.crt"), pems.ca);
    const credentials = { kind: "password", username: "me", password: "secret" } as const;
    assert.deepEqual(await scratchFolder.client.checkCredentials(registry.host, credentials), {});
    await assert.rejects(scratchFolder.client.checkCredentials(registry.host, { ...credentials, password: "x" }), { code: "Unauthorized" });
    const remote = scratchFolder.remote(`${registry.host}/a`, credentials);
    assert.equal((await remote.pushBlob(sourceOf(layer))).kind, "pushed");
    assert.equal(await remote.hasBlob(layer.digest), true);
    await assert.rejects(scratchFolder.remote(`${registry.host}/a`).manifest(), {
      code: "Unauthorized",
      message: /^Head "https:.*\/v2\/a\/manifests\/latest": no basic auth credentials$/,
    });
  });
});
