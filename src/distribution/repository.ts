/** A repository's sessions: with mirrors to read, with the registry itself to write; the next one is asked when one fails. */
import { type Digest, log, messageOf, type Reference, systemError } from "../base/base.ts";
import type { Credentials } from "./credentials.ts";
import type { BlobDescriptor, Timings } from "./distribution.ts";
import type { Purpose } from "./endpoints.ts";
import type { Capability } from "./hosts-file.ts";
import { NetworkError } from "./network-error.ts";
import { engineErrorOf, RegistryError } from "./refusal.ts";
import { retrying } from "./retries.ts";
import { type Services, Session } from "./session.ts";
import type { Answer } from "./transport.ts";

/** Attempts at small things. */
const attempts = 3;

export class Repository {
  readonly reference: Reference;
  readonly #credentials: Credentials;
  readonly #services: Services;
  /** Some endpoint has answered. */
  isKnown = false;
  readonly #sessions = new Map<Purpose, Promise<Session[]>>();

  constructor(reference: Reference, credentials: Credentials, services: Services) {
    this.reference = reference;
    this.#credentials = credentials;
    this.#services = services;
  }

  get timings(): Timings {
    return this.#services.timings;
  }

  /** `/v2/<path>/<rest>` */
  path(rest: string): string {
    return `/v2/${this.reference.path}/${rest}`;
  }

  scopes(...actions: string[]): string[] {
    return [`repository:${this.reference.path}:${actions.join(",")}`];
  }

  /** Reads from the first endpoint that gives it. @throws EngineError */
  reading<T>(work: (session: Session) => Promise<T>, capability: Capability, signal?: AbortSignal): Promise<T> {
    const patiently = (session: Session): Promise<T> => retrying(() => work(session), attempts, this.timings, signal);
    return this.#inWords(() => this.readingOnce(patiently, capability), true);
  }

  /** The same with the registry itself. `isReading`: a list, whose refusals are worded as a pull's. */
  writing<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal, isReading = false): Promise<T> {
    const patiently = (session: Session): Promise<T> => retrying(() => work(session), attempts, this.timings, signal);
    return this.#inWords(() => this.#firstOf(isReading ? "list" : "push", undefined, patiently), isReading);
  }

  /** With neither second attempts nor Docker's words. @throws RegistryError, NetworkError */
  readingOnce<T>(work: (session: Session) => Promise<T>, capability: Capability): Promise<T> {
    return this.#firstOf("pull", capability, work);
  }

  #sessionsFor(purpose: Purpose): Promise<Session[]> {
    let found = this.#sessions.get(purpose);
    if (found !== undefined) return found;
    found = this.#findSessions(purpose);
    this.#sessions.set(purpose, found);
    return found;
  }

  async #findSessions(purpose: Purpose): Promise<Session[]> {
    const found = await this.#services.endpoints.for(this.reference.domain, purpose);
    return found.map((endpoint) => new Session(endpoint, this.#credentials, this.#services));
  }

  async #firstOf<T>(purpose: Purpose, capability: Capability | undefined, work: (session: Session) => Promise<T>): Promise<T> {
    const sessions = await this.#sessionsFor(purpose);
    const able = sessions.filter(({ endpoint: { host } }) => capability === undefined || (host?.capabilities?.has(capability) ?? true));
    let failure: unknown = systemError(`hosts.toml has no host for ${this.reference.domain} with the capability ${capability}`);
    const failed: Session[] = [];
    for (const session of able) {
      try {
        const result = await work(session);
        this.isKnown = true;
        putBehind(sessions, session, failed);
        return result;
      } catch (error) {
        failure = error;
        this.isKnown ||= session.hasAnswered;
        if (goesOn(error, session)) {
          log.info("a registry's next address is asked", { failed: session.endpoint.base, error: messageOf(error) });
          failed.push(session);
          continue;
        }
        putBehind(sessions, session, failed);
        throw error;
      }
    }
    throw failure;
  }

  async #inWords<T>(work: () => Promise<T>, isReading: boolean): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw engineErrorOf(error, this.reference, isReading);
    }
  }

  /** A blob's bytes from `from` on, or from an earlier one. @throws RegistryError, NetworkError */
  async openBlob(blob: BlobDescriptor, from: number, signal?: AbortSignal): Promise<{ answer: Answer; offset: number }> {
    const at = this.path(`blobs/${blob.digest}`);
    try {
      return await this.readingOnce((session) => ranged(session, at, this.scopes("pull"), from, signal), "pull");
    } catch (error) {
      const isGone = error instanceof RegistryError && error.status === 404;
      const elsewhere = isGone ? (blob.urls ?? []).filter((url) => /^https?:\/\//.test(url) && URL.canParse(url)) : [];
      for (const text of elsewhere) {
        // CVE-2020-15157: whoever an image names is nobody to show credentials to.
        const url = new URL(text);
        const foreign = { base: url.origin, origin: url.origin, isMirror: true };
        const session = new Session(foreign, { kind: "anonymous" }, this.#services);
        const found = await ranged(session, url, [], from, signal).catch(() => undefined);
        if (found !== undefined) return found;
      }
      throw isGone ? new RegistryError(404, "blob unknown", "unknown blob") : error;
    }
  }

  foreign(digest: Digest): Error {
    return systemError(`the registry ${this.reference.domain} stored something other than ${digest}`);
  }
}

async function ranged(
  session: Session,
  at: string | URL,
  scopes: readonly string[],
  from: number,
  signal: AbortSignal | undefined,
): Promise<{ answer: Answer; offset: number }> {
  // Without, the bytes would be those of a compression that is not the blob's.
  const headers = { accept: "*/*", "accept-encoding": "identity" };
  if (from > 0) {
    const answer = await session.ask({ at, scopes, signal, headers: { ...headers, range: `bytes=${from}-` }, expect: [200, 206, 416] });
    if (answer.status === 200) return { answer, offset: 0 };
    const start = /^bytes (\d+)-/.exec(answer.headers["content-range"] ?? "")?.[1];
    if (answer.status === 206 && start !== undefined && Number(start) <= from) return { answer, offset: Number(start) };
    answer.body.destroy();
  }
  return { answer: await session.ask({ at, scopes, signal, headers, expect: [200] }), offset: 0 };
}

/**
 * As Docker: a mirror's failures lead on, and so do connections that fail; what the registry itself answers counts. Once it has
 * answered by HTTPS, it is not asked by HTTP.
 */
function goesOn(error: unknown, session: Session): boolean {
  return session.endpoint.isMirror || (error instanceof NetworkError && !session.hasAnswered);
}

/** Those that have failed are asked after the one that has worked, from now on. */
function putBehind(sessions: Session[], worked: Session, failed: readonly Session[]): void {
  for (const session of failed) sessions.splice(sessions.indexOf(session), 1);
  sessions.splice(sessions.indexOf(worked) + 1, 0, ...failed);
}
