/**
 * Trust: which images of registries may be pulled, and who has signed them.
 *
 * Signatures are in cosign's simple signing format (Red Hat's "container signature format", as sigstore's cosign lays it out): the
 * signatures of the manifest `sha256:<hex>` are the layers of the image that the same repository has under the tag
 * `sha256-<hex>.sig`. Each layer is a payload, a small JSON that says which digest is signed under which name; the signature over its
 * bytes is an annotation. A registry can therefore add, withhold or mix up signatures, but not make one.
 *
 * The policy (`policy.ts`) is the administrator's: what of which registry or repository is taken as it is, only with a signature, or
 * not at all. A pull asks `admit` with the manifest that its name stands for, before anything else is fetched.
 */
import type { Digest } from "../base/base.ts";
import type { Remote } from "../distribution/distribution.ts";

/** What a signature says. */
export interface SignedClaim {
  /** Of the payload, by which the registry has it. */
  readonly payload: Digest;
  /** `docker-reference` as it was signed. */
  readonly identity: string;
  /** What the signer wrote besides. */
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** A signature of a manifest that holds against a key. */
export interface VerifiedSignature extends SignedClaim {
  /** Fingerprint of the key: `SHA256:` and the base64 of its DER form's digest. */
  readonly key: string;
}

export interface Trust {
  /**
   * @param digest of what the registry has under the reference
   * @throws Forbidden when the policy does not let this be pulled
   */
  admit(remote: Remote, digest: Digest, signal?: AbortSignal): Promise<void>;
  /** What the policy says of a repository, in words. */
  ruleFor(remote: Remote): string;
  /** What is there as signatures, nothing of it verified: whoever may push to the repository may have written it. */
  claims(remote: Remote, digest: Digest, signal?: AbortSignal): Promise<SignedClaim[]>;
  /**
   * @param keys PEM of public keys
   * @throws Forbidden when no signature holds; InvalidParameter for what is no key
   */
  verify(remote: Remote, digest: Digest, keys: readonly string[], signal?: AbortSignal): Promise<VerifiedSignature[]>;
  /**
   * Puts a signature beside those that the registry has. It is not verified: the key is its maker's.
   * @param signed the payload's bytes, and the signature over them as base64
   * @throws InvalidParameter when the payload is not about this manifest
   */
  attach(remote: Remote, digest: Digest, signed: { payload: Uint8Array; signature: string }, signal?: AbortSignal): Promise<void>;
}

export { openTrust } from "./open.ts";
export { type ImagePolicy, parsePolicy } from "./policy.ts";
