/**
 * The client of registries: manifests, blobs, tags, referrers and search over the OCI distribution protocol, as Docker speaks it.
 *
 * `openDistribution` (open.ts) makes one for the daemon's life. `remote()` gives a repository, seen with somebody's credentials; it
 * costs nothing until it is asked for something. A pull asks for the manifest, then fetches the blobs, all at once: the limit of
 * parallel transfers is kept here, for each registry, over all pulls, in turns. A blob that several want is transferred once.
 *
 * Bytes that arrive are kept in `<root>/<hex>.<registry>` until whoever fetched them says that they are stored elsewhere, so that a
 * transfer which ended half-way, with the connection or with the daemon, goes on where it was.
 *
 * Credentials go to the registry that they are for, and to the realm that it names; to no mirror, to no other host that a redirect,
 * an upload or a layer's `urls` lead to.
 */
import type { Readable } from "node:stream";
import type { Digest, Reference } from "../base/base.ts";
import type { Descriptor, ImageIndex, ImageManifest } from "../spec/spec.ts";
import type { Credentials } from "./credentials.ts";

/** What may change while the daemon runs; named as in daemon.json. */
export interface DistributionSettings {
  /** Mirrors of docker.io: URLs, in order of preference. */
  readonly registryMirrors?: readonly string[];
  /** Mirrors of any registry, by its host as references name it. They are told whose content is wanted: `?ns=HOST`. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>;
  /** Hosts, `host:port`s and CIDRs whose certificates are not looked at and which may speak HTTP; the loopback always is among them. */
  readonly insecureRegistries?: readonly string[];
  /** Hosts that may be shown the credentials of registries of other domains than theirs, when those name them as their token server. */
  readonly tokenServers?: readonly string[];
  /** Default /etc/docker/certs.d. */
  readonly certificates?: string;
  /** Default: HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment, in either case. */
  readonly proxies?: { readonly httpProxy?: string; readonly httpsProxy?: string; readonly noProxy?: string };
  /** From one registry at a time. Default 3. */
  readonly maxConcurrentDownloads?: number;
  /** To one registry at a time. Default 5. */
  readonly maxConcurrentUploads?: number;
  /** Default 5; attempts that brought something do not count. */
  readonly maxDownloadAttempts?: number;
}

export interface DistributionOptions extends DistributionSettings {
  /** The directory of blobs on their way; this room's own. Made where it is missing. */
  readonly root: string;
  /** Shown to registries: `docker/28.0.0 …`. */
  readonly userAgent?: string;
  readonly timings?: Partial<Timings>;
  /** Asked at the start of each blob that an earlier life has left: the bytes are safe elsewhere, and need not be kept. */
  readonly isStored?: (digest: Digest) => boolean;
}

/** All in ms. */
export interface Timings {
  /** Until a connection stands. Default 30 s. */
  readonly connectMs: number;
  /** Until an answer's headers are there, or a manifest's body. Default 60 s. */
  readonly answerMs: number;
  /** Without a byte of a blob. Default 30 s. */
  readonly stallMs: number;
  /** Before the second attempt; doubles with each, up to 30 s. Default 1 s. */
  readonly retryMs: number;
  /** The longest Retry-After that is waited for. Default 60 s. */
  readonly retryAfterMs: number;
  /** Between two progress messages of a blob. Default 100 ms. */
  readonly progressMs: number;
  /** How long bytes of an interrupted transfer are kept. Default a day. */
  readonly keepMs: number;
}

/** Docker's progress of a blob: `id` is its short digest, `status` one of Docker's texts; bytes where it has some. */
export interface Progress {
  readonly id: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}
export type OnProgress = (progress: Progress) => void;

export interface Distribution extends AsyncDisposable {
  /** The repository of a reference. */
  remote(reference: Reference, credentials?: Credentials): Remote;
  /**
   * `docker login`: asks the registry whether it knows these credentials.
   * @param server as clients name it: `https://index.docker.io/v1/`, `localhost:5000`
   * @returns a token to be kept in place of the password, where the registry gives one
   * @throws Unauthorized `Get "https://…/v2/": unauthorized: …`
   */
  checkCredentials(server: string, credentials: Credentials, signal?: AbortSignal): Promise<{ identityToken?: string }>;
  /** @param term `[host/]words`. @param limit 1–100, default 25 */
  search(term: string, options?: { limit?: number; credentials?: Credentials; signal?: AbortSignal }): Promise<SearchResult[]>;
  /** All repositories of a registry, page by page. */
  catalog(host: string, credentials?: Credentials, signal?: AbortSignal): AsyncIterable<string>;
  /** New settings, for what is asked from now on. */
  configure(settings: DistributionSettings): void;
  /** Deletes the bytes of transfers that nobody wants now. @returns bytes freed */
  prune(): Promise<number>;
}

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}

/** A manifest as it is in the registry, byte by byte, and what it says. */
export interface RemoteManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly content: { readonly kind: "image"; readonly manifest: ImageManifest } | { readonly kind: "index"; readonly index: ImageIndex };
}

/** What of a descriptor a transfer needs. `urls`: other places to have it from, without credentials. */
export type BlobDescriptor = Pick<Descriptor, "digest" | "size" | "urls">;

/**
 * A blob that arrives in a file. Its bytes are as sent, and are proved to be the digest's when `arrival` ends: an error in place of the
 * end means that none of them may be used. Not disposed of with `stored()` before, what has arrived stays for the next time.
 */
export interface BlobFetch extends AsyncDisposable {
  /** How many bytes the file has, from its beginning on, whenever there are more. To be read by one. */
  readonly arrival: AsyncIterable<number>;
  /** There from the arrival of the first bytes until this is disposed of; whoever needs it longer gives it a name of his own. */
  readonly path: string;
  /** How many of them an earlier transfer had left; 0 until that is known. */
  readonly foundBytes: number;
  /** The bytes are safe elsewhere. */
  stored(): void;
}

/** Something to be pushed. Where digest and size are not known yet, and `later` does not tell, an interrupted upload starts again. */
export interface BlobSource {
  /** Known at once, or in the course of things: read when its turn has come. */
  readonly digest?: Digest | undefined;
  readonly size?: number | undefined;
  /** Settles when a blob that is still being made is whole; until then, it is opened at 0 only. */
  readonly later?: Promise<{ readonly digest: Digest; readonly size: number }>;
  /** For progress messages; default the digest's. */
  readonly id?: string;
  /** About how many bytes there will be, for progress messages. */
  readonly expectedBytes?: number;
  /** @param offset 0 unless digest and size are known */
  open(offset: number): Readable | Promise<Readable>;
}

export type PushOutcome =
  | { readonly kind: "pushed" | "exists"; readonly digest: Digest; readonly size: number }
  | { readonly kind: "mounted"; readonly digest: Digest; readonly size: number; readonly from: string };

export interface TransferOptions {
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** A repository. Every method throws EngineErrors in Docker's words. `which` is a tag or a digest, default the reference's own. */
export interface Remote {
  readonly reference: Reference;
  manifest(which?: string, signal?: AbortSignal): Promise<RemoteManifest>;
  /** Without its bytes, where the registry says the digest; undefined when it is not there. */
  manifestHead(which?: string, signal?: AbortSignal): Promise<{ digest: Digest; mediaType: string; size: number } | undefined>;
  /** One with a subject is listed as its referrer, also where the registry does not do so itself. */
  putManifest(which: string, mediaType: string, bytes: Uint8Array, signal?: AbortSignal): Promise<Digest>;
  deleteManifest(which: string, signal?: AbortSignal): Promise<void>;
  /** A small blob, such as a configuration, in memory. */
  readBlob(blob: BlobDescriptor, signal?: AbortSignal): Promise<Uint8Array>;
  fetchBlob(blob: BlobDescriptor, options?: TransferOptions): Promise<BlobFetch>;
  hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean>;
  /** @param options.mountFrom paths of repositories of the same registry that may have it */
  pushBlob(source: BlobSource, options?: TransferOptions & { readonly mountFrom?: readonly string[] }): Promise<PushOutcome>;
  deleteBlob(digest: Digest, signal?: AbortSignal): Promise<void>;
  tags(signal?: AbortSignal): AsyncIterable<string>;
  /** What refers to a manifest: OCI distribution-spec, "Listing Referrers", with the tag that older registries have in its place. */
  referrers(digest: Digest, artifactType?: string, signal?: AbortSignal): Promise<Descriptor[]>;
}
