/** One HTTP exchange: connection, proxy, TLS, deadlines. Redirects and credentials are the session's. */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket, SocketConstructorOpts } from "node:net";
import type { Readable } from "node:stream";
import { errnoOf } from "../base/base.ts";
import type { TlsSettings } from "./certificates.ts";
import type { Timings } from "./distribution.ts";
import { NetworkError, networkError } from "./network-error.ts";
import { type ProxySettings, proxyFor } from "./proxies.ts";

export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Readable | Uint8Array;
  readonly tls: TlsSettings;
  /** Until a connection stands, in place of the common one. */
  readonly connectMs?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** With its reason: `404 Not Found`. */
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  readonly body: IncomingMessage;
}

const readBytes = 256 << 10;

/**
 * Plain connections read into one buffer, all into the same: the parser, which is called at once, copies what is a body's. Otherwise each
 * read gets a new buffer that lies about until it is collected, and takes 64 KB at most: twice the work, and tens of megabytes.
 */
function readingIntoOne(): Pick<SocketConstructorOpts, "onread"> {
  let buffer: Buffer | undefined;
  return {
    onread: {
      buffer: () => {
        buffer ??= Buffer.allocUnsafeSlow(readBytes);
        return buffer;
      },
      callback(this: Socket, bytes: number, read: Uint8Array): boolean {
        this.emit("data", read.subarray(0, bytes));
        return true;
      },
    },
  };
}

export class Transport {
  readonly #timings: Timings;
  readonly #userAgent: string;
  readonly #agents = new Map<string, HttpAgent | HttpsAgent>();
  readonly #contexts = new WeakMap<TlsSettings, number>();
  #contextCount = 0;
  #proxies: ProxySettings;

  constructor(timings: Timings, userAgent: string, proxies: ProxySettings) {
    this.#timings = timings;
    this.#userAgent = userAgent;
    this.#proxies = proxies;
  }

  /** For new connections, with whatever else has changed. */
  set proxies(proxies: ProxySettings) {
    this.#proxies = proxies;
    this.#agents.clear();
  }

  /** Ends with the answer's headers; its body is to be read, or destroyed. @throws NetworkError, or the signal's reason */
  call(call: Call): Promise<Answer> {
    const { url, signal } = call;
    const options: RequestOptions = {
      method: call.method,
      agent: this.#agent(url, call.tls),
      headers: { "user-agent": this.#userAgent, ...call.headers },
      ...(signal === undefined ? {} : { signal }),
    };
    return new Promise((resolve, reject) => {
      const sent = url.protocol === "https:" ? httpsRequest(url, options) : httpRequest(url, options);
      const isStream = call.body !== undefined && !(call.body instanceof Uint8Array);
      let isAnswered = false;
      const deadline = this.#deadlines(sent, call, isStream);
      const fail = (error: unknown): void => {
        deadline.end();
        if (call.body !== undefined && !(call.body instanceof Uint8Array)) call.body.destroy();
        // The server has closed a connection that was kept, before it saw the request.
        const isStale = sent.reusedSocket && (errnoOf(error) === "ECONNRESET" || errnoOf(error) === "EPIPE");
        if (signal?.aborted === true) reject(signal.reason);
        else if (isStale && !isAnswered && !isStream) resolve(this.call(call));
        else reject(networkError(error));
      };
      sent.on("error", fail);
      sent.on("response", (body) => {
        isAnswered = true;
        deadline.end();
        // Its reader hears of it; without one nobody need.
        body.on("error", () => undefined);
        // An answer before all is sent is a refusal: what is left is not sent.
        body.once("close", () => {
          if (sent.writableFinished) return;
          if (call.body !== undefined && !(call.body instanceof Uint8Array)) call.body.destroy();
          sent.destroy();
        });
        // A late failure is the body's reader's to hear of.
        sent.on("error", () => undefined);
        const { statusCode: status = 0, statusMessage = "", headers } = body;
        resolve({ status, statusText: `${status} ${statusMessage}`, headers, url, body });
      });
      if (call.body === undefined) sent.end();
      else if (call.body instanceof Uint8Array) sent.end(call.body);
      else {
        call.body.on("error", (error) => sent.destroy(error));
        call.body.pipe(sent);
      }
    });
  }

  /** A connection has to stand by its time, then the headers by theirs; while a body is sent, only standing still is counted. */
  #deadlines(sent: ReturnType<typeof httpRequest>, { url, ...call }: Call, isSending: boolean): { end(): void } {
    const { answerMs, stallMs } = this.#timings;
    const connectMs = call.connectMs ?? this.#timings.connectMs;
    let timer: NodeJS.Timeout | undefined;
    const within = (ms: number, error: () => NetworkError): void => {
      clearTimeout(timer);
      timer = setTimeout(() => sent.destroy(error()), ms);
    };
    const awaitAnswer = (): void => {
      if (isSending) sent.setTimeout(stallMs, () => sent.destroy(new NetworkError("broken", "write: i/o timeout")));
      const awaiting = (): void => within(answerMs, () => new NetworkError("broken", "net/http: timeout awaiting response headers"));
      clearTimeout(timer);
      if (isSending) sent.once("finish", awaiting);
      else awaiting();
    };
    within(connectMs, () => new NetworkError("unreachable", `dial tcp ${url.host}: i/o timeout`));
    sent.once("socket", (socket) => {
      // A tunnel of a proxy has its handshake behind it.
      const isUp = !socket.connecting && (url.protocol !== "https:" || ("secureConnecting" in socket && socket.secureConnecting === false));
      if (sent.reusedSocket || isUp) awaitAnswer();
      else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", awaitAnswer);
    });
    return {
      end: () => {
        clearTimeout(timer);
        if (isSending) sent.setTimeout(0);
      },
    };
  }

  #agent(url: URL, tls: TlsSettings): HttpAgent | HttpsAgent {
    const proxy = proxyFor(url, this.#proxies);
    const isTls = url.protocol === "https:";
    const context = isTls ? this.#numberOf(tls) : 0;
    const key = `${context} ${proxy ?? ""}`;
    let agent = this.#agents.get(key);
    if (agent !== undefined) return agent;
    const options = {
      keepAlive: true,
      // Idle connections go before most servers close them, so that a request does not meet one that is closing.
      timeout: 15_000,
      ...(proxy === undefined ? {} : { proxyEnv: isTls ? { HTTPS_PROXY: proxy } : { HTTP_PROXY: proxy } }),
    };
    agent = isTls
      ? new HttpsAgent({ ...options, secureContext: tls.context, rejectUnauthorized: tls.verify })
      : new HttpAgent({ ...options, ...readingIntoOne() });
    this.#agents.set(key, agent);
    return agent;
  }

  #numberOf(tls: TlsSettings): number {
    const known = this.#contexts.get(tls);
    if (known !== undefined) return known;
    this.#contextCount += 1;
    this.#contexts.set(tls, this.#contextCount);
    return this.#contextCount;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

/** The whole of a body, when it is no longer than `limit` and is there in time. @throws NetworkError */
export async function readAll({ body }: Answer, limit: number, withinMs: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(
    () => body.destroy(new NetworkError("broken", "net/http: request canceled (Client.Timeout exceeded while reading body)")),
    withinMs,
  );
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw new TooLong(limit);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw error instanceof TooLong ? error : networkError(error);
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

/** Reads a short body to its end, so that the connection can be used again; drops a long one, or a slow one, with its connection. */
export async function discard(answer: Answer): Promise<void> {
  await readAll(answer, 64 * 1024, 1000).catch(() => undefined);
}

export class TooLong extends Error {
  constructor(limit: number) {
    super(`the answer is longer than ${limit} bytes`);
    this.name = "TooLong";
  }
}
