/** One request and its answer. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { RegistryError } from "./registry-error.ts";

/** Of a body that nobody wants: more than this is not read just to keep a connection. */
const maxDrainBytes = 256 << 10;
const maxDrainMs = 5000;

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  /** What else the client may read; undefined stands for all repositories. */
  mayPull: (repository: string | undefined) => boolean = () => true;
  user: string | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
    response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
    response.setHeader("X-Content-Type-Options", "nosniff");
  }

  get method(): string {
    return this.request.method ?? "GET";
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** HEAD gets the headers alone. */
  send(status: number, headers: OutgoingHttpHeaders, body: string | Uint8Array = ""): void {
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
    const bodiless = status === 204 || status === 304;
    this.response.writeHead(status, { ...(bodiless ? {} : { "Content-Length": length }), ...headers });
    this.response.end(this.method === "HEAD" || bodiless ? undefined : body);
  }

  json(status: number, value: unknown, headers: OutgoingHttpHeaders = {}): void {
    this.send(status, { "Content-Type": "application/json; charset=utf-8", ...headers }, `${JSON.stringify(value)}\n`);
  }

  /** The whole body. @throws when it is longer than `maxBytes` */
  async body(maxBytes: number, tooLarge: () => RegistryError): Promise<Uint8Array> {
    if (Number(this.header("content-length") ?? 0) > maxBytes) throw tooLarge();
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
  }

  /** While we work and the client has nothing to do but to wait, its silence is no reason to leave it. */
  async patiently<T>(work: Promise<T>): Promise<T> {
    const { socket } = this.request;
    const { timeout = 0 } = socket;
    socket.setTimeout(0);
    try {
      return await work;
    } finally {
      socket.setTimeout(timeout);
    }
  }

  /** Answers a failure. What has been answered in part is broken off: its reader must not take it for the whole. */
  fail(error: RegistryError): void {
    if (this.response.headersSent) {
      this.response.destroy();
      return;
    }
    if (!this.request.complete) this.#leaveBody();
    this.send(error.status, { "Content-Type": "application/json; charset=utf-8", ...error.headers }, error.body());
  }

  /** Lets a client that is still sending read the answer, without reading gigabytes from it. */
  #leaveBody(): void {
    const { request, response } = this;
    response.setHeader("Connection", "close");
    let drained = 0;
    const timer = setTimeout(() => request.destroy(), maxDrainMs);
    timer.unref();
    request.on("data", (chunk: Uint8Array) => {
      drained += chunk.byteLength;
      if (drained > maxDrainBytes && response.writableFinished) request.destroy();
    });
    request.on("error", () => undefined);
    request.once("close", () => clearTimeout(timer));
    request.resume();
  }
}

/** @throws UNSUPPORTED for what is not there to be changed */
export function onlyRead(exchange: Exchange): void {
  if (exchange.method !== "GET" && exchange.method !== "HEAD") throw new RegistryError("UNSUPPORTED", { headers: { Allow: "GET, HEAD" } });
}

/** `n` of a list. @throws UNSUPPORTED */
export function limitOf(query: URLSearchParams, most: number): number {
  const text = query.get("n");
  if (text === null) return most;
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text), most);
  throw new RegistryError("UNSUPPORTED", { status: 400, message: "invalid number of results requested", detail: { n: text } });
}

/** The `Link` to what follows (RFC 5988), relative to the server. */
export function nextLink(path: string, query: Readonly<Record<string, string>>): string {
  return `<${path}?${new URLSearchParams(query)}>; rel="next"`;
}
