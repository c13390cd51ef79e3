/**
 * Taking a connection away from HTTP, for attach and exec. A client that asks for an upgrade gets 101 and node
 * hands the connection over with whatever followed the request. One that does not ask gets 200 and the same
 * stream; there node's parser has to be taken off the connection, and what it choked on put back.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { hasBody } from "./body.ts";

/** Connections whose request is to be followed by bytes that are no HTTP. */
const expected: WeakSet<Duplex> = new WeakSet();

/** Announces that the request's handler takes the connection, before what follows the request is looked at. */
export function expectHijack(request: IncomingMessage): void {
  const { socket } = request;
  expected.add(socket);
  request.on("end", () => silenceParser(socket));
  // A request without a body ends when someone has looked.
  if (!hasBody(request)) request.resume();
}

/** True when the bytes that are no HTTP request were expected: they are put back for the handler. */
export function keepEarlyBytes(socket: Duplex, error: Error & { rawPacket?: Buffer; bytesParsed?: number }): boolean {
  if (!expected.has(socket) || error.rawPacket === undefined) return false;
  silenceParser(socket as Socket);
  // At once: a stream that has nothing to read may end at any moment, and then takes nothing back.
  const bytes = error.rawPacket.subarray(error.bytesParsed ?? 0);
  if (bytes.length > 0) socket.unshift(bytes);
  return true;
}

/** Node's parser reads from the handle itself until someone listens for data; then it is one of the listeners. */
function silenceParser(socket: Socket): void {
  socket.on("data", () => undefined);
  for (const event of ["data", "end", "timeout"]) socket.removeAllListeners(event);
  socket.pause();
}

/** Sends the head of the answer. @returns the connection, with all bytes behind the request still to be read */
export function takeConnection(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined,
  type: string,
): Duplex {
  const socket = upgrade?.socket ?? request.socket;
  if (response.socket !== null) response.detachSocket(response.socket);
  if (upgrade === undefined) {
    silenceParser(request.socket);
    socket.removeAllListeners("drain");
  } else if (upgrade.head.length > 0) socket.unshift(upgrade.head);
  const fields = response.getHeaderNames().map((name) => `${headerCase(name)}: ${response.getHeader(name)}\r\n`);
  const head =
    upgrade === undefined
      ? `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n`
      : `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`;
  socket.on("error", () => undefined); // the client went away; whoever writes sees the stream destroyed
  // It goes out at the end of this turn: waking the client takes longer than telling the monitor what to start.
  socket.cork();
  socket.write(`${head}${fields.join("")}\r\n`);
  setImmediate(() => socket.uncork());
  return socket;
}

/** `api-version` → `Api-Version`: node keeps names in lower case. */
function headerCase(name: string): string {
  return name.replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

const lingerMs = 2000;

/**
 * Ends a connection so that the client gets all that was written: closing it with bytes of the client's unread
 * would throw away what is on its way to it.
 */
export function closeGracefully(socket: Duplex): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref();
  socket.on("close", () => clearTimeout(timer));
  socket.end(() => {
    if (socket.readableEnded) socket.destroy();
  });
  socket.on("end", () => {
    if (socket.writableFinished) socket.destroy();
  });
  socket.resume();
}
