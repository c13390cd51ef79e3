/** For tests: registries on loopback whose every answer is the test's, and certificates for them. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Digest, digestOf, parseReference } from "../base/base.ts";
import type { Credentials } from "./credentials.ts";
import type { Distribution, DistributionOptions, Remote } from "./distribution.ts";
import { openDistribution } from "./open.ts";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

export interface Rough extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly port: number;
  readonly seen: Seen[];
  /** Connections that have been made. */
  readonly connections: readonly Socket[];
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse, index: number) => unknown;

/** A server that behaves so. `tls`: PEMs of its certificate and key. */
export async function rough(behaviour: Behaviour, tls?: { cert: string; key: string }, atPort = 0): Promise<Rough> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const connections: Socket[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    response.on("error", () => undefined);
    void behaviour(request, response, seen.length - 1);
  };
  const server: Server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    connections.push(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(atPort, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    port,
    seen,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Scratch extends AsyncDisposable {
  readonly folder: string;
  /** Of partial blobs. */
  readonly root: string;
  readonly client: Distribution;
  remote(name: string, credentials?: Credentials): Remote;
  /** Ends the client, and makes another on the same files. */
  restart(): Promise<void>;
}

export async function scratch(options: Partial<DistributionOptions> = {}): Promise<Scratch> {
  const folder = await mkdtemp(join(tmpdir(), "berth-test-distribution-"));
  const root = join(folder, "partial");
  const timings = { connectMs: 2000, answerMs: 2000, stallMs: 300, retryMs: 10, retryAfterMs: 2000, progressMs: 5, ...options.timings };
  const proxies = { httpProxy: "", httpsProxy: "", noProxy: "" };
  const open = (): Promise<Distribution> => openDistribution({ root, certificates: join(folder, "certs.d"), proxies, ...options, timings });
  let client = await open().catch(async (error: unknown) => {
    await rm(folder, { recursive: true });
    throw error;
  });
  return {
    folder,
    root,
    get client() {
      return client;
    },
    remote: (name, credentials) => client.remote(parseReference(name), credentials),
    async restart() {
      await client[Symbol.asyncDispose]();
      client = await open();
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** Bytes that no compression or repetition makes equal by chance. */
export function blobOf(length: number, seed = 1): { bytes: Buffer; digest: Digest; size: number } {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0, value = seed; at < length; at += 1) {
    value = (value * 1103515245 + 12345) % 2147483648;
    bytes[at] = value >> 16;
  }
  return { bytes, digest: digestOf(bytes), size: length };
}

export function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string | Buffer = ""): void {
  response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers });
  response.end(body);
}

/** As registries refuse. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  send(response, status, { "content-type": "application/json", ...headers }, JSON.stringify({ errors: [{ code, message }] }));
}

/** An authority and a certificate by it, for 127.0.0.1 and localhost, and perhaps one more address. */
export async function certificates(address = "127.0.0.2"): Promise<{ ca: string; cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), "berth-test-certificates-"));
  const run = promisify(execFile);
  const openssl = (...args: string[]): Promise<unknown> => run("openssl", args, { cwd: folder });
  try {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2");
    await openssl("req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=registry");
    await writeFile(join(folder, "names"), `subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1,IP:${address}\n`);
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"];
    await openssl("x509", "-req", "-in", "request.pem", "-out", "cert.pem", ...by);
    const pem = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
    return { ca: await pem("ca.pem"), cert: await pem("cert.pem"), key: await pem("key.pem") };
  } finally {
    await rm(folder, { recursive: true });
  }
}
