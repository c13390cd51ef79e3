/** GET, HEAD, PUT and DELETE of a manifest, by tag or digest. */
import { createHash } from "node:crypto";
import type { StoredManifest } from "./catalogue.ts";
import type { Exchange } from "./exchange.ts";
import { childrenOf, maxManifestBytes, mediaTypes, readManifest } from "./manifest.ts";
import { algorithmOf, type BlobDigest } from "./names.ts";
import { RegistryError } from "./registry-error.ts";
import type { Reference } from "./route.ts";
import { matches } from "./serve-blob.ts";
import type { Registry } from "./server.ts";

export async function serveManifest(registry: Registry, exchange: Exchange, repository: string, reference: Reference): Promise<void> {
  switch (exchange.method) {
    case "GET":
    case "HEAD":
      return readFor(registry, exchange, repository, reference);
    case "PUT":
      return write(registry, exchange, repository, reference);
    case "DELETE":
      return remove(registry, exchange, repository, reference);
    default:
      throw new RegistryError("UNSUPPORTED", { headers: { Allow: "GET, HEAD, PUT, DELETE" } });
  }
}

function unknown(repository: string, reference: Reference): RegistryError {
  return new RegistryError("MANIFEST_UNKNOWN", { detail: { name: repository, ...reference } });
}

async function readFor(registry: Registry, exchange: Exchange, repository: string, reference: Reference): Promise<void> {
  const { catalogue, mirror } = registry;
  const isHead = exchange.method === "HEAD";
  const stored = mirror?.owns(repository)
    ? await exchange.patiently(mirror.manifest(repository, reference))
    : catalogue.manifest(repository, reference, isHead);
  if (stored === undefined) {
    if (catalogue.repository(repository) === undefined && mirror?.owns(repository) !== true)
      throw new RegistryError("NAME_UNKNOWN", { detail: { name: repository } });
    throw unknown(repository, reference);
  }
  const accept = exchange.header("accept");
  const shown = "tag" in reference ? (chosen(registry, repository, stored, accept) ?? stored) : stored;
  if (!accepts(accept, shown.mediaType) && shown.mediaType.startsWith("application/vnd.oci."))
    throw new RegistryError("MANIFEST_UNKNOWN", { message: `${shown.mediaType} found, but accept header does not support it` });
  const headers = {
    "Content-Type": shown.mediaType,
    "Docker-Content-Digest": shown.digest,
    ETag: `"${shown.digest}"`,
    // A cache between us and the client must not give one client what another could read.
    Vary: "Accept",
  };
  if (matches(exchange.header("if-none-match"), shown.digest)) return exchange.send(304, headers);
  exchange.send(200, headers, shown.body);
}

/** Who says nothing takes everything. */
function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === "") return true;
  const ranges = header.split(",").map((range) => range.split(";", 1)[0]?.trim());
  return ranges.some((range) => range === mediaType || range === "*/*" || range === "application/*");
}

/** As docker-registry does for old clients: of a list that they do not know, linux on amd64. */
function chosen(registry: Registry, repository: string, stored: StoredManifest, accept: string | undefined): StoredManifest | undefined {
  if (stored.mediaType !== mediaTypes.dockerList || accepts(accept, stored.mediaType)) return undefined;
  if (!accepts(accept, mediaTypes.dockerManifest)) return undefined;
  const child = childrenOf(stored.body).find(({ os, architecture }) => os === "linux" && architecture === "amd64");
  return child === undefined ? undefined : registry.catalogue.manifest(repository, { digest: child.digest });
}

async function write(registry: Registry, exchange: Exchange, repository: string, reference: Reference): Promise<void> {
  registry.refuseCopies(repository);
  const body = await exchange.body(
    maxManifestBytes,
    () => new RegistryError("MANIFEST_INVALID", { status: 413, message: `a manifest may have ${maxManifestBytes} bytes` }),
  );
  const algorithm = "digest" in reference ? algorithmOf(reference.digest) : "sha256";
  const digest: BlobDigest = `${algorithm}:${createHash(algorithm).update(body).digest("hex")}`;
  if ("digest" in reference && reference.digest !== digest)
    throw new RegistryError("DIGEST_INVALID", { detail: { digest: reference.digest, actual: digest } });
  const facts = readManifest(body, exchange.header("content-type") ?? "");
  registry.catalogue.putManifest(repository, { ...facts, digest, body, tag: "tag" in reference ? reference.tag : undefined });
  await registry.catalogue.stored();
  exchange.send(201, {
    Location: `/v2/${repository}/manifests/${digest}`,
    "Docker-Content-Digest": digest,
    ...(facts.subject === undefined ? {} : { "OCI-Subject": facts.subject }),
  });
}

/** By its tag, the tag alone. */
async function remove(registry: Registry, exchange: Exchange, repository: string, reference: Reference): Promise<void> {
  const removed =
    "tag" in reference
      ? registry.catalogue.removeTag(repository, reference.tag)
      : registry.catalogue.removeManifest(repository, reference.digest);
  if (!removed) throw unknown(repository, reference);
  await registry.catalogue.stored();
  exchange.send(202, {});
}
