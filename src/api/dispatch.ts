import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { httpStatus, invalidParameter, isEngineError, log, messageOf, systemFailureOf } from "../base/base.ts";
import { Call } from "./call.ts";
import { expectHijack } from "./hijack.ts";
import { type Match, parseTarget, type Router } from "./router.ts";
import { apiVersion, negotiate } from "./versions.ts";

export interface Upgrade {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Answers requests by the table of routes. Whatever a handler throws becomes an answer here. */
export class Dispatcher {
  readonly #router: Router;
  readonly #product: string;

  /** @param product the `Server` header: name/version */
  constructor(router: Router, product: string) {
    this.#router = router;
    this.#product = product;
  }

  /** Does the request's route take the connection? Asked before an upgrade is accepted. */
  hijacks(request: IncomingMessage): boolean {
    return this.#find(request)?.match?.route.hijacks === true;
  }

  async answer(request: IncomingMessage, response: ServerResponse, upgrade?: Upgrade): Promise<void> {
    response.setHeader("Api-Version", apiVersion);
    response.setHeader("Docker-Experimental", "false");
    response.setHeader("Ostype", "linux");
    response.setHeader("Server", this.#product);
    try {
      await this.#run(request, response, upgrade);
    } catch (error) {
      this.#fail(request, response, error);
    }
  }

  #find(request: IncomingMessage): { target: NonNullable<ReturnType<typeof parseTarget>>; match: Match | undefined } | undefined {
    const target = parseTarget(request.url ?? "");
    if (target === undefined) return undefined;
    return { target, match: this.#router.find(request.method ?? "", target.path) };
  }

  async #run(request: IncomingMessage, response: ServerResponse, upgrade: Upgrade | undefined): Promise<void> {
    log.debug(`handling ${request.method} request`, { method: request.method, "request-url": request.url });
    const found = this.#find(request);
    if (found === undefined) throw invalidParameter("malformed request path");
    const { target, match } = found;
    const minor = negotiate(target.version, target.path);
    const call = new Call({ request, response, upgrade, minor, path: target.path, search: target.search });
    if (match === undefined) {
      if (request.method === "OPTIONS") return call.empty(200);
      return call.json(404, { message: "page not found" });
    }
    // Before anything is awaited: what follows the request may be looked at by node's parser right after this.
    if (match.route.hijacks === true && upgrade === undefined) {
      expectHijack(request);
      response.shouldKeepAlive = false;
    }
    call.params = match.params;
    await match.route.handler(call);
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const code = isEngineError(error) ? error.code : "System";
    if (code === "Cancelled" && (response.destroyed || request.socket.destroyed)) return;
    const systemFailure = systemFailureOf(error);
    const message = systemFailure ?? messageOf(error);
    const what = { method: request.method, path: request.url, error: message };
    if (systemFailure !== undefined) log.error("a request failed", what);
    else if (!isEngineError(error))
      log.error("a request failed with a bug", { ...what, stack: error instanceof Error ? error.stack : undefined });
    else if (httpStatus[code] >= 500)
      log.error("a request failed", { ...what, cause: error.cause === undefined ? undefined : messageOf(error.cause) });
    else log.debug("a request was refused", what);
    if (response.headersSent || response.socket === null) {
      // Half an answer is out: break the connection, so that the client does not take it for a whole one.
      request.socket.destroy();
      return;
    }
    const body = Buffer.from(`${JSON.stringify({ message })}\n`);
    const status = httpStatus[code];
    if (status === 304) {
      response.writeHead(304);
      response.end();
      return;
    }
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": body.length });
    response.end(body);
  }
}
