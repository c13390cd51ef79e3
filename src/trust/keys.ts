/** Public keys that signatures are held against: ECDSA on P-256, Ed25519, RSA (PKCS #1 v1.5) with SHA-256, as cosign uses them. */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { invalidParameter } from "../base/base.ts";

/** Shorter ones can be broken: NIST SP 800-131A. */
const leastRsaBits = 2048;

export interface TrustedKey {
  readonly fingerprint: string;
  /** Is this the signature that the key's owner gave these bytes? */
  holds(data: Uint8Array, signature: Uint8Array): boolean;
}

/** @param pem `-----BEGIN PUBLIC KEY-----`. @throws InvalidParameter for a private key, and for what is none of the kinds above */
export function readKey(pem: string): TrustedKey {
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem)) throw invalidParameter("not a public key: no PEM block PUBLIC KEY");
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw invalidParameter("not a public key: the PEM block cannot be read", error);
  }
  const algorithm = algorithmOf(key);
  const der = key.export({ type: "spki", format: "der" });
  return {
    fingerprint: `SHA256:${createHash("sha256").update(der).digest("base64").replace(/=+$/, "")}`,
    holds: (data, signature) => {
      try {
        return verify(algorithm, data, key, signature);
      } catch {
        // Bytes that have not even the form of a signature.
        return false;
      }
    },
  };
}

/** @returns the digest that is signed; null: the algorithm has its own */
function algorithmOf(key: KeyObject): "sha256" | null {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return null;
    case "ec":
      if (namedCurve !== "prime256v1") throw invalidParameter(`unsupported curve ${namedCurve}: only P-256 is supported`);
      return "sha256";
    case "rsa":
      if ((modulusLength ?? 0) < leastRsaBits) throw invalidParameter(`RSA keys of less than ${leastRsaBits} bits are not accepted`);
      return "sha256";
    default:
      throw invalidParameter(`unsupported key type ${key.asymmetricKeyType}: ECDSA P-256, Ed25519 and RSA are supported`);
  }
}
