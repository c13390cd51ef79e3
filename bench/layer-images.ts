/** Images to be pulled, made without an engine: layers of given sizes, compressed as registries have them, pushed by plain HTTP. */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, rmSync, statSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { PassThrough, Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import { headerOf } from "../src/layers/sample-tar.ts";

export type Compression = "gzip" | "zstd" | "none";

export interface MadeLayer {
  readonly path: string;
  readonly digest: string;
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly compression: Compression;
}

const fileBytes = 100_000_000;

/**
 * A tar of files of 100 MB, in pieces.
 * @param texture `random` cannot be compressed; of `text`, gzip leaves some 60 %
 */
export function* madeTar(sizeBytes: number, texture: "random" | "text"): Generator<Buffer> {
  const piece = texture === "random" ? randomBytes(4 << 20) : Buffer.from(randomBytes(2 << 20).toString("hex"));
  for (let left = sizeBytes, number = 0; left > 0; number++) {
    const size = Math.min(left, fileBytes);
    yield headerOf({ name: `${randomBytes(4).toString("hex")}-${number}`, size });
    for (let done = 0; done < size; done += piece.length) yield piece.subarray(0, Math.min(piece.length, size - done));
    yield Buffer.alloc((512 - (size % 512)) % 512);
    left -= size;
  }
  yield Buffer.alloc(1024);
}

/** Beyond this, how well gzip compresses is not what is measured, and is not waited for. */
const largeBytes = 1_000_000_000;

const compressors: Readonly<Record<Compression, (tarBytes: number) => Transform>> = {
  gzip: (bytes) => createGzip({ level: bytes > largeBytes ? 1 : 6 }),
  zstd: () => createZstdCompress(),
  none: () => new PassThrough(),
};

function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

/** Writes a layer's blob. */
export async function makeLayer(
  path: string,
  tar: Iterable<Buffer> | Readable,
  tarBytes: number,
  compression: Compression,
): Promise<MadeLayer> {
  const [plain, packed] = [createHash("sha256"), createHash("sha256")];
  await pipeline(
    tar instanceof Readable ? tar : Readable.from(tar, { objectMode: false }),
    hashing(plain),
    compressors[compression](tarBytes),
    hashing(packed),
    createWriteStream(path),
  );
  const [diffId, digest] = [`sha256:${plain.digest("hex")}`, `sha256:${packed.digest("hex")}`];
  return { path, digest, diffId, sizeBytes: statSync(path).size, compression };
}

const agent = new Agent({ keepAlive: true });

function ask(method: string, url: URL, body: Readable | Buffer, headers: Record<string, string | number>): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const sent = request(url, { method, agent, headers }, (answer) => {
      answer.resume();
      if ((answer.statusCode ?? 500) < 300) done(answer);
      else fail(new Error(`${method} ${url}: ${answer.statusCode}`));
    });
    sent.on("error", fail);
    if (Buffer.isBuffer(body)) sent.end(body);
    else body.pipe(sent);
  });
}

async function pushBlob(repository: URL, digest: string, body: Readable | Buffer, sizeBytes: number): Promise<void> {
  const begun = await ask("POST", new URL("blobs/uploads/", repository), Buffer.alloc(0), { "content-length": 0 });
  const location = new URL(begun.headers.location ?? "", repository);
  location.searchParams.set("digest", digest);
  await ask("PUT", location, body, { "content-length": sizeBytes, "content-type": "application/octet-stream" });
}

const types: Readonly<Record<Compression, string>> = {
  gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  none: "application/vnd.oci.image.layer.v1.tar",
};

/**
 * Pushes an image of these layers, and deletes their files.
 * @param repository `http://127.0.0.1:5000/v2/bench/name/`
 */
export async function pushImage(repository: URL, layers: readonly MadeLayer[]): Promise<void> {
  for (const { digest, path, sizeBytes } of layers) {
    await pushBlob(repository, digest, createReadStream(path, { highWaterMark: 1 << 20 }), sizeBytes);
    rmSync(path);
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const configDigest = `sha256:${createHash("sha256").update(config).digest("hex")}`;
  await pushBlob(repository, configDigest, config, config.length);
  const isDocker = layers.every(({ compression }) => compression === "gzip");
  const mediaType = isDocker ? "application/vnd.docker.distribution.manifest.v2+json" : "application/vnd.oci.image.manifest.v1+json";
  const configType = isDocker ? "application/vnd.docker.container.image.v1+json" : "application/vnd.oci.image.config.v1+json";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, digest: configDigest, size: config.length },
      layers: layers.map(({ digest, sizeBytes, compression }) => ({ mediaType: types[compression], digest, size: sizeBytes })),
    }),
  );
  await ask("PUT", new URL("manifests/1", repository), manifest, { "content-type": mediaType, "content-length": manifest.length });
}
