/** A list of referrers for registries that do not keep one: OCI distribution-spec, "Pushing Manifests with Subject". */
import { type Digest, hexOf, invalidParameter, isDigest } from "../base/base.ts";
import { type Descriptor, mediaTypes } from "../spec/spec.ts";
import { acceptedTypes, longestManifest, readManifest } from "./manifest.ts";
import type { Repository } from "./repository.ts";

/** A manifest as the list of what refers to `subject` has it. */
export interface Referrer {
  readonly subject: Digest;
  readonly descriptor: Descriptor & { readonly artifactType?: string };
}

/** @returns undefined for a manifest that refers to nothing */
export function referrerOf(bytes: Uint8Array, digest: Digest, mediaType: string): Referrer | undefined {
  let value: Record<string, unknown>;
  try {
    value = Object(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return undefined;
  }
  const subject = Object(value["subject"]).digest;
  if (typeof subject !== "string" || !isDigest(subject)) return undefined;
  const artifactType = value["artifactType"] || Object(value["config"]).mediaType;
  const annotations = value["annotations"] as Record<string, string> | undefined;
  const more = { ...(artifactType ? { artifactType: String(artifactType) } : {}), ...(annotations ? { annotations } : {}) };
  return { subject, descriptor: { mediaType, digest, size: bytes.byteLength, ...more } };
}

/** @returns the index to be pushed under the tag, or undefined where the referrer is in it. @throws InvalidParameter for a tag that is no index */
export async function listWith(
  repository: Repository,
  { subject, descriptor }: Referrer,
  signal?: AbortSignal,
): Promise<{ tag: string; bytes: Uint8Array } | undefined> {
  const tag = `sha256-${hexOf(subject)}`;
  const wanted = { at: repository.path(`manifests/${tag}`), scopes: repository.scopes("pull"), headers: { accept: acceptedTypes } };
  const content = await repository.writing(async (session) => {
    const { answer, bytes } = await session.read({ ...wanted, expect: [200, 404], signal }, longestManifest);
    return answer.status === 404 ? undefined : readManifest(bytes, answer.headers["content-type"], repository.reference).content;
  }, signal);
  if (content?.kind === "image") throw invalidParameter(`cannot list what refers to ${subject}: ${tag} is an image`);
  const index = content?.index ?? { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
  if (index.manifests.some(({ digest }) => digest === descriptor.digest)) return undefined;
  return { tag, bytes: Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, descriptor] })) };
}
