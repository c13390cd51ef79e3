import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { cancelled } from "../base/base.ts";
import { bodyStream, readJson } from "./body.ts";
import { takeConnection } from "./hijack.ts";
import { Query } from "./query.ts";
import { acceptWebSocket } from "./web-socket.ts";

export interface CallParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** With an upgrade: the connection, and what the client sent behind its request. */
  readonly upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined;
  readonly minor: number;
  readonly path: string;
  readonly search: string;
}

/** One request, and the ways to answer it. Exactly one answer is given. */
export class Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: Query;
  /** Minor version of the API that the client speaks; the major one is 1. */
  readonly minor: number;
  readonly path: string;
  params: Readonly<Record<string, string>> = {};
  readonly #upgrade: CallParts["upgrade"];
  #signal: AbortSignal | undefined;

  constructor(parts: CallParts) {
    this.request = parts.request;
    this.response = parts.response;
    this.minor = parts.minor;
    this.path = parts.path;
    this.query = new Query(parts.search);
    this.#upgrade = parts.upgrade;
  }

  /** A part of the path, `{name}` in the route's pattern. */
  param(name: string): string {
    return this.params[name] ?? "";
  }

  body(): Promise<Record<string, unknown> | undefined> {
    return readJson(this.request);
  }

  /** The body as it comes. It may be left before its end: the rest is dropped when the answer is out. */
  upload(): Readable {
    const body = bodyStream(this.request);
    this.response.on("finish", () => body.destroy());
    return body;
  }

  /** Aborts when the client hangs up before it has its answer. Half closed counts, as it does in dockerd. */
  get signal(): AbortSignal {
    this.#signal ??= hangUpSignal(this.request, this.response);
    return this.#signal;
  }

  json(status: number, value: unknown): void {
    this.bytes(status, "application/json", Buffer.from(`${JSON.stringify(value)}\n`));
  }

  bytes(status: number, type: string, body: Uint8Array): void {
    this.response.writeHead(status, { "Content-Type": type, "Content-Length": body.length });
    this.response.end(this.request.method === "HEAD" ? undefined : body);
  }

  empty(status: number): void {
    if (status !== 204 && status !== 304) this.response.setHeader("Content-Length", 0);
    this.response.writeHead(status);
    this.response.end();
  }

  /** Sends the head at once, and then what is written. */
  open(type: string): void {
    // Not only a stream of many lines, also the one value of a wait must not be held back.
    this.response.writeHead(200, { "Content-Type": type });
    this.response.flushHeaders();
  }

  /** Sends a part; resolves when there is room for the next. @throws Cancelled when the client is gone */
  write(chunk: string | Uint8Array): Promise<void> | void {
    const { response } = this;
    if (response.destroyed || response.writableEnded) throw cancelled("the client has gone");
    if (!response.write(chunk)) return drained(response);
  }

  end(): void {
    this.response.end();
  }

  /**
   * The connection's descriptor, for somebody who sends a body on it in our place; undefined where what goes out must
   * pass through us: encrypted, without chunks, or behind another request's answer that is not out yet.
   */
  get descriptor(): number | undefined {
    const { socket } = this.request;
    if (this.#upgrade !== undefined || this.response.socket === null || "encrypted" in socket || this.request.httpVersion !== "1.1")
      return undefined;
    // Node does not document it, and does not hide it either: where it is missing, the bytes take the long way.
    const { _handle } = socket as unknown as { readonly _handle?: { readonly fd?: unknown } };
    return typeof _handle?.fd === "number" && _handle.fd >= 0 ? _handle.fd : undefined;
  }

  /** Sends the head, lets another send the body's chunks on the connection itself, and ends when that is done. */
  async sendElsewhere(type: string, begin: () => void, done: Promise<void>): Promise<void> {
    const { socket } = this.request;
    done.catch(() => undefined);
    this.open(type);
    // The head must be out before the body: nothing of ours may be left in the queue.
    if (socket.writableLength > 0) await Promise.race([once(socket, "drain"), once(socket, "close")]);
    // A connection that is there still has had its descriptor all the time: nobody was given another by that number.
    if (socket.destroyed) throw cancelled("the client has gone");
    begin();
    await done;
    this.end();
  }

  /** Takes the connection from HTTP: the answer's head is sent, what follows is the caller's, both ways. */
  hijack(type: string): Duplex {
    return takeConnection(this.request, this.response, this.#upgrade, type);
  }

  /** As {@link hijack}, over a WebSocket. `multiplexed`: what is written has stream headers that the client is not to see. */
  webSocket(multiplexed: boolean): Promise<Duplex> {
    return acceptWebSocket(this.request, this.response, this.#upgrade, multiplexed);
  }

  get upgraded(): boolean {
    return this.#upgrade !== undefined;
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      response.off("drain", settle);
      response.off("close", settle);
      if (response.destroyed || response.errored) reject(cancelled("the client has gone"));
      else resolve();
    };
    response.on("drain", settle);
    response.on("close", settle);
  });
}

function hangUpSignal(request: IncomingMessage, response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const { socket } = request;
  const hangUp = (): void => {
    socket.off("end", hangUp);
    response.off("close", hangUp);
    if (!response.writableFinished) controller.abort(cancelled("the client has gone"));
  };
  socket.on("end", hangUp);
  response.on("close", hangUp);
  if (socket.destroyed || response.destroyed || socket.readableEnded) hangUp();
  return controller.signal;
}
