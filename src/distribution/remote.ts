/** A repository as the engine sees it. */
import { type Digest, digestOf, invalidParameter, isDigest, type Reference, systemError } from "../base/base.ts";
import { type Descriptor, mediaTypes } from "../spec/spec.ts";
import type { BlobDescriptor, BlobFetch, BlobSource, PushOutcome, Remote, RemoteManifest, TransferOptions } from "./distribution.ts";
import type { Downloads } from "./downloads.ts";
import type { Gates } from "./gate.ts";
import type { Capability } from "./hosts-file.ts";
import { referrersOf, tagsOf } from "./listing.ts";
import { acceptedTypes, longestManifest, readManifest } from "./manifest.ts";
import { Reporter } from "./progress.ts";
import { listWith, referrerOf } from "./referrers.ts";
import { engineErrorOf, ofManifest } from "./refusal.ts";
import type { Repository } from "./repository.ts";
import { retrying } from "./retries.ts";
import { discard, readAll, TooLong } from "./transport.ts";
import { hasBlob, labelOf, upload, uploadFailure } from "./upload.ts";

/** In memory at once. */
const longestSmallBlob = 8 << 20;

export interface Transfers {
  readonly downloads: Downloads;
  readonly uploads: Gates;
}

export class RegistryRemote implements Remote {
  readonly reference: Reference;
  readonly #repository: Repository;
  readonly #transfers: Transfers;

  constructor(repository: Repository, transfers: Transfers) {
    this.reference = repository.reference;
    this.#repository = repository;
    this.#transfers = transfers;
  }

  async manifest(which: string = this.#own(), signal?: AbortSignal): Promise<RemoteManifest> {
    const repository = this.#repository;
    const at = repository.path(`manifests/${which}`);
    const wanted = { at, scopes: repository.scopes("pull"), headers: { accept: acceptedTypes }, expect: [200], signal };
    return repository.reading(
      async (session) => {
        try {
          const { answer, bytes } = await session.read(wanted, longestManifest);
          return readManifest(bytes, answer.headers["content-type"], this.#named(which), isDigest(which) ? which : undefined);
        } catch (error) {
          if (error instanceof TooLong) throw invalidParameter(`manifest of ${which}: more than ${longestManifest} bytes`, error);
          throw ofManifest(error, session.url(at), isDigest(which));
        }
      },
      capabilityFor(which),
      signal,
    );
  }

  async manifestHead(
    which: string = this.#own(),
    signal?: AbortSignal,
  ): Promise<{ digest: Digest; mediaType: string; size: number } | undefined> {
    const repository = this.#repository;
    const at = repository.path(`manifests/${which}`);
    const wanted = {
      method: "HEAD",
      at,
      scopes: repository.scopes("pull"),
      headers: { accept: acceptedTypes },
      expect: [200, 404],
      signal,
    } as const;
    return repository.reading(
      async (session) => {
        const answer = await session.ask(wanted);
        await discard(answer);
        if (answer.status === 404) return undefined;
        const { "docker-content-digest": said, "content-type": type = "", "content-length": length } = answer.headers;
        const digest = typeof said === "string" ? said : which;
        if (!isDigest(digest)) throw systemError(`the registry ${this.reference.domain} does not say the digest of ${which}`);
        return { digest, mediaType: type.split(";")[0]?.trim() ?? "", size: Number(length ?? 0) };
      },
      capabilityFor(which),
      signal,
    );
  }

  async putManifest(which: string, mediaType: string, bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    if (bytes.byteLength > longestManifest) throw invalidParameter(`manifest of ${which}: more than ${longestManifest} bytes`);
    const repository = this.#repository;
    const digest = digestOf(bytes);
    const at = repository.path(`manifests/${which}`);
    const headers = { "content-type": mediaType, "content-length": String(bytes.byteLength) };
    const understood = await repository.writing(async (session) => {
      const scopes = repository.scopes("pull", "push");
      const answer = await session.ask({ method: "PUT", at, scopes, headers, body: () => bytes, expect: [200, 201, 202], signal });
      await discard(answer);
      const said = answer.headers["docker-content-digest"];
      if (said !== undefined && said !== digest) throw repository.foreign(digest);
      return answer.headers["oci-subject"] !== undefined;
    }, signal);
    const referrer = understood ? undefined : referrerOf(bytes, digest, mediaType);
    const list = referrer === undefined ? undefined : await listWith(repository, referrer, signal);
    if (list !== undefined) await this.putManifest(list.tag, mediaTypes.ociIndex, list.bytes, signal);
    return digest;
  }

  deleteManifest(which: string, signal?: AbortSignal): Promise<void> {
    return this.#delete(`manifests/${which}`, signal);
  }

  deleteBlob(digest: Digest, signal?: AbortSignal): Promise<void> {
    return this.#delete(`blobs/${digest}`, signal);
  }

  #delete(rest: string, signal: AbortSignal | undefined): Promise<void> {
    const repository = this.#repository;
    return repository.writing(async (session) => {
      const scopes = repository.scopes("delete");
      const answer = await session.ask({ method: "DELETE", at: repository.path(rest), scopes, expect: [200, 202, 204], signal });
      await discard(answer);
    }, signal);
  }

  async readBlob(blob: BlobDescriptor, signal?: AbortSignal): Promise<Uint8Array> {
    const { digest, size } = blob;
    if (size > longestSmallBlob) throw invalidParameter(`blob ${digest}: more than ${longestSmallBlob} bytes`);
    const { timings } = this.#repository;
    try {
      const read = async (): Promise<Buffer> => readAll((await this.#repository.openBlob(blob, 0, signal)).answer, size, timings.answerMs);
      const bytes = await retrying(read, this.#transfers.downloads.attempts, timings, signal);
      if (bytes.length !== size) throw invalidParameter(`blob ${digest}: ${bytes.length} bytes instead of ${size}`);
      if (digestOf(bytes) !== digest) throw invalidParameter(`image config verification failed for digest ${digest}`);
      return bytes;
    } catch (error) {
      throw error instanceof TooLong
        ? invalidParameter(`blob ${digest}: more than the ${size} bytes that it should have`)
        : engineErrorOf(error, undefined);
    }
  }

  fetchBlob(blob: BlobDescriptor, options: TransferOptions = {}): Promise<BlobFetch> {
    const repository = this.#repository;
    const origin = {
      open: (from: number, signal: AbortSignal) => repository.openBlob(blob, from, signal),
      get isKnown() {
        return repository.isKnown;
      },
    };
    return this.#transfers.downloads.fetch(blob, this.reference.domain, this, origin, options);
  }

  hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    return hasBlob(this.#repository, digest, signal);
  }

  async pushBlob(source: BlobSource, options: TransferOptions & { readonly mountFrom?: readonly string[] } = {}): Promise<PushOutcome> {
    const { onProgress, signal, mountFrom = [] } = options;
    const { uploads, downloads } = this.#transfers;
    const repository = this.#repository;
    const reporter = new Reporter(labelOf(source), source.size ?? source.expectedBytes, repository.timings.progressMs, onProgress);
    reporter.say("Preparing");
    const gate = uploads.of(this.reference.domain);
    if (gate.isFull) reporter.say("Waiting");
    using _turn = await gate.enter(this, signal);
    try {
      return await upload({ repository, source, mountFrom, reporter, attempts: downloads.attempts, signal });
    } catch (error) {
      throw engineErrorOf(uploadFailure(error), this.reference, false);
    }
  }

  tags(signal?: AbortSignal): AsyncIterable<string> {
    return tagsOf(this.#repository, signal);
  }

  referrers(digest: Digest, artifactType?: string, signal?: AbortSignal): Promise<Descriptor[]> {
    return referrersOf(this.#repository, digest, artifactType, signal);
  }

  /** What of the reference a registry is asked for: the digest where there is one. */
  #own(): string {
    return this.reference.digest ?? this.reference.tag ?? "latest";
  }

  #named(which: string): Reference {
    const { domain, path } = this.reference;
    return isDigest(which) ? { domain, path, digest: which } : { domain, path, tag: which };
  }
}

function capabilityFor(which: string): Capability {
  return isDigest(which) ? "pull" : "resolve";
}
