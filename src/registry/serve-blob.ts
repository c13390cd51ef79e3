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

/** A blob that is stored; the caller has seen that the repository may show it. */
export async function sendBlob(registry: Pick<Registry, "files">, exchange: Exchange, digest: BlobDigest, size: number): Promise<void> {
  const headers = {
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000",
  };
  if (matches(exchange.header("if-none-match"), digest)) return exchange.send(304, headers);
  const range = rangeOf(exchange, digest, size);
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const length = end - start + 1;
  const file = exchange.method === "HEAD" || length === 0 ? undefined : await registry.files.open(digest);
  if (file === undefined && exchange.method !== "HEAD" && length > 0) {
    log.error("a blob's file is missing", { digest });
    throw new RegistryError("UNKNOWN");
  }
  exchange.response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    "Content-Length": length,
    ...(range === undefined ? {} : { "Content-Range": `bytes ${start}-${end}/${size}` }),
  });
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
