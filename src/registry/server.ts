/** The server: limits on what clients may cost, who may what, the access log, and failures as the specification words them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { errnoOf, log, messageOf } from "../base/base.ts";
import { type Access, needOf } from "./access.ts";
import type { BlobFiles } from "./blob-files.ts";
import type { Catalogue } from "./catalogue.ts";
import { Exchange, onlyRead } from "./exchange.ts";
import type { Metrics } from "./metrics.ts";
import type { Mirror } from "./mirror.ts";
import { isName, prefixOf } from "./names.ts";
import { explained, RegistryError } from "./registry-error.ts";
import { type Route, routeOf } from "./route.ts";
import { serveBlob } from "./serve-blob.ts";
import { serveCatalog, serveReferrers, serveTags } from "./serve-lists.ts";
import { serveManifest } from "./serve-manifest.ts";
import { serveUpload, serveUploads } from "./serve-upload.ts";
import type { Uploads } from "./uploads.ts";

/** What requests are served from. */
export interface Registry {
  readonly catalogue: Catalogue;
  readonly files: BlobFiles;
  readonly uploads: Uploads;
  readonly access: Access;
  readonly mirror: Mirror | undefined;
  readonly metrics: Metrics;
  readonly readOnly: boolean;
  /** Silence of a client, on a connection that it uses, that ends it. */
  readonly idleMs: number;
  /** @throws DENIED for a repository that is filled from an upstream */
  refuseCopies(repository: string): void;
}

/** A request line and headers of docker's with a long token have 8 KiB. */
const maxHeaderBytes = 32 << 10;
const headersTimeoutMs = 20_000;
const maxConnections = 10_000;

export function createRegistryServer(registry: Registry, tls: SecureContextOptions | undefined): Server {
  const settings = { maxHeaderSize: maxHeaderBytes, insecureHTTPParser: false, requireHostHeader: true, keepAlive: true };
  const limits = { headersTimeout: headersTimeoutMs, requestTimeout: 0, keepAliveTimeout: 75_000, connectionsCheckingInterval: 5000 };
  const listener = (request: IncomingMessage, response: ServerResponse): void => void answer(registry, request, response);
  const server =
    tls === undefined
      ? createServer({ ...settings, ...limits }, listener)
      : // An https server is an http server to all who use it; only its type is not.
        (createSecureServer({ ...settings, ...limits, ...tls, minVersion: "TLSv1.2" }, listener) as unknown as Server);
  server.maxConnections = maxConnections;
  // A blob of gigabytes may take hours; a client that sends or takes nothing may not.
  server.setTimeout(registry.idleMs, (socket) => socket.destroy());
  return server;
}

async function answer(registry: Registry, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const started = performance.now();
  const exchange = new Exchange(request, response);
  // What breaks the connection is told to whoever reads or writes it.
  response.on("error", () => undefined);
  let kind: Route["kind"] | "other" = "other";
  const done = registry.metrics.begin();
  response.once("close", () => {
    const seconds = (performance.now() - started) / 1000;
    done(exchange.method, kind, response.statusCode, seconds);
    log.info("request", {
      method: exchange.method,
      uri: request.url,
      status: response.statusCode,
      durationMs: Math.round(seconds * 1e5) / 100,
      remote: request.socket.remoteAddress,
      ...(exchange.user === undefined ? {} : { user: exchange.user }),
      ...(response.writableFinished ? {} : { broken: true }),
    });
  });
  try {
    const route = routeOf(exchange.path, namespaceOf(exchange));
    if (route === undefined) throw new RegistryError("UNSUPPORTED", { status: 404, message: "page not found" });
    kind = route.kind;
    await admit(registry, exchange, route);
    await dispatch(registry, exchange, route);
  } catch (error) {
    exchange.fail(asRegistryError(explained(error)));
  }
}

/**
 * containerd says by `ns` whose repository it asks a mirror for: then the name is below that registry's own, so that one
 * registry's names are never answered with another's.
 */
function namespaceOf(exchange: Exchange): string | undefined {
  const within = exchange.query.get("ns");
  if (within === null || within === "" || within === exchange.header("host")) return undefined;
  const plain = prefixOf(within);
  if (plain === undefined) throw new RegistryError("NAME_INVALID", { detail: { ns: within } });
  return plain;
}

async function admit(registry: Registry, exchange: Exchange, route: Route): Promise<void> {
  const from = route.kind === "uploads" ? exchange.query.get("from") : null;
  const need = needOf(route, exchange.method, from !== null && isName(from) ? from : undefined);
  const remote = exchange.request.socket.remoteAddress ?? "";
  const grant = await registry.access.authorize(exchange.header("authorization"), remote, need);
  exchange.mayPull = (repository) => grant.mayPull(repository);
  exchange.user = grant.user;
  const changes = !["GET", "HEAD"].includes(exchange.method);
  if (registry.readOnly && changes)
    throw new RegistryError("UNSUPPORTED", { message: "the registry is read-only", headers: { Allow: "GET, HEAD" } });
}

async function dispatch(registry: Registry, exchange: Exchange, route: Route): Promise<void> {
  switch (route.kind) {
    case "base":
      onlyRead(exchange);
      return exchange.json(200, {});
    case "catalog":
      return serveCatalog(registry, exchange);
    case "tags":
      return serveTags(registry, exchange, route.repository);
    case "referrers":
      return serveReferrers(registry, exchange, route.repository, route.digest);
    case "manifest":
      return serveManifest(registry, exchange, route.repository, route.reference);
    case "blob":
      return serveBlob(registry, exchange, route.repository, route.digest);
    case "uploads":
      return serveUploads(registry, exchange, route.repository);
    case "upload":
      return serveUpload(registry, exchange, route.repository, route.id);
  }
}

/** Connections that end early are nobody's fault; what else is not the client's is logged. */
function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) {
    if (error.status >= 500) log.error(error.message, { cause: messageOf(error.cause) });
    return error;
  }
  const broken = ["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "ECONNABORTED", "EPIPE", "ABORT_ERR"].includes(errnoOf(error) ?? "");
  if (!broken) log.error("a request failed", { error: messageOf(error), stack: error instanceof Error ? error.stack : undefined });
  return new RegistryError("UNKNOWN", { cause: error });
}
