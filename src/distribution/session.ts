/**
 * Requests to one endpoint in somebody's name: authentication, redirects, and the rule that what is secret goes to the endpoint's own
 * scheme, host and port, and nowhere else.
 */
import type { Readable } from "node:stream";
import { type Challenge, challengesOf } from "./challenges.ts";
import type { Credentials } from "./credentials.ts";
import type { Timings } from "./distribution.ts";
import type { Endpoint, Endpoints } from "./endpoints.ts";
import { NetworkError, ofRequest } from "./network-error.ts";
import { noBasicCredentials, RegistryError, refusalOf, Unauthenticated } from "./refusal.ts";
import { basic, type Tokens } from "./tokens.ts";
import { type Answer, discard, readAll, type Transport } from "./transport.ts";

const mostRedirects = 10;

export interface Wanted {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** A path below the endpoint (`/v2/…`), or where the registry has led to. */
  readonly at: string | URL;
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Asked for again when the request has to be made again. */
  readonly body?: () => Readable | Uint8Array | Promise<Readable | Uint8Array>;
  /** Statuses that are answers and not refusals. */
  readonly expect: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** What all sessions share. */
export interface Services {
  readonly transport: Transport;
  readonly endpoints: Endpoints;
  readonly tokens: Tokens;
  readonly timings: Timings;
}

export class Session {
  readonly endpoint: Endpoint;
  readonly #services: Services;
  readonly #credentials: Credentials;
  /** The registry's way of authentication, when it has told. */
  #challenge: Challenge | undefined;

  hasAnswered = false;

  constructor(endpoint: Endpoint, credentials: Credentials, services: Services) {
    this.endpoint = endpoint;
    this.#credentials = endpoint.isMirror ? { kind: "anonymous" } : credentials;
    this.#services = services;
  }

  url(at: string | URL): URL {
    if (at instanceof URL) return at;
    const { base, host, namespace } = this.endpoint;
    const url = new URL(base + (host?.overridesPath === true ? at.replace(/^\/v2/, "") : at));
    if (namespace !== undefined) url.searchParams.set("ns", namespace);
    return url;
  }

  /** @returns an answer of an expected status, its body unread. @throws RegistryError, NetworkError, the signal's reason */
  async ask(wanted: Wanted): Promise<Answer> {
    const answer = await this.#follow(wanted);
    if (wanted.expect.includes(answer.status)) return answer;
    throw await refusalOf(answer, this.#services.timings.answerMs);
  }

  /** The same, with its body. @throws TooLong */
  async read(wanted: Wanted, limit: number): Promise<{ answer: Answer; bytes: Buffer }> {
    const answer = await this.ask(wanted);
    return { answer, bytes: await readAll(answer, limit, this.#services.timings.answerMs) };
  }

  async #follow(wanted: Wanted): Promise<Answer> {
    const { method = "GET" } = wanted;
    let url = withoutUserinfo(this.url(wanted.at));
    let refused: string | undefined;
    let isAnswered = false;
    for (let redirects = 0; ; ) {
      const isOwn = url.origin === this.endpoint.origin;
      const authorization = isOwn ? await abortable(this.#authorization(wanted.scopes, refused), wanted.signal) : undefined;
      const answer = await this.#call(wanted, method, url, authorization);
      // Once for the challenge, once more for a token that was kept and is no longer good.
      if (
        answer.status === 401 &&
        isOwn &&
        refused === undefined &&
        !(isAnswered && authorization === undefined) &&
        this.#challenged(answer, authorization)
      ) {
        isAnswered = true;
        refused = authorization;
        await discard(answer);
        continue;
      }
      if (isOwn) this.hasAnswered = true;
      if (answer.status === 401 && isOwn && authorization === undefined && this.#challenge?.scheme === "basic") {
        await discard(answer);
        throw noBasicCredentials();
      }
      const target = answer.status >= 301 && answer.status <= 308 ? answer.headers.location : undefined;
      if (target === undefined || (method !== "GET" && method !== "HEAD")) return answer;
      await discard(answer);
      redirects += 1;
      url = followed(url, target, redirects);
    }
  }

  async #call({ headers, body, signal }: Wanted, method: string, url: URL, authorization: string | undefined): Promise<Answer> {
    const { transport, endpoints } = this.#services;
    const host = url.origin === this.endpoint.origin ? this.endpoint.host : undefined;
    const tls = await abortable(endpoints.tls(url, { of: host?.tls }), signal);
    try {
      return await transport.call({
        method,
        url,
        tls,
        headers: { ...host?.headers, ...headers, ...(authorization === undefined ? {} : { authorization }) },
        ...(host?.connectMs === undefined ? {} : { connectMs: host.connectMs }),
        ...(body === undefined ? {} : { body: await body() }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      // Docker meets a registry that cannot be reached at its first request, which is this one.
      const isFirst = error.kind === "unreachable" && url.origin === this.endpoint.origin;
      throw isFirst ? ofRequest("GET", `${this.endpoint.base}/v2/`, error) : ofRequest(method, url, error);
    }
  }

  async #authorization(scopes: readonly string[], refused: string | undefined): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const credentials = this.#credentials;
    if (challenge.scheme === "basic") return credentials.kind === "password" ? basic(credentials) : undefined;
    if (credentials.kind === "registryToken") return `Bearer ${credentials.token}`;
    const { realm = "", service = "", scope = "" } = challenge.parameters;
    const all = [...scopes, ...scope.split(" ").filter((text) => text !== "")];
    const request = { realm, service, scopes: all, credentials, registry: new URL(this.endpoint.base), tls: this.endpoint.host?.tls };
    try {
      const { value } = await this.#services.tokens.get(request, refused?.replace(/^Bearer /, ""));
      return `Bearer ${value}`;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      throw new Unauthenticated(error.status, error.code, error.message, error.retryAfterMs);
    }
  }

  /** Takes what the registry asks for. @returns whether there is something to answer it with that has not been tried */
  #challenged(answer: Answer, tried: string | undefined): boolean {
    const challenges = challengesOf(answer.headers["www-authenticate"]);
    const { kind } = this.#credentials;
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const challenge = bearer ?? challenges.find(({ scheme }) => scheme === "basic");
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    if (challenge.scheme === "basic") return kind === "password" && tried === undefined;
    return kind !== "registryToken" || tried === undefined;
  }

  /** For `login`, when the registry has answered: what its token server gives in place of the password. */
  async refreshToken(): Promise<string | undefined> {
    if (this.#challenge?.scheme !== "bearer" || this.#credentials.kind === "registryToken") return undefined;
    const { realm = "", service = "" } = this.#challenge.parameters;
    const registry = new URL(this.endpoint.base);
    const tls = this.endpoint.host?.tls;
    const request = { realm, service, scopes: [], credentials: this.#credentials, registry, tls, isOffline: true };
    return (await this.#services.tokens.get(request)).refreshToken;
  }
}

/** @throws NetworkError in Go's words */
function followed(url: URL, target: string, redirects: number): URL {
  const astray = (at: URL, why: string): NetworkError => ofRequest("GET", at, new NetworkError("astray", why));
  const next = URL.canParse(target, url) ? new URL(target, url) : undefined;
  if (next === undefined) throw astray(url, `failed to parse Location header ${JSON.stringify(target)}`);
  if (!/^https?:$/.test(next.protocol)) throw astray(next, `unsupported protocol scheme ${JSON.stringify(next.protocol.slice(0, -1))}`);
  if (redirects > mostRedirects) throw astray(next, `stopped after ${mostRedirects} redirects`);
  return withoutUserinfo(next);
}

/** Node would make an Authorization of it. */
function withoutUserinfo(url: URL): URL {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare;
}

/** Work that others may share goes on; who has left does not wait for it. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
