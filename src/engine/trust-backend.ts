/** Signatures for the API: names to what the registry has under them. */
import { type Digest, familiarString, parseReference, withDefaultTag } from "../base/base.ts";
import { credentialsOfHeader } from "../distribution/credentials.ts";
import type { Distribution, Remote } from "../distribution/distribution.ts";
import type { TrustClaim, TrustInspect, TrustVerified } from "../spec/spec.ts";
import type { SignedClaim, Trust } from "../trust/trust.ts";

interface Found {
  readonly remote: Remote;
  readonly name: string;
  readonly digest: Digest;
}

export class TrustBackend {
  readonly #distribution: Distribution;
  readonly #trust: Trust;

  constructor(distribution: Distribution, trust: Trust) {
    this.#distribution = distribution;
    this.#trust = trust;
  }

  async #find(name: string, { auth, signal }: { auth?: string; signal: AbortSignal }): Promise<Found> {
    const reference = withDefaultTag(parseReference(name));
    const remote = this.#distribution.remote(reference, credentialsOfHeader(auth));
    const { digest } = reference.digest === undefined ? await remote.manifest(undefined, signal) : { digest: reference.digest };
    return { remote, name: familiarString(reference), digest };
  }

  async inspect(name: string, options: { auth?: string; signal: AbortSignal }): Promise<TrustInspect> {
    const found = await this.#find(name, options);
    const claims = await this.#trust.claims(found.remote, found.digest, options.signal);
    return { Name: found.name, Digest: found.digest, Policy: this.#trust.ruleFor(found.remote), Signatures: claims.map(shown) };
  }

  async verify(name: string, keys: readonly string[], options: { auth?: string; signal: AbortSignal }): Promise<TrustVerified> {
    const found = await this.#find(name, options);
    const verified = await this.#trust.verify(found.remote, found.digest, keys, options.signal);
    const signatures = verified.map((signature) => ({ ...shown(signature), Key: signature.key }));
    return { Name: found.name, Digest: found.digest, Signatures: signatures };
  }

  async sign(
    name: string,
    signed: { payload: Uint8Array; signature: string },
    options: { auth?: string; signal: AbortSignal },
  ): Promise<{ Name: string; Digest: Digest }> {
    const found = await this.#find(name, options);
    await this.#trust.attach(found.remote, found.digest, signed, options.signal);
    return { Name: found.name, Digest: found.digest };
  }
}

function shown({ payload, identity, annotations }: SignedClaim): TrustClaim {
  return { Payload: payload, Identity: identity, Annotations: { ...annotations } };
}

export function openTrustBackend(distribution: Distribution, trust: Trust): TrustBackend {
  return new TrustBackend(distribution, trust);
}
