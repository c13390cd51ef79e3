import type { Duplex } from "node:stream";
import { EngineError, type ErrorCode, httpStatus, isEngineError, systemError } from "../base/errors.ts";
import { type Address, defaultHost, parseAddress, type TlsOptions } from "./address.ts";
import { type Response, request } from "./connection.ts";
import { jsonLines } from "./json-lines.ts";

/** The newest API that Berth speaks. */
export const apiVersion = "1.51";

type QueryValue = string | number | boolean | undefined;
export type Query = Readonly<Record<string, QueryValue | readonly string[]>>;

export interface CallOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is (tar streams). */
  readonly stream?: AsyncIterable<Uint8Array> | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** A path of Berth's own, which has no version in front. */
  readonly unversioned?: true;
  readonly signal?: AbortSignal | undefined;
}

/** A connection that has become a raw stream. `multiplexed`: the daemon said that stdout and stderr come framed. */
export interface Hijacked {
  readonly socket: Duplex;
  readonly multiplexed: boolean | undefined;
}

/** `a=1&b=2`; undefined, false and empty values are left out, as Docker's client does. Arrays repeat their key. */
function queryText(query: Query): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(query)) {
    const values = typeof value === "object" ? value : [value];
    for (const one of values) {
      if (one === undefined || one === false || one === "") continue;
      parts.push(`${encodeURIComponent(key)}=${encodeURIComponent(one === true ? "1" : String(one))}`);
    }
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

const codeOf = (status: number): ErrorCode => {
  for (const [code, known] of Object.entries(httpStatus)) if (known === status) return code as ErrorCode;
  return status >= 500 ? "System" : "InvalidParameter";
};

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function errorOf(response: Response): Promise<EngineError> {
  const text = await textOf(response.body);
  let message = text.trim();
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed !== null && typeof parsed === "object" && "message" in parsed) message = String(parsed.message);
  } catch {
    // Not Docker's error shape (a proxy's, say): its text is the message.
  }
  if (message === "") message = `request returned ${response.status} ${response.reason}`.trim();
  return new EngineError(codeOf(response.status), `Error response from daemon: ${message}`);
}

export interface ClientOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TlsOptions | undefined;
  /** The API version to speak whatever the daemon can. */
  readonly version?: string | undefined;
}

/** Calls of the Engine API. Every call rejects with an EngineError whose message is ready to be shown. */
export class EngineClient {
  readonly address: Address;
  #version: Promise<string> | undefined;
  /** Called when nobody answers at the address, before the call is tried once more: it may start a daemon. */
  whenNotRunning: (() => Promise<void>) | undefined;

  readonly #headers: Readonly<Record<string, string>>;

  /** `host`: as `-H` takes it. `headers` go with every request. */
  constructor(host: string, { headers = {}, tls, version }: ClientOptions = {}) {
    this.#headers = headers;
    this.address = parseAddress(host, tls);
    // Berth's own socket has Berth behind it, of this very checkout; others are asked what they speak.
    if (version !== undefined) this.#version = Promise.resolve(version);
    else if (host === defaultHost) this.#version = Promise.resolve(apiVersion);
  }

  /** The API version to speak: ours, or the daemon's where that is older. */
  version(): Promise<string> {
    this.#version ??= this.ping().then(({ version }) => {
      const [major = 1, minor = 0] = version.split(".").map(Number);
      return major > 1 || minor >= 51 ? apiVersion : version;
    });
    return this.#version;
  }

  async ping(): Promise<{ version: string }> {
    const response = await request(this.address, "HEAD", "/_ping");
    response.close();
    return { version: response.headers.get("api-version") ?? apiVersion };
  }

  async #request(version: string, method: string, path: string, options: CallOptions): Promise<Response> {
    const prefix = options.unversioned === true ? "" : `/v${version}`;
    const json = options.json === undefined ? undefined : JSON.stringify(options.json);
    const type = json !== undefined ? "application/json" : options.stream !== undefined ? "application/x-tar" : undefined;
    const send = (): Promise<Response> =>
      request(this.address, method, `${prefix}${path}${queryText(options.query ?? {})}`, {
        headers: { ...this.#headers, ...(type === undefined ? {} : { "Content-Type": type }), ...options.headers },
        body: json ?? options.stream,
        signal: options.signal,
      });
    try {
      return await send();
    } catch (error) {
      // Nothing was sent when there was nobody to connect to, so that the body is still whole.
      if (this.whenNotRunning === undefined || !isNotRunning(error)) throw error;
      await this.whenNotRunning();
      return send();
    }
  }

  /** One call; the caller reads the body or closes it. @throws EngineError for a status of 400 and above */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    // Our newest version is tried right away. Before a stream, which cannot be sent twice, and before HEAD, whose
    // refusal does not say why, the daemon is asked.
    const known = this.#version !== undefined || options.stream !== undefined || method === "HEAD";
    const response = await this.#request(known ? await this.version() : apiVersion, method, path, options);
    if (response.status < 400) return response;
    let error: EngineError;
    try {
      error = await errorOf(response);
    } finally {
      response.close();
    }
    const newest = known ? undefined : /too new\. Maximum supported API version is (\d+\.\d+)/.exec(error.message)?.[1];
    if (newest === undefined) throw error;
    this.#version = Promise.resolve(newest);
    return this.call(method, path, options);
  }

  /** A call whose answer is one JSON document. */
  async json<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const text = await this.text(method, path, options);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw systemError(`the daemon answered ${path} with something that is not JSON`, error);
    }
  }

  /** A call whose answer is kept as the daemon wrote it. */
  async text(method: string, path: string, options: CallOptions = {}): Promise<string> {
    const response = await this.call(method, path, options);
    try {
      return await textOf(response.body);
    } finally {
      response.close();
    }
  }

  /** A call whose answer does not matter. */
  async send(method: string, path: string, options: CallOptions = {}): Promise<void> {
    (await this.call(method, path, options)).close();
  }

  /** A call that is answered by a stream of JSON documents. */
  async *lines<T>(method: string, path: string, options: CallOptions = {}): AsyncGenerator<T, void> {
    const response = await this.call(method, path, options);
    try {
      yield* jsonLines<T>(response.body);
    } finally {
      response.close();
    }
  }

  /** Turns the connection into a raw stream (attach, exec). */
  async hijack(path: string, options: CallOptions = {}): Promise<Hijacked> {
    const response = await this.call("POST", path, { ...options, headers: { Connection: "Upgrade", Upgrade: "tcp" } });
    const type = response.headers.get("content-type");
    const multiplexed = type === undefined ? undefined : /multiplexed-stream/.test(type) ? true : undefined;
    return { socket: response.socket, multiplexed };
  }
}

/** Whether no daemon answers there: it may be started. */
export function isNotRunning(error: unknown): boolean {
  return isEngineError(error, "Unavailable") && error.cause !== undefined;
}
