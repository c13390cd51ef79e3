/**
 * An API server of canned answers, for tests that compare the two clients: `docker` and `berth` are pointed at
 * the same socket, and must ask the same and print the same. It is no engine and is not in the bundle.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";

export interface Asked {
  readonly method: string;
  /** Without the version. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A JSON value, a text that is sent as it is, or a status with a message. */
export type Answer =
  | { readonly json: unknown; readonly status?: number }
  | { readonly text: string; readonly type?: string; readonly status?: number }
  | { readonly failure: number; readonly message: string }
  | { readonly hijack: (stream: Duplex) => void; readonly type?: string };

export type Script = Readonly<Record<string, Answer | ((asked: Asked, times: number) => Answer)>>;

const parseBody = (text: string): unknown => {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
};

export class ScriptedDaemon implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Of each request, pings too. */
  readonly headers: IncomingHttpHeaders[] = [];
  script: Script = {};
  readonly host: string;
  readonly #server: Server;
  readonly #folder: string;
  readonly #raw: Set<Duplex> = new Set();

  private constructor(server: Server, folder: string) {
    this.#server = server;
    this.#folder = folder;
    this.host = `unix://${join(folder, "d.sock")}`;
  }

  static async open(): Promise<ScriptedDaemon> {
    const folder = mkdtempSync("/tmp/berth-test-cli-");
    const server = createServer();
    const daemon = new ScriptedDaemon(server, folder);
    server.on("request", (request, response) => void daemon.#serve(request, response));
    server.on("upgrade", (request, socket, head) => void daemon.#upgrade(request, socket, head));
    await new Promise<void>((done) => server.listen(join(folder, "d.sock"), done));
    return daemon;
  }

  #record(request: IncomingMessage, text: string): Asked {
    const url = new URL(request.url ?? "/", "http://d");
    const asked: Asked = {
      method: request.method ?? "",
      path: decodeURIComponent(url.pathname).replace(/^\/v\d+\.\d+/, ""),
      query: Object.fromEntries(url.searchParams),
      body: parseBody(text),
    };
    this.headers.push(request.headers);
    if (asked.path !== "/_ping") this.asked.push(asked);
    return asked;
  }

  #answer(asked: Asked): Answer {
    const key = `${asked.method} ${asked.path}`;
    const found = this.script[key];
    const times = this.asked.filter((one) => `${one.method} ${one.path}` === key).length;
    if (found !== undefined) return typeof found === "function" ? found(asked, times) : found;
    return { failure: 404, message: `page not found: ${key}` };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const asked = this.#record(request, text);
    response.setHeader("Api-Version", "1.51");
    response.setHeader("Ostype", "linux");
    if (asked.path === "/_ping") {
      response.end(request.method === "HEAD" ? "" : "OK");
      return;
    }
    const answer = this.#answer(asked);
    if ("failure" in answer) {
      response.writeHead(answer.failure, { "Content-Type": "application/json" });
      response.end(answer.failure === 304 ? "" : `${JSON.stringify({ message: answer.message })}\n`);
    } else if ("json" in answer) {
      response.writeHead(answer.status ?? 200, { "Content-Type": "application/json" });
      response.end(answer.status === 204 ? "" : `${JSON.stringify(answer.json)}\n`);
    } else if ("text" in answer) {
      response.writeHead(answer.status ?? 200, { "Content-Type": answer.type ?? "application/json" });
      response.end(answer.text);
    } else response.destroy();
  }

  /** Node gives the body of a request to upgrade as the request's own stream; what follows it is the head. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#raw.add(socket);
    socket.on("error", () => {});
    let body = "";
    for await (const chunk of request) body += chunk;
    const answer = this.#answer(this.#record(request, body));
    if ("hijack" in answer) {
      const type = answer.type ?? "application/vnd.docker.multiplexed-stream";
      socket.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 1.51\r\n\r\n`);
      if (head.length > 0) socket.unshift(head);
      answer.hijack(socket);
      return;
    }
    const text = `${JSON.stringify({ message: "failure" in answer ? answer.message : "no stream" })}\n`;
    const status = "failure" in answer ? answer.failure : 500;
    socket.end(
      `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    );
  }

  /** Ends all hijacked connections. */
  hangUp(): void {
    for (const socket of this.#raw) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A frame of a multiplexed stream. */
export function frame(stream: 1 | 2, text: string): Buffer {
  const data = Buffer.from(text);
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, data]);
}
