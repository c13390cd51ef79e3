/** One blob to a registry: not at all where it is there or can be mounted, else in one request, which goes on where it broke off. */
import { createHash, type Hash } from "node:crypto";
import { pipeline, type Readable, Transform } from "node:stream";
import { type Digest, shortId, systemError } from "../base/base.ts";
import { passedThrough } from "../base/free-buffers.ts";
import type { BlobSource, PushOutcome } from "./distribution.ts";
import { NetworkError } from "./network-error.ts";
import type { Reporter } from "./progress.ts";
import { RegistryError } from "./refusal.ts";
import type { Repository } from "./repository.ts";
import { isPassing, pause, pauseBefore } from "./retries.ts";
import type { Session } from "./session.ts";
import { type Answer, discard } from "./transport.ts";

/** As Docker: so many other repositories are tried. */
const mostMounts = 4;
const enoughBytes = 64 << 10;

export interface Upload {
  readonly repository: Repository;
  readonly source: BlobSource;
  readonly mountFrom: readonly string[];
  readonly reporter: Reporter;
  readonly attempts: number;
  readonly signal: AbortSignal | undefined;
}

interface Known {
  readonly digest: Digest;
  readonly size: number;
}

export async function upload(wanted: Upload): Promise<PushOutcome> {
  const { source, repository, reporter, signal } = wanted;
  const { digest, size } = source;
  const known = digest === undefined || size === undefined ? undefined : { digest, size };
  if (known !== undefined && (await hasBlob(repository, known.digest, signal))) {
    reporter.say("Layer already exists");
    return { kind: "exists", ...known };
  }
  return repository.writing(async (session) => {
    const start = known === undefined ? undefined : await mount(wanted, session, known.digest);
    if (known !== undefined && start !== undefined && "from" in start) {
      reporter.say(`Mounted from ${start.from}`);
      return { kind: "mounted", ...known, from: start.from };
    }
    const begun = start !== undefined && "at" in start ? start.at : undefined;
    const sent = await new Sending(wanted, session).send(known, begun);
    reporter.say("Pushed");
    return { kind: "pushed", ...sent };
  }, signal);
}

export async function hasBlob(repository: Repository, digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
  const at = repository.path(`blobs/${digest}`);
  const ask = async (session: Session): Promise<boolean> => {
    const answer = await session.ask({ method: "HEAD", at, scopes: repository.scopes("pull", "push"), expect: [200, 404], signal });
    await discard(answer);
    return answer.status === 200;
  };
  return repository.writing(ask, signal);
}

/** @returns from where it was mounted, or the upload that the registry has begun in place of that */
async function mount(
  { repository, mountFrom, signal }: Upload,
  session: Session,
  digest: Digest,
): Promise<{ from: string } | { at: URL } | undefined> {
  for (const from of mountFrom.slice(0, mostMounts)) {
    const at = session.url(repository.path("blobs/uploads/"));
    at.searchParams.set("mount", digest);
    at.searchParams.set("from", from);
    const scopes = [...repository.scopes("pull", "push"), `repository:${from}:pull`];
    let answer: Answer;
    try {
      answer = await session.ask({ method: "POST", at, scopes, headers: { "content-length": "0" }, expect: [201, 202], signal });
    } catch (error) {
      // Not to be mounted from there; it can still be sent.
      if (error instanceof RegistryError && error.status < 500) continue;
      throw error;
    }
    await discard(answer);
    if (answer.status === 201) return { from };
    return { at: locationOf(answer) };
  }
  return undefined;
}

class Sending {
  readonly #upload: Upload;
  readonly #session: Session;
  readonly #scopes: string[];
  #at: URL | undefined;
  /** What is wrong with what is to be sent. */
  #sourceFailure: Error | undefined;

  constructor(wanted: Upload, session: Session) {
    this.#upload = wanted;
    this.#session = session;
    this.#scopes = wanted.repository.scopes("pull", "push");
  }

  async send(atFirst: Known | undefined, begun: URL | undefined): Promise<Known> {
    const { attempts, signal, reporter, repository, source } = this.#upload;
    let known = atFirst;
    this.#at = begun;
    let offset = 0;
    let isInterrupted = false;
    for (let failures = 0; ; ) {
      try {
        if (isInterrupted) {
          const there = known === undefined ? 0 : await this.#offset(known.size);
          if (there - offset >= enoughBytes) failures = 0;
          if (there === 0) this.#at = undefined;
          offset = there;
        }
        this.#at ??= await this.#begin();
        return known === undefined ? await this.#sendUnknown(this.#at) : await this.#sendFrom(this.#at, known, offset);
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        if (this.#sourceFailure !== undefined) throw new Final(this.#sourceFailure);
        // Not this endpoint, then.
        if (!this.#session.hasAnswered) throw error;
        const isLost = error instanceof RegistryError && (error.status === 404 || error.status === 416);
        failures += 1;
        if (failures >= attempts || !(isLost || error instanceof NetworkError || isPassing(error, repository.timings)))
          throw new Final(error);
        await pause(pauseBefore(failures, error, repository.timings), (status) => reporter.say(status), signal);
        // What is sent while it is made can go on when it is whole.
        if (source.later !== undefined) known ??= await source.later;
        isInterrupted = !isLost;
        if (isLost) this.#at = undefined;
        if (isLost) offset = 0;
      }
    }
  }

  async #begin(): Promise<URL> {
    const at = this.#upload.repository.path("blobs/uploads/");
    const answer = await this.#ask("POST", at, { "content-length": "0" }, [202]);
    return locationOf(answer);
  }

  /** How much of it the registry has: 0 when it has lost it, or does not say clearly. */
  async #offset(size: number): Promise<number> {
    if (this.#at === undefined) return 0;
    const answer = await this.#ask("GET", this.#at, {}, [200, 202, 204, 404]);
    // `0-0` may mean one byte or, to older registries, none.
    const last = answer.status === 404 ? 0 : Number(/^(?:bytes=)?0-(\d+)$/.exec(answer.headers["range"] ?? "")?.[1] ?? "0");
    if (last === 0 || last >= size) return 0;
    if (answer.headers.location !== undefined) this.#at = locationOf(answer);
    return last + 1;
  }

  /** OCI distribution-spec, "Single POST then PUT"; what is left of an interrupted one as a chunk. */
  async #sendFrom(at: URL, known: Known, offset: number): Promise<Known> {
    const { digest, size } = known;
    const length = size - offset;
    const headers = { "content-type": "application/octet-stream", "content-length": String(length) };
    const body = (): Promise<Readable> => this.#body(offset, size, undefined);
    let last: Answer;
    if (offset === 0) last = await this.#ask("PUT", withDigest(at, digest), headers, [201, 204], size === 0 ? undefined : body);
    else {
      let end = at;
      if (length > 0) {
        const answer = await this.#ask("PATCH", at, { ...headers, "content-range": `${offset}-${size - 1}` }, [202, 204], body);
        end = locationOf(answer);
      }
      last = await this.#ask("PUT", withDigest(end, digest), { "content-length": "0" }, [201, 204]);
    }
    this.#check(last, digest);
    return known;
  }

  /** With a digest that is known when all is sent. */
  async #sendUnknown(at: URL): Promise<Known> {
    const { later } = this.#upload.source;
    const headers = { "content-type": "application/octet-stream" };
    if (later !== undefined) {
      const answer = await this.#ask("PATCH", at, headers, [202, 204], () => this.#body(0, undefined, undefined));
      const known = await later;
      return this.#finish(locationOf(answer), known);
    }
    const counted = { hash: createHash("sha256"), sizeBytes: 0 };
    const body = (): Promise<Readable> => {
      counted.hash = createHash("sha256");
      counted.sizeBytes = 0;
      return this.#body(0, undefined, counted);
    };
    const answer = await this.#ask("PATCH", at, headers, [202, 204], body);
    const digest = `sha256:${counted.hash.digest("hex")}` as Digest;
    return this.#finish(locationOf(answer), { digest, size: counted.sizeBytes });
  }

  /** All is sent: says what it is. */
  async #finish(at: URL, known: Known): Promise<Known> {
    const answer = await this.#ask("PUT", withDigest(at, known.digest), { "content-length": "0" }, [201, 204]);
    this.#check(answer, known.digest);
    return known;
  }

  #check(answer: Answer, digest: Digest): void {
    const said = answer.headers["docker-content-digest"];
    if (said !== undefined && said !== digest) throw this.#upload.repository.foreign(digest);
  }

  async #ask(
    method: "GET" | "POST" | "PUT" | "PATCH",
    at: string | URL,
    headers: Record<string, string>,
    expect: readonly number[],
    body?: () => Promise<Readable>,
  ): Promise<Answer> {
    const { signal } = this.#upload;
    const answer = await this.#session.ask({
      method,
      at,
      scopes: this.#scopes,
      headers,
      expect,
      signal,
      ...(body === undefined ? {} : { body }),
    });
    await discard(answer);
    return answer;
  }

  async #body(offset: number, size: number | undefined, counted: { hash: Hash; sizeBytes: number } | undefined): Promise<Readable> {
    const { source, reporter } = this.#upload;
    let at = offset;
    const failed = (error: Error): Error => {
      this.#sourceFailure ??= error;
      return error;
    };
    const counter = new Transform({
      highWaterMark: 1 << 20,
      transform(chunk: Buffer, _encoding, done) {
        at += chunk.length;
        if (counted !== undefined) {
          counted.hash.update(chunk);
          counted.sizeBytes += chunk.length;
        }
        passedThrough(chunk.length);
        reporter.bytes("Pushing", at);
        done(size !== undefined && at > size ? failed(systemError(`the blob has more than its ${size} bytes`)) : null, chunk);
      },
      flush(done) {
        done(size !== undefined && at < size ? failed(systemError(`the blob has ${at} bytes instead of ${size}`)) : null);
      },
    });
    const opened = await source.open(offset);
    // What happens to it when the connection has broken is no failure of its own.
    opened.once("error", (error: Error) => {
      if (!counter.destroyed) failed(error);
    });
    pipeline(opened, counter, () => undefined);
    return counter;
  }
}

/** Not to be tried again from the start: it has been tried again here. */
class Final extends Error {
  constructor(cause: unknown) {
    super("the upload failed", { cause });
  }
}

/** What an upload failed of. */
export function uploadFailure(error: unknown): unknown {
  return error instanceof Final ? error.cause : error;
}

function locationOf(answer: Answer): URL {
  const { location } = answer.headers;
  if (location === undefined || !URL.canParse(location, answer.url))
    throw new RegistryError(502, "", `the registry ${answer.url.host} does not say where to send the blob`);
  return new URL(location, answer.url);
}

/** The registry's own query stays letter for letter: it may be signed. */
function withDigest(at: URL, digest: Digest): URL {
  const url = new URL(at);
  url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
  return url;
}

export function labelOf({ id, digest }: BlobSource): string {
  return id ?? (digest === undefined ? "" : shortId(digest));
}
