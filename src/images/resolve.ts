/** From what a user calls an image to its id, or the ids of its platforms. */
import {
  type Digest,
  familiarString,
  invalidParameter,
  isDigest,
  notFound,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from "../base/base.ts";
import type { ImageRows, ReferenceTarget } from "../state/state.ts";

/** A reference as its row has it: `domain/path:tag`, or `domain/path@digest` where a digest is given. */
export function rowName(reference: Reference): string {
  const full = withDefaultTag(reference);
  return repositoryOf(full) + (full.digest === undefined ? `:${full.tag}` : `@${full.digest}`);
}

/** A row's name as people write it. */
export function familiarOf(name: string): string {
  return familiarString(parseReference(name));
}

/**
 * Finds by name first, then by id, as Docker does: an image called `abc` is found before one whose id begins so. An id stands for
 * that image alone, a name for all that are under it.
 * @throws NotFound, InvalidParameter
 */
export function resolveTarget(rows: ImageRows, text: string): ReferenceTarget {
  const id = /^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text;
  if (isDigest(id)) {
    const row = rows.get(id);
    if (row === undefined || row.removed) throw notFound(`No such image: ${id}`);
    return { ids: [id] };
  }
  const reference = parseReference(text);
  const named = rows.targetOf(rowName(reference));
  if (named !== undefined) return named;
  const prefix = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(text)?.[1];
  const found = prefix === undefined ? [] : rows.byPrefix(prefix);
  if (found.length === 1) return { ids: found };
  // A name of up to three letters that begins two ids is far more likely a name that is not there yet.
  if (found.length > 1 && (prefix?.length ?? 0) >= 4) throw invalidParameter(`ambiguous image id prefix: ${text}`);
  throw notFound(`No such image: ${familiarString(withDefaultTag(reference))}`);
}

/** True when the text names this image by id or id prefix rather than by name. */
export function isIdPrefix(id: Digest, text: string): boolean {
  return id.startsWith(text) || id.slice("sha256:".length).startsWith(text);
}
