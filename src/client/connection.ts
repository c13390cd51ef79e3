/** One HTTP/1.1 request on a connection of its own: its head and body out, the answer's head in, failures in Docker's words. */
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type EngineError, errnoOf, forbidden, isEngineError, systemError, unavailable } from "../base/errors.ts";
import type { Address } from "./address.ts";
import { chunkedBody, sizedBody } from "./http-body.ts";
import { type Head, headEnd, maxHeadBytes, parseHead } from "./http-head.ts";

export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes are sent with their length, an iterable as chunks while it yields. */
  readonly body?: RequestBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose head has arrived. Read `body` to its end or `close` it. */
export interface Response extends Head {
  readonly body: AsyncIterable<Buffer>;
  readonly socket: Duplex;
  close(): void;
}

function connectionError(address: Address, error: unknown): EngineError {
  const code = errnoOf(error);
  if (code === "EACCES" || code === "EPERM")
    return forbidden(`permission denied while trying to connect to the Berth daemon socket at ${address.text}: run as root`, error);
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EHOSTUNREACH" || code === "ENOTSOCK")
    return unavailable(`Cannot connect to the Berth daemon at ${address.text}. Is the berth daemon running?`, error);
  return systemError(`error during connect: ${error instanceof Error ? error.message : String(error)}`, error);
}

/** A raw connection to the daemon. @throws Unavailable, Forbidden or System when there is none */
export async function dial(address: Address): Promise<Duplex> {
  // What is rare is loaded when it is used.
  if (address.kind === "ssh") return listened((await import("./ssh-connection.ts")).connectSsh(address));
  if (address.kind === "unix" || address.tls === undefined) return dialPlain(address);
  const { connectTls } = await import("./tls-connection.ts");
  try {
    return listened(await connectTls(address.host, address.port, address.tls));
  } catch (error) {
    throw connectionError(address, error);
  }
}

/** Failures are seen by whoever reads; without a listener they would end the process. */
const listened = (socket: Duplex): Duplex => socket.on("error", () => {});

function dialPlain(address: Exclude<Address, { kind: "ssh" }>): Promise<Socket> {
  // The other side may end its half first (an attached process whose output is over): the writing half stays ours to end.
  const socket =
    address.kind === "unix"
      ? connect({ path: address.path, allowHalfOpen: true })
      : connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true });
  return new Promise((resolve, reject) => {
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      listened(socket);
      resolve(socket);
    });
    socket.once("error", (error) => reject(connectionError(address, error)));
  });
}

function readHead(socket: Duplex): Promise<Head> {
  return new Promise((resolve, reject) => {
    let data: Buffer = Buffer.alloc(0);
    const done = (): void => {
      socket.off("data", onData).off("end", onEnd).off("close", onEnd);
      socket.pause();
    };
    const onEnd = (): void => {
      done();
      const failure = socket.errored;
      reject(isEngineError(failure) ? failure : unavailable("the daemon closed the connection before it answered; its log says why"));
    };
    const onData = (chunk: Buffer): void => {
      data = data.length === 0 ? chunk : Buffer.concat([data, chunk]);
      const end = headEnd(data);
      if (end < 0) {
        if (data.length <= maxHeadBytes) return;
        done();
        reject(systemError("the response's head is too long"));
        return;
      }
      let head: Head;
      try {
        head = parseHead(data.toString("latin1", 0, end - 4));
      } catch (error) {
        done();
        reject(error);
        return;
      }
      // 100 Continue and its like come before the answer; 101 is one.
      if (head.status >= 100 && head.status < 200 && head.status !== 101) {
        const rest = data.subarray(end);
        data = Buffer.alloc(0);
        if (rest.length > 0) onData(rest);
        return;
      }
      done();
      if (end < data.length) socket.unshift(data.subarray(end));
      resolve(head);
    };
    socket.on("data", onData).on("end", onEnd).on("close", onEnd);
  });
}

async function sendChunks(socket: Duplex, body: AsyncIterable<Uint8Array>): Promise<void> {
  const write = (data: Uint8Array | string): Promise<void> =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) reject(new Error("closed"));
      else socket.write(data, (error) => (error ? reject(error) : resolve()));
    });
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    const sent = write("\r\n");
    socket.uncork();
    await sent;
  }
  await write("0\r\n\r\n");
}

function headText(address: Address, method: string, path: string, options: RequestOptions): string {
  const { body } = options;
  // As Docker's own client does: a socket has no host name.
  let text = `${method} ${path} HTTP/1.1\r\nHost: ${address.kind === "tcp" ? `${address.host}:${address.port}` : "api.berth.localhost"}\r\nUser-Agent: Berth-Client\r\n`;
  // A daemon that may keep the connection reads on what it has refused already. One that closes would cut off its own
  // answer: Node drops what there is to be read from a connection that cannot be written to.
  const streams = body !== undefined && typeof body === "object" && !(body instanceof Uint8Array);
  if (options.headers?.["Connection"] === undefined && !streams) text += "Connection: close\r\n";
  for (const [name, value] of Object.entries(options.headers ?? {})) text += `${name}: ${value.replace(/[\r\n]/g, "")}\r\n`;
  if (typeof body === "string" || body instanceof Uint8Array) text += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  else if (body !== undefined) text += "Transfer-Encoding: chunked\r\n";
  else if (method !== "GET" && method !== "HEAD") text += "Content-Length: 0\r\n";
  return `${text}\r\n`;
}

async function* rawBody(socket: Duplex): AsyncGenerator<Buffer, void> {
  for await (const chunk of socket) yield chunk;
}

function bodyOf(method: string, head: Head, socket: Duplex): AsyncIterable<Buffer> {
  const length = head.headers.get("content-length");
  if (method === "HEAD" || head.status === 204 || head.status === 304) return sizedBody(socket, 0);
  if (head.headers.get("transfer-encoding")?.toLowerCase() === "chunked") return chunkedBody(socket);
  if (length !== undefined) return sizedBody(socket, Number(length));
  return rawBody(socket);
}

/**
 * Sends one request on a new connection and waits for the head of the answer, whatever its status. A body
 * that is still being sent goes on meanwhile: a daemon answers with progress while it reads.
 * @throws Unavailable, Forbidden or System when there is no answer
 */
export async function request(address: Address, method: string, path: string, options: RequestOptions = {}): Promise<Response> {
  options.signal?.throwIfAborted();
  const socket = await dial(address);
  const abort = (): void => void socket.destroy();
  options.signal?.addEventListener("abort", abort, { once: true });
  socket.once("close", () => options.signal?.removeEventListener("abort", abort));
  const { body } = options;
  const text = headText(address, method, path, options);
  let sourceFailed: unknown;
  if (typeof body === "string") socket.write(text + body);
  else {
    socket.write(text);
    if (body instanceof Uint8Array) socket.write(body);
    else if (body !== undefined)
      sendChunks(socket, body).catch((error: unknown) => {
        // A connection that the daemon closed shows in its answer; a source that cannot be read must be told.
        if (!socket.destroyed && errnoOf(error) !== "EPIPE" && errnoOf(error) !== "ECONNRESET") {
          sourceFailed = error;
          socket.destroy();
        }
      });
  }
  try {
    const head = await readHead(socket);
    return { ...head, socket, body: bodyOf(method, head, socket), close: abort };
  } catch (error) {
    socket.destroy();
    options.signal?.throwIfAborted();
    throw sourceFailed ?? error;
  }
}
