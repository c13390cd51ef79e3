/**
 * Bearer tokens of an authorisation service (distribution's "Token Authentication Specification"): JSON Web Tokens that
 * name what may be done. We only verify them.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Access, detailOf, type Grant, type Need } from "./access.ts";
import { RegistryError } from "./registry-error.ts";

export interface TokenOptions {
  /** Where clients get tokens: a URL. */
  readonly realm: string;
  /** Whom tokens are for (`aud`). */
  readonly service: string;
  /** Who makes them (`iss`). */
  readonly issuer: string;
  /** PEM: public keys or certificates, any of which may have signed. */
  readonly keyFile: string;
}

interface Claims {
  readonly subject: string | undefined;
  /** `type:name` → actions. */
  readonly access: ReadonlyMap<string, ReadonlySet<string>>;
}

const clockSkewSeconds = 60;
type Json = Readonly<Record<string, unknown>>;

/** @throws Error when there is no key, or one of a kind that tokens are not signed with */
function readKeys(path: string): readonly KeyObject[] {
  const blocks = readFileSync(path, "utf8").match(/-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g) ?? [];
  const keys = blocks.map((pem) => {
    if (pem.includes("PRIVATE KEY")) throw new Error(`${path}: a private key; the registry needs the public one alone`);
    return createPublicKey(pem);
  });
  if (keys.length === 0) throw new Error(`${path}: no public key or certificate`);
  for (const key of keys) if (algorithmsOf(key).length === 0) throw new Error(`${path}: keys of ${key.asymmetricKeyType} sign no tokens`);
  return keys;
}

/** What a key signs is the key's to say: a token that claims another algorithm is not looked at (RFC 8725, 3.1). */
function algorithmsOf(key: KeyObject): readonly string[] {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return ["RS256", "RS384", "RS512"];
    case "ec":
      return { prime256v1: ["ES256"], secp384r1: ["ES384"], secp521r1: ["ES512"] }[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? [];
    case "ed25519":
      return ["EdDSA", "Ed25519"];
    default:
      return [];
  }
}

function isSigned(key: KeyObject, algorithm: string, data: Buffer, signature: Buffer): boolean {
  if (!algorithmsOf(key).includes(algorithm)) return false;
  const hash = algorithm.startsWith("Ed") ? null : `sha${algorithm.slice(2)}`;
  return verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function parsePart(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function accessOf(claim: unknown): ReadonlyMap<string, ReadonlySet<string>> {
  const access = new Map<string, Set<string>>();
  for (const entry of Array.isArray(claim) ? (claim as unknown[]) : []) {
    const { type, name, actions } = (entry ?? {}) as Json;
    if (typeof type !== "string" || typeof name !== "string" || !Array.isArray(actions)) continue;
    const key = `${type}:${name}`;
    const known = access.get(key) ?? new Set();
    for (const action of actions) if (typeof action === "string") known.add(action);
    access.set(key, known);
  }
  return access;
}

export class TokenAccess implements Access {
  readonly #options: TokenOptions;
  #keys: readonly KeyObject[];

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#keys = readKeys(options.keyFile);
  }

  reload(): void {
    this.#keys = readKeys(this.#options.keyFile);
  }

  async authorize(authorization: string | undefined, _remote: string, need: Need): Promise<Grant> {
    const token = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) throw this.#challenge(need, undefined);
    const claims = this.#claims(token);
    if (claims === undefined) throw this.#challenge(need, "invalid_token");
    const may = (key: string, action: string): boolean => {
      const actions = claims.access.get(key);
      return actions !== undefined && (actions.has(action) || actions.has("*"));
    };
    const isGranted =
      need.kind === "base" ||
      (need.kind === "catalog" && may("registry:catalog", "*")) ||
      (need.kind === "repository" && need.actions.every((action) => may(`repository:${need.name}`, action)));
    if (!isGranted) throw this.#challenge(need, "insufficient_scope");
    return {
      ...(claims.subject === undefined ? {} : { user: claims.subject }),
      // Nobody may read every repository: names come and go.
      mayPull: (repository) => repository !== undefined && may(`repository:${repository}`, "pull"),
    };
  }

  /** @returns undefined for a token that is not valid here and now */
  #claims(token: string): Claims | undefined {
    const [head = "", body = "", signature = ""] = token.split(".");
    const [header, claims] = [parsePart(head), parsePart(body)];
    const algorithm = header?.["alg"];
    if (claims === undefined || typeof algorithm !== "string" || header?.["crit"] !== undefined) return undefined;
    const [data, bytes] = [Buffer.from(`${head}.${body}`), Buffer.from(signature, "base64url")];
    if (!this.#keys.some((key) => isSigned(key, algorithm, data, bytes))) return undefined;
    const { iss, aud, exp, nbf, sub } = claims;
    const now = Date.now() / 1000;
    if (iss !== this.#options.issuer) return undefined;
    if (!(Array.isArray(aud) ? aud : [aud]).includes(this.#options.service)) return undefined;
    if (typeof exp !== "number" || exp < now - clockSkewSeconds) return undefined;
    if (nbf !== undefined && (typeof nbf !== "number" || nbf > now + clockSkewSeconds)) return undefined;
    return { subject: typeof sub === "string" && sub !== "" ? sub : undefined, access: accessOf(claims["access"]) };
  }

  #challenge(need: Need, error: string | undefined): RegistryError {
    const scopes =
      need.kind === "base"
        ? []
        : need.kind === "catalog"
          ? ["registry:catalog:*"]
          : [
              `repository:${need.name}:${need.actions.join(",")}`,
              ...(need.alsoPull === undefined ? [] : [`repository:${need.alsoPull}:pull`]),
            ];
    const { realm, service } = this.#options;
    const fields = [`realm="${realm}"`, `service="${service}"`];
    if (scopes.length > 0) fields.push(`scope="${scopes.join(" ")}"`);
    if (error !== undefined) fields.push(`error="${error}"`);
    // A token that was good for less is answered as one that is missing: clients then ask for a better one.
    return new RegistryError("UNAUTHORIZED", { detail: detailOf(need), headers: { "WWW-Authenticate": `Bearer ${fields.join(",")}` } });
  }
}
