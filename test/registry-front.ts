/** For tests: a server in front of a registry, on any address, with TLS or without, that sees each request and may get in its way. */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";

export interface FrontRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** Of its body, so far. */
  bytes: number;
}

export interface FrontOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  readonly tls?: ServerOptions;
  /** Answers, and says so; else the registry does. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** After each piece of a request's body. True: both connections are cut. */
  readonly cuts?: (request: FrontRequest) => boolean;
}

export class RegistryFront implements AsyncDisposable {
  readonly seen: FrontRequest[] = [];
  readonly host: string;
  readonly #close: () => Promise<void>;

  private constructor(host: string, close: () => Promise<void>) {
    this.host = host;
    this.#close = close;
  }

  /** @param registry `host:port` of what answers, by HTTP */
  static async open(registry: string, { address = "127.0.0.1", tls, instead, cuts }: FrontOptions = {}): Promise<RegistryFront> {
    const sockets = new Set<Socket>();
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const { method = "", url = "", headers } = request;
      const seen: FrontRequest = { method, url, headers, bytes: 0 };
      front.seen.push(seen);
      if (instead?.(request, response) === true) return;
      // With the front's own name: a registry may lead its clients back to where they asked.
      const [name, port] = registry.split(":");
      // To a registry of several others' content, `ns` would name one of these.
      const path = url.replace(/\?ns=[^&]*$/, "");
      const sent = httpRequest({ host: name, port, method, path, headers, agent: false }, (answered) => {
        response.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(response);
      });
      sent.on("error", () => response.destroy());
      response.on("error", () => sent.destroy());
      request.on("data", (piece: Buffer) => {
        seen.bytes += piece.length;
        if (cuts?.(seen) !== true) return;
        request.unpipe(sent);
        request.socket.destroy();
        // What has come is to get there first.
        sent.write("", () => sent.destroy());
      });
      request.pipe(sent);
    };
    const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const front = new RegistryFront(`${address}:${(server.address() as AddressInfo).port}`, async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return front;
  }

  /** What has been sent of blobs of a repository. */
  blobBytes(repository: string): number {
    return this.seen.reduce((sum, { url, bytes }) => (url.startsWith(`/v2/${repository}/blobs/`) ? sum + bytes : sum), 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
