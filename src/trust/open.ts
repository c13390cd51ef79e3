import { type Digest, type EngineError, familiarString, forbidden } from "../base/base.ts";
import type { Remote } from "../distribution/distribution.ts";
import { attachSignature } from "./attach.ts";
import { readKey, type TrustedKey } from "./keys.ts";
import { type ImagePolicy, ruleOf, ruleWords } from "./policy.ts";
import { listClaims, verifySignatures } from "./signatures.ts";
import type { SignedClaim, Trust, VerifiedSignature } from "./trust.ts";

/** @param policy the present one: a reload of the configuration may change it */
export function openTrust(policy: () => ImagePolicy): Trust {
  return new PolicyTrust(policy);
}

class PolicyTrust implements Trust {
  readonly #policy: () => ImagePolicy;

  constructor(policy: () => ImagePolicy) {
    this.#policy = policy;
  }

  async admit(remote: Remote, digest: Digest, signal?: AbortSignal): Promise<void> {
    const { name, rule } = ruleOf(this.#policy(), remote.reference);
    const refused = (why: string): EngineError =>
      forbidden(`image policy ${JSON.stringify(name)} refuses ${familiarString({ ...remote.reference, digest })}: ${why}`);
    switch (rule.kind) {
      case "accept":
        return;
      case "reject":
        throw refused("nothing may be pulled from there");
      case "signedBy":
        await this.#require(remote, digest, rule.keys, refused, signal);
        return;
      default:
        return rule satisfies never;
    }
  }

  ruleFor(remote: Remote): string {
    const { name, rule } = ruleOf(this.#policy(), remote.reference);
    return `${name}: ${ruleWords(rule)}`;
  }

  claims(remote: Remote, digest: Digest, signal?: AbortSignal): Promise<SignedClaim[]> {
    return listClaims(remote, digest, signal);
  }

  async verify(remote: Remote, digest: Digest, keys: readonly string[], signal?: AbortSignal): Promise<VerifiedSignature[]> {
    const refused = (why: string): EngineError => forbidden(`cannot verify ${familiarString({ ...remote.reference, digest })}: ${why}`);
    return await this.#require(remote, digest, keys.map(readKey), refused, signal);
  }

  attach(remote: Remote, digest: Digest, signed: { payload: Uint8Array; signature: string }, signal?: AbortSignal): Promise<void> {
    return attachSignature(remote, digest, signed, signal);
  }

  async #require(
    remote: Remote,
    digest: Digest,
    keys: readonly TrustedKey[],
    refused: (why: string) => EngineError,
    signal?: AbortSignal,
  ): Promise<VerifiedSignature[]> {
    const { verified, reasons } = await verifySignatures(remote, digest, keys, signal);
    if (verified.length > 0) return [...verified];
    throw refused(reasons.length === 0 ? "it has no signatures" : reasons.join("; "));
  }
}
