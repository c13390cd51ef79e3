/** Images of which every byte is known: in a registry, in archives, and what a container of them must read. */
import { gzipSync } from "node:zlib";
import { type Digest, digestOf } from "../../src/base/base.ts";
import { archiveEnd, entryHeader, entryPadding } from "../../src/images/archive-writer.ts";
import { tarOf } from "../../src/images/scratch-store.ts";
import { Shelf } from "../../src/images/shelf.ts";
import { type Descriptor, type ImageManifest, mediaTypes } from "../../src/spec/spec.ts";
import { busyboxRootfs } from "../daemon.ts";
import type { Chance } from "./chance.ts";

const amd64 = { os: "linux", architecture: "amd64" };

export interface KnownImage {
  readonly tag: string;
  /** The configuration's digest. */
  readonly id: Digest;
  readonly config: Buffer;
  /** What its tag stands for in the registry. */
  readonly manifest: Digest;
  /** As the registry has them, base first. */
  readonly blobs: readonly Descriptor[];
  readonly tars: readonly Buffer[];
  readonly diffIds: readonly Digest[];
  /** Path → SHA-256 in hex, of all that lies above busybox. */
  readonly files: ReadonlyMap<string, string>;
}

/** An index of three platforms, all of them this machine's in truth, and an attestation. */
export interface KnownIndex {
  readonly digest: Digest;
  readonly platforms: readonly string[];
  /** As an OCI layout: `known/platforms:1`. In the registry it is `x/y:platforms`. */
  readonly archive: Buffer;
}

/** Three images with layers in common: gzip, zstd and plain ones; and an index of others. */
export class KnownImages {
  readonly shelf: Shelf = new Shelf();
  readonly all: readonly KnownImage[];
  readonly index: KnownIndex;

  private constructor(all: readonly KnownImage[], shelf: Shelf, index: KnownIndex) {
    this.all = all;
    this.shelf = shelf;
    this.index = index;
  }

  static async make(chance: Chance): Promise<KnownImages> {
    const shelf = new Shelf();
    const file = (name: string, length: number): [string, Buffer] => [`data/${name}`, chance.bytes(length)];
    const shared = [file("shared", 1_200_000)];
    const layers: Record<string, [string, Buffer][][]> = {
      a: [shared, [file("a-plain", 900_000)], [file("a-gzip", 600_000), ["data/a-text", Buffer.from("a\n".repeat(40_000))]]],
      // So large that a push sends it while it is compressed.
      b: [shared, [file("b", 700_000), ["data/b-text", Buffer.alloc(4_500_000, "what compresses well\n")]]],
      c: [[file("c", 300_000)], shared],
    };
    const busybox = await busyboxRootfs();
    const images = Object.entries(layers).map(([tag, members]): KnownImage => {
      const tars = [busybox, ...members.map((entries) => tarOf(Object.fromEntries(entries)))];
      const { digest } = shelf.image(tars, amd64, tag);
      const manifest = JSON.parse(String(shelf.manifests.get(tag)?.bytes)) as ImageManifest;
      return {
        tag,
        id: manifest.config.digest,
        config: shelf.blobs.get(manifest.config.digest) ?? Buffer.alloc(0),
        manifest: digest,
        blobs: manifest.layers,
        tars,
        diffIds: tars.map(digestOf),
        files: new Map(members.flat().map(([name, bytes]) => [name, digestOf(bytes).slice("sha256:".length)])),
      };
    });
    return new KnownImages(images, shelf, makeIndex(shelf, busybox, chance));
  }

  get(tag: string): KnownImage {
    const found = this.all.find((image) => image.tag === tag);
    if (found === undefined) throw new Error(`there is no image ${tag}`);
    return found;
  }

  byId(id: string): KnownImage | undefined {
    return this.all.find((image) => image.id === id);
  }
}

function makeIndex(known: Shelf, busybox: Buffer, chance: Chance): KnownIndex {
  const own = new Shelf();
  const platforms = ["amd64", "arm64", "s390x"];
  const entries = platforms.map((architecture) => {
    const platform = { os: "linux", architecture };
    return { ...own.image([busybox, tarOf({ "data/own": chance.bytes(400_000) })], platform), platform };
  });
  const statement = own.blob(chance.bytes(100_000), "application/vnd.in-toto+json");
  const proof = own.imageOf({ os: "unknown", architecture: "unknown" }, [statement]);
  const index = own.index([...entries, { ...proof, platform: { os: "unknown", architecture: "unknown" } }], "platforms");
  const manifests = [...own.manifests].flatMap(([name, { bytes }]) => (name.includes(":") ? [[name, bytes] as const] : []));
  const members = new Map([...own.blobs, ...manifests].map(([digest, bytes]) => [blobPath(digest), bytes]));
  const annotations = { "io.containerd.image.name": "docker.io/known/platforms:1" };
  members.set("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  members.set("index.json", json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...index, annotations }] }));
  for (const [digest, bytes] of own.blobs) known.blobs.set(digest, bytes);
  for (const [name, manifest] of own.manifests) known.manifests.set(name, manifest);
  return { digest: index.digest, platforms, archive: tarOfMembers(members) };
}

function tarOfMembers(members: ReadonlyMap<string, Buffer>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, bytes] of members)
    parts.push(entryHeader({ name, type: "file", sizeBytes: bytes.length }), bytes, entryPadding(bytes.length));
  return Buffer.concat([...parts, archiveEnd()]);
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const blobPath = (digest: string): string => `blobs/sha256/${digest.slice("sha256:".length)}`;

/** As `docker save` of old wrote it; with `gzip` all of it compressed. Names: `known/<tag>:1`. */
export function dockerArchive(images: readonly KnownImage[], gzip: boolean): Buffer {
  const members = new Map<string, Buffer>();
  const list = images.map(({ tag, id, config, tars }) => {
    const hex = id.slice("sha256:".length);
    members.set(`${hex}.json`, config);
    const names = tars.map((tar) => `${digestOf(tar).slice("sha256:".length)}/layer.tar`);
    for (const [at, name] of names.entries()) members.set(name, tars[at] ?? Buffer.alloc(0));
    return { Config: `${hex}.json`, RepoTags: [`known/${tag}:1`], Layers: names };
  });
  members.set("manifest.json", json(list));
  const tar = tarOfMembers(members);
  return gzip ? gzipSync(tar, { level: 1 }) : tar;
}

/** An OCI image layout with the layers as the registry has them. Names: `known/<tag>:1`. */
export function ociLayout(images: readonly KnownImage[], shelf: Shelf): Buffer {
  const members = new Map<string, Buffer>();
  const blob = (digest: string): void => {
    members.set(blobPath(digest), shelf.blobs.get(digest) ?? shelf.manifests.get(digest)?.bytes ?? Buffer.alloc(0));
  };
  const manifests = images.map(({ tag, id, manifest, blobs }) => {
    for (const digest of [id, manifest, ...blobs.map((each) => each.digest)]) blob(digest);
    return {
      mediaType: mediaTypes.ociManifest,
      digest: manifest,
      size: shelf.manifests.get(manifest)?.bytes.length ?? 0,
      annotations: { "io.containerd.image.name": `docker.io/known/${tag}:1` },
    };
  });
  members.set("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  members.set("index.json", json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  return tarOfMembers(members);
}
