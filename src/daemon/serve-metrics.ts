import { createServer } from "node:http";
import { log, messageOf } from "../base/base.ts";

/** `HOST:PORT`, as Go splits it. @throws Error in Go's words */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(address);
  if (match === null) {
    const colons = address.replaceAll(/[^:]/g, "").length;
    throw new Error(`address ${address}: ${colons > 1 ? "too many colons in address" : "missing port in address"}`);
  }
  const [, bracketed, plain, text = ""] = match;
  const port = text === "" ? 0 : Number(text);
  if (!/^\d*$/.test(text) || port > 65535) throw new Error(`listen tcp: address ${text}: invalid port`);
  return { host: bracketed ?? plain ?? "", port };
}

/**
 * Serves `GET /metrics` at an address until it is disposed of.
 * @throws Error in dockerd's words
 */
export async function serveMetrics(address: string, text: () => Promise<string>): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/\?.*$/, "");
    if (path !== "/metrics") {
      response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" }).end("404 page not found\n");
      return;
    }
    text().then(
      (body) => response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }).end(body),
      (error: unknown) => response.writeHead(500, { "Content-Type": "text/plain; charset=utf-8" }).end(`${messageOf(error)}\n`),
    );
  });
  const fail = (why: string, cause: unknown): Error => new Error(`failed to start metrics server: ${why}`, { cause });
  let target: { host: string; port: number };
  try {
    target = splitHostPort(address);
  } catch (error) {
    throw fail(messageOf(error), error);
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(fail(`listen tcp ${address}: bind: ${reasons[error.code ?? ""] ?? error.message}`, error)),
    );
    server.listen(target.host === "" ? { port: target.port } : target, resolve);
  });
  const bound = server.address();
  log.info(
    `metrics API listening on ${typeof bound === "object" && bound !== null ? `${bound.address.includes(":") ? `[${bound.address}]` : bound.address}:${bound.port}` : address}`,
  );
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};
