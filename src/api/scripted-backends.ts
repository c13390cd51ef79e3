/**
 * Backends for the tests of this room: each call is written down, and answered by what the test has put in its
 * place. What is not in place fails, as `NotImplemented`. The server in front of them is the real one.
 */
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import { notImplemented } from "../base/base.ts";
import { type Backends, createApiServer } from "./server.ts";

type Part = keyof Backends;
type Answers = { [Name in Part]?: Partial<Backends[Name]> };

function scripted<Name extends Part>(name: Name, answers: Partial<Backends[Name]>, calls: unknown[][]): Backends[Name] {
  return new Proxy(answers, {
    get:
      (target, method) =>
      (...args: unknown[]) => {
        calls.push([`${name}.${String(method)}`, ...args]);
        const answer = (target as Record<string | symbol, unknown>)[method];
        if (typeof answer !== "function") throw notImplemented(`no answer for ${name}.${String(method)}`);
        return answer(...args);
      },
  }) as Backends[Name];
}

/** A server on a socket of its own. */
export class TestServer implements AsyncDisposable {
  readonly path: string;
  readonly calls: unknown[][] = [];
  readonly #server: Server;

  private constructor(path: string, answers: Answers) {
    this.path = path;
    const { calls } = this;
    const backends: Backends = {
      archive: scripted("archive", answers.archive ?? {}, calls),
      containers: scripted("containers", answers.containers ?? {}, calls),
      exec: scripted("exec", answers.exec ?? {}, calls),
      images: scripted("images", answers.images ?? {}, calls),
      networks: scripted("networks", answers.networks ?? {}, calls),
      registries: scripted("registries", answers.registries ?? {}, calls),
      system: scripted("system", answers.system ?? {}, calls),
      trust: scripted("trust", answers.trust ?? {}, calls),
      volumes: scripted("volumes", answers.volumes ?? {}, calls),
    };
    this.#server = createApiServer(backends, { version: "1.2.3" });
  }

  static async start(answers: Answers = {}): Promise<TestServer> {
    const server = new TestServer(`/tmp/berth-test-api-${process.pid}-${TestServer.#count++}.sock`, answers);
    await new Promise<void>((done) => server.#server.listen({ path: server.path }, done));
    return server;
  }

  static #count = 0;

  /** One request with a connection of its own. */
  request(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const head = Object.entries({ host: "d", connection: "close", ...json, ...length, ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    return this.raw(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n${body ?? ""}`);
  }

  /** Sends bytes as they are and reads to the end of the connection. */
  async raw(text: string): Promise<Answer> {
    const { socket, received } = this.connect();
    socket.write(text);
    await new Promise((done) => socket.on("close", done));
    return parseAnswer(received());
  }

  connect(): { socket: Socket; received: () => string; until: (text: string) => Promise<void> } {
    const socket = connect({ path: this.path, allowHalfOpen: true });
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => undefined);
    // A client that has all that it will get closes its side too.
    socket.on("end", () => socket.end());
    const until = async (wanted: string): Promise<void> => {
      for (let tries = 0; !text.includes(wanted); tries++) {
        if (tries > 500) throw new Error(`${JSON.stringify(wanted)} did not come; there is ${JSON.stringify(text)}`);
        await new Promise((done) => setTimeout(done, 10));
      }
    };
    return { socket, received: () => text, until };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The first answer of what came; a body in chunks is put together. */
function parseAnswer(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...fields] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]),
  );
  const rest = text.slice(end + 4);
  return { status: Number(statusLine.split(" ")[1]), headers, body: headers["transfer-encoding"] === "chunked" ? dechunk(rest) : rest };
}

function dechunk(text: string): string {
  let body = "";
  for (let i = 0; ; ) {
    const mark = text.indexOf("\r\n", i);
    const size = Number.parseInt(text.slice(i, mark), 16);
    if (!(size > 0)) return body;
    body += text.slice(mark + 2, mark + 2 + size);
    i = mark + 2 + size + 2;
  }
}
