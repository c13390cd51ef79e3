/**
 * Copies of other registries' repositories, made when they are asked for. `--proxy docker.io=https://registry-1.docker.io`
 * puts that registry's repositories below `docker.io/`; an empty prefix stands for every name that nobody pushed to. What
 * has a digest is asked for once; a tag again when it has not been looked at for a while. When the upstream does not
 * answer, what is here is served.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { log, messageOf } from "../base/base.ts";
import type { BlobFiles } from "./blob-files.ts";
import type { Catalogue, StoredManifest } from "./catalogue.ts";
import { Download } from "./download.ts";
import type { Exchange } from "./exchange.ts";
import { mediaTypes, readManifest } from "./manifest.ts";
import type { Metrics } from "./metrics.ts";
import { algorithmOf, type BlobDigest, isBlobDigest, isTag } from "./names.ts";
import { RegistryError } from "./registry-error.ts";
import type { Reference } from "./route.ts";
import { sendBlob } from "./serve-blob.ts";
import type { Uploads } from "./uploads.ts";
import { type Credentials, readJson, readSmall, Upstream, UpstreamError } from "./upstream.ts";

export interface MirrorOptions {
  /** Prefix, without the slash behind it, → URL. */
  readonly upstreams: ReadonlyMap<string, URL>;
  /** What to say to an upstream's host. */
  readonly credentialsFor?: ((host: string) => Credentials | undefined) | undefined;
  /** How long a tag is believed without asking. */
  readonly tagTtlMs?: number;
  readonly idleMs?: number;
  readonly retryDelayMs?: number;
}

interface Parts extends MirrorOptions {
  readonly catalogue: Catalogue;
  readonly files: BlobFiles;
  readonly uploads: Uploads;
  readonly metrics: Metrics;
}

interface Source {
  readonly origin: string;
  readonly upstream: Upstream;
  /** The repository's name there. */
  readonly name: string;
}

/** An upstream that has failed is left alone for so long, where there is something to serve without it. */
const maxSilenceMs = 10_000;

const accepted = Object.values(mediaTypes).join(", ");

export class Mirror implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #downloads = new Map<string, Download>();
  readonly #manifests = new Map<string, Promise<StoredManifest | undefined>>();
  /** Prefix → until when its upstream is left alone. */
  readonly #silentUntil = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
    const made = [...parts.upstreams].map(([prefix, url]): [string, Upstream] => {
      const credentials = parts.credentialsFor?.(url.host);
      return [prefix, new Upstream({ url, idleMs: parts.idleMs ?? 15_000, credentials })];
    });
    this.#upstreams = new Map(made.sort(([a], [b]) => b.length - a.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const upstream of this.#upstreams.values()) upstream[Symbol.dispose]();
    await Promise.allSettled([...this.#downloads.values()].map((download) => download.done));
  }

  /** Where a name's copy comes from; the longest prefix counts. */
  #source(repository: string): Source | undefined {
    for (const [origin, upstream] of this.#upstreams) {
      if (origin === "") return { origin, upstream, name: repository };
      if (repository.startsWith(`${origin}/`)) return { origin, upstream, name: repository.slice(origin.length + 1) };
    }
    return undefined;
  }

  #copied(repository: string): Source | undefined {
    const source = this.#source(repository);
    if (source === undefined) return undefined;
    const known = this.#parts.catalogue.repository(repository);
    return known === undefined || known.origin === source.origin ? source : undefined;
  }

  /** Is it read from an upstream? */
  owns(repository: string): boolean {
    return this.#copied(repository) !== undefined;
  }

  /** May nobody push to it? */
  isReserved(repository: string): boolean {
    const source = this.#copied(repository);
    return source !== undefined && (source.origin !== "" || this.#parts.catalogue.repository(repository) !== undefined);
  }

  /** One question at a time for one manifest. */
  manifest(repository: string, reference: Reference): Promise<StoredManifest | undefined> {
    const key = `${repository} ${"tag" in reference ? reference.tag : reference.digest}`;
    const asked = this.#manifests.get(key) ?? this.#manifest(repository, reference).finally(() => this.#manifests.delete(key));
    this.#manifests.set(key, asked);
    return asked;
  }

  async #manifest(repository: string, reference: Reference): Promise<StoredManifest | undefined> {
    const { catalogue, metrics, tagTtlMs = 60_000 } = this.#parts;
    const here = catalogue.manifest(repository, reference);
    const source = this.#copied(repository);
    const checkedAt = "tag" in reference ? (catalogue.tag(repository, reference.tag)?.checkedAt ?? 0) : 0;
    const isFresh = "digest" in reference || checkedAt > catalogue.now() - tagTtlMs;
    if (source === undefined || (here !== undefined && (isFresh || this.#isSilent(source)))) {
      metrics.add("proxy_hits");
      return here;
    }
    try {
      return "tag" in reference
        ? await this.#refresh(source, repository, reference.tag)
        : await this.#fetchManifest(source, repository, reference.digest, undefined);
    } catch (error) {
      if (error instanceof UpstreamError && error.status === 404) {
        if ("tag" in reference) catalogue.removeTag(repository, reference.tag);
        return undefined;
      }
      const denied = error instanceof UpstreamError && (error.status === 401 || error.status === 403);
      if (here === undefined || denied) throw explained(error);
      this.#silentUntil.set(source.origin, catalogue.now() + Math.min(tagTtlMs, maxSilenceMs));
      log.warn("an upstream does not answer; what is here is served", { repository, error: messageOf(error) });
      return here;
    }
  }

  #isSilent(source: Source): boolean {
    return (this.#silentUntil.get(source.origin) ?? 0) > this.#parts.catalogue.now();
  }

  /** Asks whether the tag is still the manifest that is here, and for the new one when it is not. */
  async #refresh(source: Source, repository: string, tag: string): Promise<StoredManifest> {
    const { catalogue } = this.#parts;
    const head = await source.upstream.ask("HEAD", source.name, `manifests/${tag}`, { Accept: accepted });
    head.resume();
    const digest = head.headers["docker-content-digest"];
    if (typeof digest !== "string" || !isBlobDigest(digest)) return this.#fetchManifest(source, repository, tag, tag);
    const here = catalogue.manifest(repository, { digest });
    if (here === undefined) return this.#fetchManifest(source, repository, digest, tag);
    catalogue.setTag(repository, tag, digest);
    return here;
  }

  async #fetchManifest(source: Source, repository: string, reference: string, tag: string | undefined): Promise<StoredManifest> {
    const answer = await source.upstream.ask("GET", source.name, `manifests/${reference}`, { Accept: accepted });
    const body = await readSmall(answer);
    const said = isBlobDigest(reference) ? reference : answer.headers["docker-content-digest"];
    const algorithm = typeof said === "string" && isBlobDigest(said) ? algorithmOf(said) : "sha256";
    const digest: BlobDigest = `${algorithm}:${createHash(algorithm).update(body).digest("hex")}`;
    if (said !== undefined && said !== digest) throw new UpstreamError(`manifest ${reference} has the digest ${digest}`);
    let facts: ReturnType<typeof readManifest>;
    try {
      facts = readManifest(body, answer.headers["content-type"] ?? "");
    } catch (cause) {
      throw new UpstreamError(`manifest ${reference}: ${messageOf(cause)}`, { cause });
    }
    this.#parts.catalogue.putManifest(repository, { ...facts, digest, body, tag }, source.origin);
    this.#parts.metrics.add("proxy_misses");
    return { digest, mediaType: facts.mediaType, body };
  }

  /** @returns false when neither this registry nor the upstream has it */
  async serveBlob(exchange: Exchange, repository: string, digest: BlobDigest): Promise<boolean> {
    const source = this.#copied(repository);
    if (source === undefined) return false;
    try {
      if (exchange.method === "HEAD") {
        await this.#head(source, exchange, digest);
        return true;
      }
      let size = this.#shared(source, repository, digest);
      if (size === undefined) {
        const download = this.#download(source, repository, digest);
        if (await download.sendTo(exchange)) return true;
        size = await exchange.patiently(download.done);
      }
      await sendBlob(this.#parts, exchange, digest, size);
      return true;
    } catch (error) {
      if (error instanceof UpstreamError && error.status === 404) return false;
      throw explained(error);
    }
  }

  async #head(source: Source, exchange: Exchange, digest: BlobDigest): Promise<void> {
    const answer = await exchange.patiently(source.upstream.ask("HEAD", source.name, `blobs/${digest}`));
    answer.resume();
    const length = answer.headers["content-length"];
    exchange.response.writeHead(200, {
      "Content-Type": "application/octet-stream",
      "Docker-Content-Digest": digest,
      ...(length === undefined ? {} : { "Content-Length": length }),
    });
    exchange.response.end();
  }

  /** Another repository of the same upstream has it, and a manifest that came from there names it here: no need to ask again. */
  #shared(source: Source, repository: string, digest: BlobDigest): number | undefined {
    const { catalogue } = this.#parts;
    if (!catalogue.isUsed(repository, digest) || !catalogue.isLinked(digest, source.origin)) return undefined;
    return catalogue.link(repository, digest, source.origin) ? catalogue.blobSize(digest) : undefined;
  }

  #download(source: Source, repository: string, digest: BlobDigest): Download {
    const { uploads, files, metrics, retryDelayMs = 200 } = this.#parts;
    const key = `${repository} ${digest}`;
    const known = this.#downloads.get(key);
    if (known !== undefined) return known;
    const made = new Download(uploads, files, { ...source, repository, digest, retryDelayMs });
    this.#downloads.set(key, made);
    metrics.add("proxy_misses");
    made.done
      .then((size) => metrics.add("proxy_bytes", size))
      .catch((error: unknown) => log.warn("a download failed", { repository, digest, error: messageOf(error) }))
      .finally(() => this.#downloads.delete(key));
    return made;
  }

  /** A page of the upstream's tags; undefined: those that are here have to do. */
  async tags(repository: string, query: URLSearchParams): Promise<{ readonly shown: string[]; readonly hasMore: boolean } | undefined> {
    const asked = new URLSearchParams([...query].filter(([key]) => key === "n" || key === "last"));
    const answer = await this.#askList(repository, `tags/list?${asked}`).catch((error: unknown) => {
      const status = error instanceof UpstreamError ? error.status : undefined;
      const mayShowOurs = this.#parts.catalogue.repository(repository) !== undefined && status !== 401 && status !== 403;
      if (mayShowOurs || status === 404) return undefined;
      throw explained(error);
    });
    if (answer === undefined) return undefined;
    const { tags } = await readJson(answer).catch(() => ({ tags: undefined }));
    if (!Array.isArray(tags)) return undefined;
    return {
      shown: tags.filter((tag): tag is string => typeof tag === "string" && isTag(tag)),
      hasMore: /rel="?next/.test(String(answer.headers.link)),
    };
  }

  /** The upstream's referrers; of one without that API, those of the fallback tag. */
  async referrers(repository: string, digest: BlobDigest, artifactType: string | undefined): Promise<unknown[] | undefined> {
    if (!this.owns(repository)) return undefined;
    const answer = await this.#askList(repository, `referrers/${digest}`).catch(() => undefined);
    const tag = digest.replace(":", "-").slice(0, 128);
    const index =
      answer === undefined
        ? await this.manifest(repository, { tag }).then(
            (stored) => stored && JSON.parse(Buffer.from(stored.body).toString()),
            () => undefined,
          )
        : await readJson(answer).catch(() => undefined);
    const { manifests } = (index ?? {}) as { manifests?: unknown };
    if (!Array.isArray(manifests)) return undefined;
    return artifactType === undefined ? manifests : manifests.filter((entry) => entry?.artifactType === artifactType);
  }

  /** @returns undefined for what is no copy, or when its upstream is left alone. @throws UpstreamError */
  async #askList(repository: string, path: string): Promise<IncomingMessage | undefined> {
    const source = this.#copied(repository);
    if (source === undefined || this.#isSilent(source)) return undefined;
    return source.upstream.ask("GET", source.name, path);
  }
}

/** What a client is told of an upstream's failure. */
function explained(error: unknown): unknown {
  if (!(error instanceof UpstreamError))
    return error instanceof RegistryError && error.code === "DIGEST_INVALID" ? badUpstream(error) : error;
  if (error.status === 401 || error.status === 403) return new RegistryError("DENIED", { message: "the upstream denies it", cause: error });
  if (error.status === 429) {
    const headers = error.retryAfter === undefined ? {} : { "Retry-After": String(error.retryAfter) };
    return new RegistryError("TOOMANYREQUESTS", { message: "the upstream has had too many requests", headers, cause: error });
  }
  return badUpstream(error);
}

function badUpstream(cause: Error): RegistryError {
  return new RegistryError("UNAVAILABLE", { status: 502, message: `the upstream failed: ${cause.message}`, cause });
}
