/** GET, HEAD and DELETE of a blob. */
import { log } from "../base/base.ts";
import type { Exchange } from "./exchange.ts";
import type { BlobDigest } from "./names.ts";
import { RegistryError } from "./registry-error.ts";
import { sendFile } from "./send-file.ts";
import type { Registry } from "./server.ts";

interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

export async function serveBlob(registry: Registry, exchange: Exchange, repository: string, digest: BlobDigest): Promise<void> {
  switch (exchange.method) {
    case "GET":
    case "HEAD":
      return readBlob(registry, exchange, repository, digest);
    case "DELETE":
      if (!registry.catalogue.unlink(repository, digest)) throw new RegistryError("BLOB_UNKNOWN", { detail: { digest } });
      await registry.catalogue.stored();
      return exchange.send(202, {});
    default:
      throw new RegistryError("UNSUPPORTED", { headers: { Allow: "GET, HEAD, DELETE" } });
  }
}

async function readBlob(registry: Registry, exchange: Exchange, repository: string, digest: BlobDigest): Promise<void> {
  const isHead = exchange.method === "HEAD";
  const size = registry.catalogue.linkedBlob(repository, digest, isHead);
  if (size === undefined) {
    if ((await registry.mirror?.serveBlob(exchange, repository, digest)) === true) return;
    throw new RegistryError("BLOB_UNKNOWN", { detail: { digest } });
  }
  await sendBlob(registry, exchange, digest, size);
}

interface BlobAnswer {
  readonly status: 200 | 206 | 304;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Which part; both inclusive. */
  readonly start: number;
  readonly end: number;
}

/** How a blob is answered, by the request's conditions and range. @throws 416 */
export function blobAnswer(exchange: Exchange, digest: BlobDigest, size: number): BlobAnswer {
  const headers = {
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000",
  };
  const whole = { start: 0, end: size - 1 };
  if (matches(exchange.header("if-none-match"), digest)) return { status: 304, headers, ...whole };
  const range = rangeOf(exchange, digest, size);
  if (range === undefined) return { status: 200, headers: { ...headers, "Content-Length": size }, ...whole };
  const { start, end } = range;
  const part = { "Content-Length": end - start + 1, "Content-Range": `bytes ${start}-${end}/${size}` };
  return { status: 206, headers: { ...headers, ...part }, start, end };
}

/** A blob that is stored; the caller has seen that the repository may show it. */
export async function sendBlob(registry: Pick<Registry, "files">, exchange: Exchange, digest: BlobDigest, size: number): Promise<void> {
  const { status, headers, start, end } = blobAnswer(exchange, digest, size);
  if (status === 304) return exchange.send(304, headers);
  const isEmpty = exchange.method === "HEAD" || end < start;
  const file = isEmpty ? undefined : await registry.files.open(digest);
  if (file === undefined && !isEmpty) {
    log.error("a blob's file is missing", { digest });
    throw new RegistryError("UNKNOWN");
  }
  exchange.response.writeHead(status, headers);
  if (file === undefined) exchange.response.end();
  else await sendFile(file, exchange.response, start, end);
}

export function matches(header: string | undefined, digest: string): boolean {
  return header?.split(",").some((tag) => ["*", `"${digest}"`, digest].includes(tag.trim().replace(/^W\//, ""))) ?? false;
}

/**
 * A single range (RFC 9110, 14.2); several at once get the whole.
 * @throws 416
 */
function rangeOf(exchange: Exchange, digest: string, size: number): ByteRange | undefined {
  const header = exchange.header("range");
  const onlyIf = exchange.header("if-range");
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header?.replaceAll(" ", "") ?? "") ?? [];
  if ((first === "" && last === "") || (onlyIf !== undefined && !matches(onlyIf, digest))) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== "" && last !== "" && Number(last) < start) return undefined;
  if (start >= size || (first === "" && Number(last) === 0)) {
    throw new RegistryError("SIZE_INVALID", {
      status: 416,
      message: "range not satisfiable",
      headers: { "Content-Range": `bytes */${size}` },
    });
  }
  return { start, end };
}
