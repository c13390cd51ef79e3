/**
 * A stream over a WebSocket (RFC 6455), for `/containers/x/attach/ws`: what browsers can attach with. Docker sends the
 * container's output without stream headers there, and takes text and binary messages alike as input.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { invalidParameter, StreamFrames } from "../base/base.ts";

/** A message of a client's input; the library refuses longer ones. */
const maxMessageBytes = 16 * 1024 * 1024;

class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #frames: StreamFrames | undefined;

  /** @param multiplexed what is written has Docker's stream headers, which are taken off */
  constructor(socket: WebSocket, multiplexed: boolean) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#frames = multiplexed ? new StreamFrames() : undefined;
    socket.on("message", (data: RawData) => {
      if (!this.push(Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]))) socket.pause();
    });
    socket.on("error", () => undefined); // a close follows
    socket.on("close", () => {
      this.push(null);
      this.destroy();
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const bytes = this.#frames === undefined ? chunk : this.#frames.payloadsOf(chunk);
    if (bytes.length === 0) done();
    else this.#socket.send(bytes, { binary: true }, (error) => done(error ?? null));
  }

  override _final(done: () => void): void {
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }
}

/**
 * Answers the upgrade. The library is loaded by the first client that wants it.
 * @throws InvalidParameter when the client did not ask for a WebSocket
 */
export async function acceptWebSocket(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined,
  multiplexed: boolean,
): Promise<Duplex> {
  const { WebSocketServer } = await import("ws");
  if (upgrade === undefined || request.headers.upgrade?.toLowerCase() !== "websocket") throw invalidParameter("not websocket protocol");
  if (response.socket !== null) response.detachSocket(response.socket);
  const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: maxMessageBytes });
  return await new Promise((resolve, reject) => {
    upgrade.socket.once("close", () => reject(invalidParameter("the client has gone")));
    server.handleUpgrade(request, upgrade.socket, upgrade.head, (socket) => resolve(new WebSocketStream(socket, multiplexed)));
  });
}
