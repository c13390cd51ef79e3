/** For tests: a front of a registry, which misbehaves as it is told, and registries that copy what is behind it. */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { MirrorOptions } from "./mirror.ts";
import { ScratchRegistry } from "./scratch-registry.ts";

/** What the front does with a request; `pass` asks the registry behind it and answers with that. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse, pass: () => void) => void;

export class Front implements AsyncDisposable {
  readonly #server: Server;
  readonly host: string;
  behaviour: Behaviour = (_request, _response, pass) => pass();
  /** `METHOD path` of what came. */
  seen: { readonly line: string; readonly authorization: string | undefined; readonly range: string | undefined }[] = [];

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.host = host;
  }

  static async open(port: number | undefined, host = "127.0.0.1"): Promise<Front> {
    const server = createServer((request, response) => {
      const { authorization, range } = request.headers;
      front.seen.push({ line: `${request.method} ${request.url}`, authorization, range });
      response.on("error", () => undefined);
      front.behaviour(request, response, () => {
        const { host: _, ...headers } = request.headers;
        const onward = httpRequest({ host: "127.0.0.1", port, method: request.method, path: request.url, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
        onward.on("error", () => response.destroy());
        request.pipe(onward);
      });
    });
    const front = new Front(server, host);
    server.listen(0, host);
    await once(server, "listening");
    return front;
  }

  get url(): string {
    return `http://${this.host}:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const credentials = { user: "sailor", password: "secret" } as const;

/** A registry that copies what is behind the front to `up/`. */
export function openMirror(front: Front, more: Partial<MirrorOptions> = {}, prefix = "up"): Promise<ScratchRegistry> {
  front.behaviour = (_request, _response, pass) => pass();
  front.seen = [];
  const upstreams = new Map([[prefix, new URL(front.url)]]);
  return ScratchRegistry.open({
    mirror: { upstreams, tagTtlMs: 0, idleMs: 30_000, retryDelayMs: 5, credentialsFor: () => credentials, ...more },
  });
}
