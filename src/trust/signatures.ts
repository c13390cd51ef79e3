/** Finds a manifest's signatures in its repository, and reads what they say. */
import { type Digest, hexOf, isDigest, isEngineError, parseReference, type Reference, repositoryOf } from "../base/base.ts";
import type { Remote } from "../distribution/distribution.ts";
import type { Descriptor } from "../spec/spec.ts";
import type { TrustedKey } from "./keys.ts";
import type { SignedClaim, VerifiedSignature } from "./trust.ts";

export const payloadType = "application/vnd.dev.cosign.simplesigning.v1+json";
export const signatureAnnotation = "dev.cosignproject.cosign/signature";

/** Payloads are some hundred bytes; whoever may push can put anything there. */
const maxPayloadBytes = 64 * 1024;
const maxSignatures = 100;

interface FoundSignature {
  readonly payload: Uint8Array;
  readonly digest: Digest;
  readonly signature: Buffer;
}

export interface Claim {
  readonly digest: Digest;
  readonly identity: string;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** The tag of a manifest's signatures. */
export function signatureTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}.sig`;
}

/** One after the other, as the registry has them; none where there are none. What has not the form of a signature is left out. */
async function* findSignatures(remote: Remote, digest: Digest, signal?: AbortSignal): AsyncGenerator<FoundSignature> {
  for (const layer of await signatureLayers(remote, digest, signal)) {
    const text = layer.annotations?.[signatureAnnotation];
    if (layer.mediaType !== payloadType || typeof text !== "string" || layer.size > maxPayloadBytes) continue;
    yield { payload: await remote.readBlob(layer, signal), digest: layer.digest, signature: Buffer.from(text, "base64") };
  }
}

async function signatureLayers(remote: Remote, digest: Digest, signal?: AbortSignal): Promise<readonly Descriptor[]> {
  try {
    const { content } = await remote.manifest(signatureTag(digest), signal);
    return content.kind === "image" ? content.manifest.layers.slice(0, maxSignatures) : [];
  } catch (error) {
    if (isEngineError(error, "NotFound")) return [];
    throw error;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a payload says is signed; undefined for what is no payload. */
export function readPayload(payload: Uint8Array): Claim | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
  const critical = isObject(value) ? value["critical"] : undefined;
  if (!isObject(value) || !isObject(critical) || critical["type"] !== "cosign container image signature") return undefined;
  const { image, identity } = critical;
  const digest = isObject(image) ? image["docker-manifest-digest"] : undefined;
  const name = isObject(identity) ? identity["docker-reference"] : undefined;
  if (typeof digest !== "string" || !isDigest(digest) || typeof name !== "string") return undefined;
  return { digest, identity: name, annotations: isObject(value["optional"]) ? value["optional"] : {} };
}

/** Is the name that was signed the repository that is asked? Tags are not looked at: cosign signs the repository. */
function isRepository(identity: string, reference: Reference): boolean {
  try {
    return repositoryOf(parseReference(identity)) === repositoryOf(reference);
  } catch {
    return false;
  }
}

export interface Verification {
  readonly verified: readonly VerifiedSignature[];
  /** Why the others do not count, in words. */
  readonly reasons: readonly string[];
}

/** Holds a manifest's signatures against the keys: the bytes must be signed, and must speak of this digest in this repository. */
export async function verifySignatures(
  remote: Remote,
  digest: Digest,
  keys: readonly TrustedKey[],
  signal?: AbortSignal,
): Promise<Verification> {
  const verified: VerifiedSignature[] = [];
  const reasons = new Set<string>();
  for await (const { payload, digest: payloadDigest, signature } of findSignatures(remote, digest, signal)) {
    // What is not signed is not even read.
    const key = keys.find((known) => known.holds(payload, signature));
    const claim = key === undefined ? undefined : readPayload(payload);
    if (key === undefined) reasons.add("a signature is not by any of the keys");
    else if (claim === undefined) reasons.add("a signed payload is not cosign's");
    else if (claim.digest !== digest) reasons.add(`a signature is for ${claim.digest}`);
    else if (!isRepository(claim.identity, remote.reference)) reasons.add(`a signature is for ${JSON.stringify(claim.identity)}`);
    else verified.push({ payload: payloadDigest, identity: claim.identity, annotations: claim.annotations, key: key.fingerprint });
  }
  return { verified, reasons: [...reasons] };
}

/** What signatures say, whoever made them. */
export async function listClaims(remote: Remote, digest: Digest, signal?: AbortSignal): Promise<SignedClaim[]> {
  const claims: SignedClaim[] = [];
  for await (const { payload, digest: payloadDigest } of findSignatures(remote, digest, signal)) {
    const claim = readPayload(payload);
    if (claim !== undefined) claims.push({ payload: payloadDigest, identity: claim.identity, annotations: claim.annotations });
  }
  return claims;
}
