/** Uploads: POST begins one, is a whole one, or mounts a blob of another repository; PATCH, PUT, GET and DELETE go on with it. */
import type { Exchange } from "./exchange.ts";
import { type BlobDigest, checkedDigest, isBlobDigest, isName } from "./names.ts";
import { RegistryError } from "./registry-error.ts";
import type { Registry } from "./server.ts";
import { type ChunkRange, outOfOrder, rangeOf } from "./uploads.ts";

export async function serveUploads(registry: Registry, exchange: Exchange, repository: string): Promise<void> {
  if (exchange.method !== "POST") throw new RegistryError("UNSUPPORTED", { headers: { Allow: "POST" } });
  registry.refuseCopies(repository);
  const mount = exchange.query.get("mount");
  if (mount !== null && isBlobDigest(mount) && mountFrom(registry, exchange, repository, mount)) {
    await registry.catalogue.stored();
    return created(exchange, repository, mount);
  }
  const digest = exchange.query.get("digest");
  const wanted = digest === null ? undefined : checkedDigest(digest);
  const id = await registry.uploads.start(repository);
  if (wanted === undefined) return accepted(exchange, repository, id, 0);
  try {
    await registry.uploads.append(id, repository, exchange.request);
    await exchange.patiently(registry.uploads.finish(id, repository, wanted));
  } catch (error) {
    // Whoever sends a blob at once does not know of an upload that could go on.
    await registry.uploads.remove(id);
    throw error;
  }
  created(exchange, repository, wanted);
}

/** Without `from`, any repository that the client may read: all of them, unless tokens say which. */
function mountFrom(registry: Registry, exchange: Exchange, repository: string, digest: BlobDigest): boolean {
  const from = exchange.query.get("from");
  if (from !== null) {
    if (!isName(from) || !exchange.mayPull(from) || registry.catalogue.linkedBlob(from, digest) === undefined) return false;
  } else if (!exchange.mayPull(undefined) || !registry.catalogue.isLinked(digest, undefined)) return false;
  return registry.catalogue.link(repository, digest, undefined);
}

export async function serveUpload(registry: Registry, exchange: Exchange, repository: string, id: string): Promise<void> {
  const { uploads } = registry;
  switch (exchange.method) {
    case "GET":
    case "HEAD":
      return status(exchange, repository, id, await uploads.offset(id, repository));
    case "PATCH": {
      const range = chunkRange(exchange);
      await checkStart(registry, repository, id, range);
      return accepted(exchange, repository, id, await uploads.append(id, repository, exchange.request, range));
    }
    case "PUT": {
      const digest = checkedDigest(exchange.query.get("digest"));
      const range = chunkRange(exchange);
      await checkStart(registry, repository, id, range);
      await uploads.append(id, repository, exchange.request, range);
      await exchange.patiently(uploads.finish(id, repository, digest));
      return created(exchange, repository, digest);
    }
    case "DELETE":
      await uploads.cancel(id, repository);
      return exchange.send(204, {});
    default:
      throw new RegistryError("UNSUPPORTED", { headers: { Allow: "GET, HEAD, PATCH, PUT, DELETE" } });
  }
}

/** A chunk that cannot fit must not end the request that is writing now. */
async function checkStart(registry: Registry, repository: string, id: string, range: ChunkRange | undefined): Promise<void> {
  const offset = await registry.uploads.offset(id, repository);
  if (range !== undefined && range.start > offset) throw outOfOrder(id, repository, offset);
}

/** `start-end`, as the specification has it; `bytes start-end/*` is understood too. Of no bytes there is none. */
function chunkRange(exchange: Exchange): ChunkRange | undefined {
  const header = exchange.header("content-range");
  if (header === undefined || exchange.header("content-length") === "0") return undefined;
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim()) ?? [];
  const range = { start: Number(first), end: Number(last) };
  if (first === undefined || range.end < range.start)
    throw new RegistryError("BLOB_UPLOAD_INVALID", { message: `invalid Content-Range ${JSON.stringify(header)}` });
  const length = exchange.header("content-length");
  if (length !== undefined && Number(length) !== range.end - range.start + 1)
    throw new RegistryError("SIZE_INVALID", { message: "Content-Length and Content-Range differ" });
  return range;
}

function uploadHeaders(repository: string, id: string, offset: number): Record<string, string> {
  return { Location: `/v2/${repository}/blobs/uploads/${id}`, Range: rangeOf(offset), "Docker-Upload-UUID": id };
}

function accepted(exchange: Exchange, repository: string, id: string, offset: number): void {
  exchange.send(202, uploadHeaders(repository, id, offset));
}

function status(exchange: Exchange, repository: string, id: string, offset: number): void {
  exchange.send(204, uploadHeaders(repository, id, offset));
}

function created(exchange: Exchange, repository: string, digest: BlobDigest): void {
  exchange.send(201, { Location: `/v2/${repository}/blobs/${digest}`, "Docker-Content-Digest": digest });
}
