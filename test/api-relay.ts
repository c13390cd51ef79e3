/**
 * A relay between the clients of a test and its daemon that reads along. Each answer is held against the description
 * of the API, and each request is written down: docs/api.md tells which test drives which endpoint and parameter.
 *
 * Bytes pass as they are, each direction ends on its own, and a side that does not read holds up the other, so that
 * clients meet the daemon as they would without. What is no HTTP any more (attach, exec) is passed on unread.
 */
import { createServer, connect as open, type Server, type Socket } from "node:net";
import { type Head, HttpTap } from "./http-tap.ts";
import type { ApiDescription } from "./openapi.ts";

interface Asked {
  readonly method: string;
  /** As the client wrote it: with version and query. */
  readonly target: string;
}

/** Endpoint (`GET /containers/json`) → names of the parameters that were given. */
export type Driven = Map<string, Set<string>>;

const maxBodyBytes = 32 * 1024 * 1024;
const streams = /^\/(events|containers\/[^/]+\/stats|images\/create|images\/load|images\/.+\/push|build)$/;

export class ApiRelay {
  readonly violations: string[] = [];
  /** Where clients connect. */
  readonly path: string;
  readonly #description: ApiDescription;
  readonly #driven: Driven;
  readonly #target: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  private constructor(path: string, target: string, description: ApiDescription, driven: Driven) {
    this.path = path;
    this.#target = target;
    this.#description = description;
    this.#driven = driven;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  }

  /**
   * @param path where clients connect
   * @param target the daemon's socket
   * @param driven what is asked for is added here
   */
  static async listen(path: string, target: string, description: ApiDescription, driven: Driven): Promise<ApiRelay> {
    const relay = new ApiRelay(path, target, description, driven);
    await new Promise<void>((done, fail) => {
      relay.#server.once("error", fail);
      relay.#server.listen(path, done);
    });
    return relay;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const daemon = open({ path: this.#target, allowHalfOpen: true });
    const asked: Asked[] = [];
    const requests = this.#requestTap(asked);
    const answers = this.#answerTap(asked, requests);
    this.#pass(client, daemon, (chunk) => requests.push(chunk));
    this.#pass(daemon, client, (chunk) => answers.push(chunk));
    daemon.on("end", () => answers.close());
  }

  #pass(from: Socket, to: Socket, look: (chunk: Buffer) => void): void {
    this.#sockets.add(from);
    from.on("data", (chunk: Buffer) => {
      look(chunk);
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      // What was written to the other side before still has to arrive there.
      if (from.readableEnded) to.end();
      else to.destroy();
    });
  }

  #requestTap(asked: Asked[]): HttpTap {
    let current: Asked | undefined;
    let upgrade = false;
    let hasBody = false;
    const tap: HttpTap = new HttpTap("request", {
      head: ({ start, headers }) => {
        const [method = "", target = ""] = start.split(" ");
        current = { method, target };
        upgrade = headers.has("upgrade");
        hasBody = false;
        asked.push(current);
        this.#record(current, headers);
        return undefined;
      },
      body: () => {
        if (!hasBody && current !== undefined) this.#driven.get(this.#endpointOf(current) ?? "")?.add("(body)");
        hasBody = true;
      },
      end: () => {
        if (upgrade) tap.stop();
      },
    });
    return tap;
  }

  #endpointOf({ method, target }: Asked): string | undefined {
    const template = this.#description.templateOf(method, target);
    return template === undefined ? undefined : `${method} ${template}`;
  }

  #record(asked: Asked, headers: ReadonlyMap<string, string>): void {
    const endpoint = this.#endpointOf(asked);
    if (endpoint === undefined) return;
    const names = this.#driven.get(endpoint) ?? new Set();
    const mark = asked.target.indexOf("?");
    if (mark >= 0) for (const name of new URLSearchParams(asked.target.slice(mark)).keys()) names.add(name);
    for (const name of ["X-Registry-Auth", "X-Registry-Config", "Content-type"]) if (headers.has(name.toLowerCase())) names.add(name);
    this.#driven.set(endpoint, names);
  }

  #answerTap(asked: Asked[], requests: HttpTap): HttpTap {
    let answer: Answer | undefined;
    const tap: HttpTap = new HttpTap("answer", {
      head: (head) => {
        const status = Number(head.start.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
        if (status === 100) return false;
        const request = asked.shift();
        const isRaw = status === 101 || /vnd\.docker\.(raw|multiplexed)-stream/.test(head.headers.get("content-type") ?? "");
        if (isRaw && !head.headers.has("transfer-encoding")) {
          requests.stop();
          tap.stop();
        }
        if (request === undefined) return undefined;
        answer = new Answer(request, status, head);
        const isEmpty = request.method === "HEAD" || status === 204 || status === 304;
        return isEmpty ? false : undefined;
      },
      body: (chunk) => {
        for (const value of answer?.take(chunk) ?? []) this.#check(answer as Answer, value);
      },
      end: () => {
        for (const value of answer?.finish() ?? []) this.#check(answer as Answer, value);
        answer = undefined;
      },
    });
    return tap;
  }

  #check({ request: { method, target }, status }: Answer, text: string | undefined): void {
    const path = plainPath(target);
    if (path.startsWith("/berth/")) return;
    let value: unknown;
    try {
      value = text === undefined ? undefined : JSON.parse(text);
    } catch {
      this.violations.push(`${method} ${path} ${status}: not JSON: ${text?.slice(0, 200)}`);
      return;
    }
    // What is no path of the API is refused, and that is all there is to say.
    if (status === 404 && this.#description.templateOf(method, target) === undefined) return;
    for (const violation of this.#description.check(method, target, status, value))
      if (!this.violations.includes(violation) && this.violations.length < 50) this.violations.push(violation);
  }
}

function plainPath(target: string): string {
  const path = target.replace(/^\/v[\d.]+(?=\/)/, "").replace(/\?.*$/, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The JSON texts in one answer: its body, or of a stream its lines. */
class Answer {
  readonly request: Asked;
  readonly status: number;
  readonly #isJson: boolean;
  readonly #isStream: boolean;
  #text: Buffer[] = [];
  #bytes = 0;

  constructor(request: Asked, status: number, head: Head) {
    this.request = request;
    this.status = status;
    this.#isJson = (head.headers.get("content-type") ?? "").startsWith("application/json");
    this.#isStream = status === 200 && streams.test(plainPath(request.target));
  }

  take(chunk: Buffer): string[] {
    this.#bytes += chunk.length;
    if (!this.#isJson || (!this.#isStream && this.#bytes > maxBodyBytes)) return [];
    this.#text.push(Buffer.from(chunk));
    if (!this.#isStream || !chunk.includes(10)) return [];
    const lines = Buffer.concat(this.#text).toString().split("\n");
    this.#text = [Buffer.from(lines.pop() ?? "")];
    return lines.filter((line) => line.trim() !== "");
  }

  finish(): (string | undefined)[] {
    if (this.#bytes === 0) return this.#isStream ? [] : [undefined];
    if (!this.#isJson || this.#isStream || this.#bytes > maxBodyBytes) return [];
    return [Buffer.concat(this.#text).toString()];
  }
}
