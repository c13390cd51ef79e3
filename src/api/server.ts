/** The HTTP server: node:http with the limits of long-lived connections, in front of the dispatcher. */
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type {
  ArchiveBackend,
  ContainerBackend,
  ExecBackend,
  ImageBackend,
  NetworkBackend,
  RegistryBackend,
  SystemBackend,
  TrustBackend,
  VolumeBackend,
} from "./backend.ts";
import { Dispatcher } from "./dispatch.ts";
import { closeGracefully, keepEarlyBytes } from "./hijack.ts";
import { Router } from "./router.ts";
import { archiveRoutes } from "./routes/archive.ts";
import { containerRoutes } from "./routes/containers.ts";
import { execRoutes } from "./routes/exec.ts";
import { imageRoutes } from "./routes/images.ts";
import { networkRoutes } from "./routes/networks.ts";
import { registryRoutes } from "./routes/registries.ts";
import { systemRoutes } from "./routes/system.ts";
import { trustRoutes } from "./routes/trust.ts";
import { unavailableRoutes } from "./routes/unavailable.ts";
import { volumeRoutes } from "./routes/volumes.ts";

export interface Backends {
  readonly archive: ArchiveBackend;
  readonly containers: ContainerBackend;
  readonly exec: ExecBackend;
  readonly images: ImageBackend;
  readonly networks: NetworkBackend;
  readonly registries: RegistryBackend;
  readonly system: SystemBackend;
  readonly trust: TrustBackend;
  readonly volumes: VolumeBackend;
}

export interface ApiOptions {
  /** Berth's own version, for the `Server` header. */
  readonly version: string;
  /** Makes the server, where it is not plain HTTP: `https.createServer` with its certificates. */
  readonly create?: (options: object) => Server;
}

const headersTimeoutMs = 5 * 60 * 1000;

/**
 * An HTTP server that is to be told where to listen. Every address gets one of its own. Connections are kept
 * open and long requests are never cut: a client may wait for a container for years.
 */
export function createApiServer(backends: Backends, options: ApiOptions): Server {
  const router = new Router([
    ...systemRoutes(backends.system),
    ...containerRoutes(backends.containers),
    ...archiveRoutes(backends.archive),
    ...execRoutes(backends.exec),
    ...imageRoutes(backends.images),
    ...networkRoutes(backends.networks),
    ...registryRoutes(backends.registries),
    ...trustRoutes(backends.trust),
    ...volumeRoutes(backends.volumes),
    ...unavailableRoutes(),
  ]);
  const dispatcher = new Dispatcher(router, `Berth/${options.version} (linux)`);
  const create: (settings: object) => Server = options.create ?? createServer;
  const server = create({
    // Of attached streams each direction ends on its own. An http server has this by itself, an https one not.
    allowHalfOpen: true,
    keepAliveTimeout: 0,
    requestTimeout: 0,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: headersTimeoutMs / 5,
    // As Go has it: registry credentials and filters travel in the head.
    maxHeaderSize: 1024 * 1024,
    // An upgrade that no route knows, such as h2c, is left alone and the request answered.
    shouldUpgradeCallback: (request: IncomingMessage) => dispatcher.hijacks(request),
  });
  // A client that has ended its side still gets its answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on("request", (request, response) => void dispatcher.answer(request, response));
  server.on("upgrade", (request, socket, head) => void upgrade(dispatcher, request, socket, head));
  server.on("clientError", refuse);
  return server;
}

async function upgrade(dispatcher: Dispatcher, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on("error", () => undefined);
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  // When the answer is not the upgrade but an error.
  response.on("finish", () => closeGracefully(socket));
  await dispatcher.answer(request, response, { socket, head });
}

/** Bytes that are no HTTP. */
function refuse(error: Error & { code?: string; rawPacket?: Buffer; bytesParsed?: number }, socket: Duplex): void {
  if (keepEarlyBytes(socket, error)) return;
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`);
}
