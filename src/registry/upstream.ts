/**
 * A client for what a mirror asks of its upstream: GET and HEAD, with tokens or basic authentication, redirects followed.
 * Credentials and tokens go to the upstream itself; of other hosts, credentials only to one of its own domain that hands
 * out its tokens (`auth.docker.io` for `registry-1.docker.io`). Nobody else gets any (CVE-2020-15157).
 */
import { type IncomingMessage, type OutgoingHttpHeaders, Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import { isIP } from "node:net";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface UpstreamOptions {
  readonly url: URL;
  readonly credentials?: Credentials | undefined;
  /** Silence of the upstream that ends a request. */
  readonly idleMs: number;
}

/** What went wrong with the upstream; `status` is its answer's, undefined when there was none that counts. */
export class UpstreamError extends Error {
  readonly status: number | undefined;
  /** `Retry-After`, in seconds. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: { status?: number | undefined; retryAfter?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.status = details.status;
    this.retryAfter = details.retryAfter;
  }
}

const maxRedirects = 5;
const maxSmallBody = 4 << 20;

export class Upstream implements Disposable {
  readonly #options: UpstreamOptions;
  readonly #agents = { "http:": new PlainAgent({ keepAlive: true }), "https:": new SecureAgent({ keepAlive: true }) };
  /** By repository: what the last challenge led to. */
  readonly #authorizations = new Map<string, { readonly header: string; readonly until: number }>();
  readonly #closing = new AbortController();

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** Aborted when nothing is asked any more. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  [Symbol.dispose](): void {
    this.#closing.abort(new UpstreamError("the registry is shutting down"));
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /**
   * @param path below `/v2/NAME/`
   * @returns an answer of 2xx, whose body the caller reads or destroys
   * @throws UpstreamError
   */
  async ask(method: "GET" | "HEAD", name: string, path: string, headers: OutgoingHttpHeaders = {}): Promise<IncomingMessage> {
    const { url } = this.#options;
    const target = new URL(`${url.pathname.replace(/\/$/, "")}/v2/${name}/${path}`, url);
    let answer = await this.#follow(method, target, headers, this.#authorization(name));
    if (answer.statusCode === 401) {
      answer.destroy();
      const authorization = await this.#answerChallenge(name, answer.headers["www-authenticate"]);
      answer = await this.#follow(method, target, headers, authorization);
    }
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    answer.destroy();
    const retryAfter = /^\d{1,6}$/.test(answer.headers["retry-after"] ?? "") ? Number(answer.headers["retry-after"]) : undefined;
    throw new UpstreamError(`${url.host} answered ${status}`, { status, retryAfter });
  }

  #authorization(name: string): string | undefined {
    const known = this.#authorizations.get(name);
    if (known !== undefined && known.until > Date.now()) return known.header;
    this.#authorizations.delete(name);
    return undefined;
  }

  /** @throws UpstreamError 401 when there is nothing to answer it with */
  async #answerChallenge(name: string, challenge: string | undefined): Promise<string> {
    const { url, credentials } = this.#options;
    const basic = credentials && `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`;
    const refused = new UpstreamError(`${url.host} wants other credentials`, { status: 401 });
    if (/^basic\b/i.test(challenge ?? "")) {
      if (basic === undefined) throw refused;
      this.#remember(name, basic, 3600);
      return basic;
    }
    const fields = new Map(
      [...(challenge ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key.toLowerCase(), value]),
    );
    const realm = URL.parse(fields.get("realm") ?? "");
    if (!/^bearer\b/i.test(challenge ?? "") || realm === null || !/^https?:$/.test(realm.protocol)) throw refused;
    if (url.protocol === "https:" && realm.protocol !== "https:") throw refused;
    const service = fields.get("service");
    if (service !== undefined) realm.searchParams.set("service", service);
    realm.searchParams.set("scope", fields.get("scope") ?? `repository:${name}:pull`);
    const answer = await this.#follow("GET", realm, {}, isOfSameDomain(url, realm) ? basic : undefined);
    if (answer.statusCode !== 200) {
      answer.destroy();
      throw new UpstreamError(`${realm.host} gave no token: ${answer.statusCode}`, { status: answer.statusCode === 429 ? 429 : 401 });
    }
    const { token, access_token: other, expires_in: seconds } = await readJson(answer);
    const text = typeof token === "string" ? token : other;
    if (typeof text !== "string" || !/^[\x21-\x7e]+$/.test(text)) throw refused;
    const header = `Bearer ${text}`;
    this.#remember(name, header, typeof seconds === "number" ? seconds : 60);
    return header;
  }

  #remember(name: string, header: string, seconds: number): void {
    if (this.#authorizations.size >= 1000) this.#authorizations.clear();
    // Not to its last second: it has to arrive, too.
    this.#authorizations.set(name, { header, until: Date.now() + Math.min(seconds, 3600) * 900 });
  }

  async #follow(method: string, first: URL, headers: OutgoingHttpHeaders, authorization: string | undefined): Promise<IncomingMessage> {
    let target = first;
    for (let count = 0; count <= maxRedirects; count++) {
      const own = target.origin === first.origin && authorization !== undefined ? { Authorization: authorization } : {};
      const answer = await this.#send(method, target, { ...headers, ...own });
      const location = answer.headers.location;
      if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || location === undefined) return answer;
      answer.destroy();
      const next = URL.parse(location, target.href);
      if (next === null || !/^https?:$/.test(next.protocol) || (target.protocol === "https:" && next.protocol !== "https:"))
        throw new UpstreamError(`${target.host} redirects to where nobody follows`);
      target = next;
    }
    throw new UpstreamError(`${first.host} redirects too often`);
  }

  #send(method: string, target: URL, headers: OutgoingHttpHeaders, isAgain = false): Promise<IncomingMessage> {
    const isSecure = target.protocol === "https:";
    const limits = { signal: this.#closing.signal, timeout: this.#options.idleMs };
    const settings = { method, headers: { "User-Agent": "berth-registry", ...headers }, ...limits };
    // What is in the URL itself is nobody's credentials.
    const options = { hostname: target.hostname.replace(/^\[|\]$/g, ""), port: target.port, path: `${target.pathname}${target.search}` };
    return new Promise((resolve, reject) => {
      const request = isSecure
        ? secureRequest({ ...options, ...settings, agent: this.#agents["https:"] })
        : plainRequest({ ...options, ...settings, agent: this.#agents["http:"] });
      request.on("timeout", () => request.destroy(new Error("it stalls")));
      request.on("error", (cause: NodeJS.ErrnoException) => {
        // A kept connection that the other side has closed meanwhile says nothing about the other side.
        if (request.reusedSocket && cause.code === "ECONNRESET" && !isAgain) resolve(this.#send(method, target, headers, true));
        else reject(new UpstreamError(`${target.host}: ${cause.message}`, { cause }));
      });
      request.once("response", resolve);
      request.end();
    });
  }
}

/** The same host, or one below the domain that the upstream itself is below. */
function isOfSameDomain(upstream: URL, other: URL): boolean {
  if (upstream.host === other.host) return true;
  if (isIP(upstream.hostname.replace(/^\[|\]$/g, "")) !== 0) return false;
  const domain = upstream.hostname.slice(upstream.hostname.indexOf(".") + 1);
  return domain.includes(".") && (other.hostname === domain || other.hostname.endsWith(`.${domain}`));
}

/** The whole of a small body. @throws UpstreamError */
export async function readSmall(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxSmallBody) throw new UpstreamError("an upstream's answer is too long");
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof UpstreamError ? cause : new UpstreamError("an upstream's answer breaks off", { cause });
  }
  return Buffer.concat(chunks, length);
}

/** @throws UpstreamError */
export async function readJson(answer: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse((await readSmall(answer)).toString());
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    if (error instanceof UpstreamError) throw error;
  }
  throw new UpstreamError("an upstream's answer is no JSON object");
}
