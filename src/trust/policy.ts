/**
 * daemon.json's `image-policy`: by registry, or registry and the beginning of a path, what may be pulled. The longest that fits
 * decides; `default` decides about the rest, and is `accept` unless given.
 *
 *     "image-policy": {
 *       "default": "reject",
 *       "docker.io/library": "accept",
 *       "registry.example.com/production": { "signedBy": ["/etc/berth/keys/release.pub"] }
 *     }
 */
import { type Reference, repositoryOf } from "../base/base.ts";
import { readKey, type TrustedKey } from "./keys.ts";

export type Rule =
  | { readonly kind: "accept" | "reject" }
  /** A signature by one of the keys is enough. */
  | { readonly kind: "signedBy"; readonly keys: readonly TrustedKey[] };

export interface ImagePolicy {
  readonly fallback: Rule;
  /** By `domain` or `domain/path`, without a slash at the end. */
  readonly rules: ReadonlyMap<string, Rule>;
}

const prefixShape = /^[a-zA-Z0-9.[\]:-]+(?:\/[a-z0-9._-]+)*$/;

/**
 * @param readFile gives the text of a key's file
 * @throws Error that names what is wrong: a policy that is misread is worse than a daemon that does not start
 */
export function parsePolicy(value: unknown, readFile: (path: string) => string): ImagePolicy {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("image-policy: not an object");
  const rules = new Map<string, Rule>();
  let fallback: Rule = { kind: "accept" };
  for (const [name, entry] of Object.entries(value)) {
    const rule = parseRule(name, entry, readFile);
    if (name === "default") {
      fallback = rule;
      continue;
    }
    const prefix = name.replace(/\/$/, "");
    if (!prefixShape.test(prefix)) throw new Error(`image-policy: ${JSON.stringify(name)} is no registry or repository`);
    if (rules.has(prefix)) throw new Error(`image-policy: ${JSON.stringify(name)} is there twice`);
    rules.set(prefix, rule);
  }
  return { fallback, rules };
}

function parseRule(name: string, entry: unknown, readFile: (path: string) => string): Rule {
  const wrong = (why: string): Error => new Error(`image-policy: ${name}: ${why}`);
  if (entry === "accept" || entry === "reject") return { kind: entry };
  if (typeof entry !== "object" || entry === null || Object.keys(entry).join() !== "signedBy")
    throw wrong('a rule is "accept", "reject" or {"signedBy": KEYS}');
  const given = (entry as { signedBy: unknown }).signedBy;
  const paths: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (paths.length === 0) throw wrong("signedBy names no key");
  const keys = paths.map((path) => {
    if (typeof path !== "string" || !path.startsWith("/"))
      throw wrong(`signedBy takes absolute paths of public keys, not ${JSON.stringify(path)}`);
    try {
      return readKey(readFile(path));
    } catch (error) {
      throw new Error(`image-policy: ${name}: ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  });
  return { kind: "signedBy", keys };
}

/** The rule for a repository, and the name that it is under. */
export function ruleOf({ rules, fallback }: ImagePolicy, reference: Reference): { readonly name: string; readonly rule: Rule } {
  const parts = repositoryOf(reference).split("/");
  for (let count = parts.length; count > 0; count--) {
    const name = parts.slice(0, count).join("/");
    const rule = rules.get(name);
    if (rule !== undefined) return { name, rule };
  }
  return { name: "default", rule: fallback };
}

export function ruleWords(rule: Rule): string {
  return rule.kind === "signedBy" ? `signed by ${rule.keys.map(({ fingerprint }) => fingerprint).join(" or ")}` : rule.kind;
}
