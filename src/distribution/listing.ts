/** What a registry has: tags, repositories and referrers, page by page. */
import { type Digest, hexOf, isDigest, systemError } from "../base/base.ts";
import { type Descriptor, mediaTypes } from "../spec/spec.ts";
import { longestManifest } from "./manifest.ts";
import type { Repository } from "./repository.ts";
import type { Session } from "./session.ts";
import type { Answer } from "./transport.ts";

const pageLength = 1000;
/** Of a registry that never comes to an end: what one listing may be. */
const mostPages = 10_000;
const mostNames = 100_000;
const mostEmptyPages = 100;

interface Page {
  readonly value: Record<string, unknown>;
  readonly next: URL | undefined;
  readonly answer: Answer;
}

/** `expectNone`: that the registry knows no such page is an answer too. */
async function* pages(
  repository: Repository,
  path: string,
  scopes: string[],
  signal?: AbortSignal,
  expectNone = false,
): AsyncGenerator<Page> {
  let at: string | URL = path;
  const seen = new Set<string>();
  while (seen.size < mostPages) {
    const wanted: string | URL = at;
    const page: Page | undefined = await repository.writing(
      (session: Session) => readPage(session, wanted, scopes, expectNone, signal),
      signal,
      true,
    );
    if (page === undefined) return;
    yield page;
    if (page.next === undefined || page.next.href === page.answer.url.href) return;
    if (seen.has(page.next.href)) break;
    seen.add(page.next.href);
    at = page.next;
  }
  throw endless(repository);
}

async function readPage(
  session: Session,
  at: string | URL,
  scopes: string[],
  expectNone: boolean,
  signal?: AbortSignal,
): Promise<Page | undefined> {
  // Without it, registries do not show an index under a tag.
  const headers = { accept: `${mediaTypes.ociIndex}, application/json` };
  const { answer, bytes } = await session.read({ at, scopes, headers, expect: expectNone ? [200, 404] : [200], signal }, longestManifest);
  if (answer.status === 404) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    throw systemError(`the registry ${answer.url.host} answers with something that is not JSON`, error);
  }
  return { value: Object(value) as Record<string, unknown>, next: nextOf(answer, session), answer };
}

/** RFC 8288; only of the registry itself. */
function nextOf(answer: Answer, session: Session): URL | undefined {
  const { link } = answer.headers;
  const target = /<([^<>]*)>\s*;\s*rel="?next"?/.exec(Array.isArray(link) ? link.join(", ") : (link ?? ""))?.[1];
  if (target === undefined || !URL.canParse(target, answer.url)) return undefined;
  const url = new URL(target, answer.url);
  return url.origin === session.endpoint.origin ? url : undefined;
}

function endless(repository: Repository): Error {
  return systemError(`the registry ${repository.reference.domain} lists without end`);
}

async function* names(
  repository: Repository,
  path: string,
  member: string,
  scopes: string[],
  signal?: AbortSignal,
): AsyncGenerator<string> {
  let count = 0;
  let empty = 0;
  for await (const { value } of pages(repository, path, scopes, signal)) {
    const listed = value[member];
    const found = Array.isArray(listed) ? listed.filter((entry: unknown) => typeof entry === "string") : [];
    count += found.length;
    empty = found.length === 0 ? empty + 1 : 0;
    if (count > mostNames || empty > mostEmptyPages) throw endless(repository);
    yield* found;
  }
}

export function tagsOf(repository: Repository, signal?: AbortSignal): AsyncGenerator<string> {
  return names(repository, repository.path(`tags/list?n=${pageLength}`), "tags", repository.scopes("pull"), signal);
}

export function repositoriesOf(repository: Repository, signal?: AbortSignal): AsyncGenerator<string> {
  return names(repository, `/v2/_catalog?n=${pageLength}`, "repositories", ["registry:catalog:*"], signal);
}

/** OCI distribution-spec, "Listing Referrers" and "Unavailable Referrers API". */
export async function referrersOf(
  repository: Repository,
  digest: Digest,
  artifactType?: string,
  signal?: AbortSignal,
): Promise<Descriptor[]> {
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const found: Descriptor[] = [];
  let isKnown = false;
  for await (const { value, answer } of pages(
    repository,
    repository.path(`referrers/${digest}${query}`),
    repository.scopes("pull"),
    signal,
    true,
  )) {
    isKnown ||= answer.headers["content-type"]?.startsWith(mediaTypes.ociIndex) === true;
    if (isKnown) found.push(...descriptorsOf(value));
  }
  if (!isKnown) {
    const path = repository.path(`manifests/sha256-${hexOf(digest)}`);
    for await (const { value } of pages(repository, path, repository.scopes("pull"), signal, true)) found.push(...descriptorsOf(value));
  }
  // A registry need not have filtered.
  return found.filter((entry) => artifactType === undefined || (entry as { artifactType?: unknown }).artifactType === artifactType);
}

function descriptorsOf(value: Record<string, unknown>): Descriptor[] {
  const { manifests } = value;
  if (!Array.isArray(manifests)) return [];
  return manifests.filter((entry: unknown): entry is Descriptor => {
    const { digest, size, mediaType } = Object(entry) as Partial<Descriptor>;
    return typeof digest === "string" && isDigest(digest) && typeof mediaType === "string" && Number.isSafeInteger(size);
  });
}
