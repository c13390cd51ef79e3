import { type Digest, isDigest } from "./digest.ts";
import { invalidParameter } from "./errors.ts";

/**
 * A parsed image reference. `domain` and `path` are normalised: `busybox` is `docker.io` and
 * `library/busybox`. Grammar: the distribution project's reference grammar, as Docker applies it.
 */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const pathShape = new RegExp(`^${component}(?:/${component})*$`);
const domainShape =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const tagShape = /^\w[\w.-]{0,127}$/;

const defaultDomain = "docker.io";

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const named = slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
  let domain = named ? first : defaultDomain;
  let path = named ? name.slice(slash + 1) : name;
  if (domain === "index.docker.io") domain = defaultDomain;
  if (domain === defaultDomain && !path.includes("/")) path = `library/${path}`;
  return { domain, path };
}

/**
 * Parses `[domain/]path[:tag][@digest]`.
 * @throws InvalidParameter with Docker's wording
 */
export function parseReference(text: string): Reference {
  const invalid = (why = "invalid reference format"): Error => invalidParameter(why);
  if (/^[a-f0-9]{64}$/.test(text)) throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf("@");
  if (at >= 0) {
    const tail = rest.slice(at + 1);
    if (!isDigest(tail)) throw invalid();
    digest = tail;
    rest = rest.slice(0, at);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(":");
  if (colon > rest.lastIndexOf("/")) {
    tag = rest.slice(colon + 1);
    if (!tagShape.test(tag)) throw invalid();
    rest = rest.slice(0, colon);
  }
  const { domain, path } = splitDomain(rest);
  if (path !== path.toLowerCase() && domainShape.test(domain))
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  if (!domainShape.test(domain) || !pathShape.test(path)) throw invalid();
  if (path.length + domain.length + 1 > 255) throw invalid("repository name must not be more than 255 characters");
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** The full name without tag and digest: `docker.io/library/busybox`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The name as people write it: without `docker.io/` and `library/`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return repositoryOf(reference);
  return reference.path.replace(/^library\/(?=[^/]+$)/, "");
}

/** Familiar name with tag and digest, as lists and messages show it. */
export function familiarString(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return familiarName(reference) + tag + digest;
}

/** Adds `:latest` where neither tag nor digest is given. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: "latest" } : reference;
}
