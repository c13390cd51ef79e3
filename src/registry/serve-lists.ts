/** Content discovery: tags, referrers and the catalog, a page at a time. */
import { type Exchange, limitOf, nextLink, onlyRead } from "./exchange.ts";
import { mediaTypes } from "./manifest.ts";
import type { BlobDigest } from "./names.ts";
import { RegistryError } from "./registry-error.ts";
import type { Registry } from "./server.ts";

const mostTags = 10_000;
const mostRepositories = 1000;
const mostReferrers = 1000;

/** One more than asked for is looked for: it tells whether there is a next page. */
function page<T>(limit: number, find: (limit: number) => T[]): { readonly shown: T[]; readonly hasMore: boolean } {
  const found = limit === 0 ? [] : find(limit + 1);
  return { shown: found.slice(0, limit), hasMore: found.length > limit };
}

export async function serveTags(registry: Registry, exchange: Exchange, repository: string): Promise<void> {
  onlyRead(exchange);
  const limit = limitOf(exchange.query, mostTags);
  const last = exchange.query.get("last") ?? "";
  const upstream = registry.mirror && (await exchange.patiently(registry.mirror.tags(repository, exchange.query)));
  const known = registry.catalogue.repository(repository) !== undefined;
  if (upstream === undefined && !known) throw new RegistryError("NAME_UNKNOWN", { detail: { name: repository } });
  const { shown, hasMore } = upstream ?? page(limit, (count) => registry.catalogue.tags(repository, count, last));
  const link = hasMore ? { Link: nextLink(`/v2/${repository}/tags/list`, { n: String(shown.length), last: shown.at(-1) ?? "" }) } : {};
  exchange.json(200, { name: repository, tags: shown }, link);
}

export async function serveReferrers(registry: Registry, exchange: Exchange, repository: string, digest: BlobDigest): Promise<void> {
  onlyRead(exchange);
  const artifactType = exchange.query.get("artifactType") ?? undefined;
  const last = exchange.query.get("last") ?? "";
  const limit = Math.max(1, limitOf(exchange.query, mostReferrers));
  const find = (count: number) => registry.catalogue.referrers(repository, digest, count, last, artifactType);
  const upstream = registry.mirror && (await exchange.patiently(registry.mirror.referrers(repository, digest, artifactType)));
  const { shown, hasMore } = upstream === undefined ? page(limit, find) : { shown: upstream, hasMore: false };
  const next = { n: String(limit), last: String((shown.at(-1) as { digest?: string } | undefined)?.digest ?? "") };
  const filter = artifactType === undefined ? {} : { artifactType };
  exchange.json(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: shown },
    {
      "Content-Type": mediaTypes.ociIndex,
      ...(artifactType === undefined ? {} : { "OCI-Filters-Applied": "artifactType" }),
      ...(hasMore ? { Link: nextLink(`/v2/${repository}/referrers/${digest}`, { ...filter, ...next }) } : {}),
    },
  );
}

export function serveCatalog(registry: Registry, exchange: Exchange): void {
  onlyRead(exchange);
  const limit = limitOf(exchange.query, mostRepositories);
  const last = exchange.query.get("last") ?? "";
  const { shown, hasMore } = page(limit, (count) => registry.catalogue.repositories(count, last));
  const link = hasMore ? { Link: nextLink("/v2/_catalog", { n: String(limit), last: shown.at(-1) ?? "" }) } : {};
  exchange.json(200, { repositories: shown }, link);
}
