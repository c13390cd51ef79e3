/** For tests: a registry of one repository whose images are made by hand, and whose answers may be the test's own. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../base/base.ts";
import { type Behaviour, type Rough, rough } from "../distribution/rough-registry.ts";
import { type Descriptor, mediaTypes, type Platform } from "../spec/spec.ts";

/** How a layer is sent. */
export type Layering = "gzip" | "zstd" | "plain";

const layerings: readonly Layering[] = ["gzip", "zstd", "plain"];
interface MediaTypes {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
  /** Between the layer's type and how it is compressed. */
  readonly mark: string;
}
const formats: Readonly<Record<"oci" | "docker", MediaTypes>> = {
  oci: { manifest: mediaTypes.ociManifest, config: mediaTypes.ociConfig, layer: mediaTypes.ociLayer, mark: "+" },
  docker: { manifest: mediaTypes.dockerManifest, config: mediaTypes.dockerConfig, layer: mediaTypes.dockerLayer, mark: "." },
};

/** Blobs and manifests of one repository, `x/y`. */
export class Shelf {
  readonly #types: MediaTypes;
  /** Of all layers that are made from now on; else the first of an image is sent as gzip, the second as zstd, the third as it is. */
  layering: Layering | undefined;
  readonly blobs: Map<string, Buffer> = new Map();
  readonly manifests: Map<string, { mediaType: string; bytes: Buffer }> = new Map();

  /** @param format whose images are made: OCI's, or Docker's schema 2 */
  constructor(format: keyof typeof formats = "oci") {
    this.#types = formats[format];
  }

  blob(bytes: Buffer, mediaType: string): Descriptor {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  manifest(value: object, mediaType: string, ...tags: string[]): Descriptor {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    for (const name of [digest, ...tags]) this.manifests.set(name, { mediaType, bytes });
    return { mediaType, digest, size: bytes.length };
  }

  /** An image of these tars. */
  image(tars: readonly Buffer[], platform: Platform, ...tags: string[]): Descriptor {
    const layers = tars.map((tar, position) => this.layer(tar, position));
    const config = {
      ...platform,
      config: { Labels: { of: platform.architecture } },
      rootfs: { type: "layers", diff_ids: tars.map(digestOf) },
    };
    return this.imageOf(config, layers, ...tags);
  }

  layer(tar: Buffer, position: number): Descriptor {
    const layering = this.layering ?? layerings[position % layerings.length];
    const { layer, mark } = this.#types;
    if (layering === "plain") return this.blob(tar, layer);
    return this.blob(layering === "gzip" ? gzipSync(tar) : zstdCompressSync(tar), `${layer}${mark}${layering}`);
  }

  imageOf(config: object, layers: readonly Descriptor[], ...tags: string[]): Descriptor {
    const { manifest, config: configType } = this.#types;
    const described = this.blob(Buffer.from(JSON.stringify(config)), configType);
    return this.manifest({ schemaVersion: 2, mediaType: manifest, config: described, layers }, manifest, ...tags);
  }

  index(manifests: readonly Descriptor[], ...tags: string[]): Descriptor {
    return this.manifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, mediaTypes.ociIndex, ...tags);
  }

  /** @param special answers what it wants to, and says so */
  serve(special: (path: string, ...call: Parameters<Behaviour>) => boolean = () => false): Promise<Rough> {
    return rough((request, response, index) => {
      const path = decodeURIComponent(request.url ?? "");
      if (special(path, request, response, index)) return;
      const [, kind, name = ""] = /^\/v2\/x\/y\/(manifests|blobs)\/([^?]*)/.exec(path) ?? [];
      const found = kind === "blobs" ? this.blobs.get(name) : this.manifests.get(name)?.bytes;
      if (path.startsWith("/v2/x/y/tags/list")) {
        response.end(JSON.stringify({ tags: [...this.manifests.keys()].filter((tag) => !tag.includes(":")) }));
      } else if (found === undefined) {
        response.writeHead(404, { "content-type": "application/json" });
        response.end(JSON.stringify({ errors: [{ code: kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN" }] }));
      } else {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const type = kind === "blobs" ? "application/octet-stream" : this.manifests.get(name)?.mediaType;
        const range = from > 0 ? { "content-range": `bytes ${from}-${found.length - 1}/${found.length}` } : {};
        response.writeHead(from > 0 ? 206 : 200, { "content-type": type, "content-length": found.length - from, ...range });
        response.end(found.subarray(from));
      }
    });
  }

  /** Pushes all of it to a real registry. @param base `http://127.0.0.1:5000` */
  async pushTo(base: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const accepted = async (answer: Response): Promise<Response> => {
      if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
      return answer;
    };
    for (const [digest, body] of this.blobs) {
      const begun = await accepted(await fetch(`${base}/v2/x/y/blobs/uploads/`, { method: "POST", headers }));
      const location = new URL(begun.headers.get("location") ?? "", base);
      location.searchParams.set("digest", digest);
      await accepted(await fetch(location, { method: "PUT", body: new Uint8Array(body), headers }));
    }
    // Those that an index lists were made before it.
    for (const [name, { bytes, mediaType }] of this.manifests)
      await accepted(
        await fetch(`${base}/v2/x/y/manifests/${name}`, {
          method: "PUT",
          body: new Uint8Array(bytes),
          headers: { ...headers, "content-type": mediaType },
        }),
      );
  }
}
