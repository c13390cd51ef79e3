import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { messageOf } from "../base/base.ts";
import type { TlsSettings } from "./settings.ts";

/**
 * What makes an HTTPS server with the administrator's certificates. The library is loaded only where it is asked for.
 * @throws Error in dockerd's words when a file cannot be read
 */
export async function secureServer(tls: TlsSettings): Promise<(options: object) => Server> {
  const { createServer } = await import("node:https");
  try {
    const material = {
      cert: readFileSync(tls.cert),
      key: readFileSync(tls.key),
      minVersion: "TLSv1.2" as const,
      ...(tls.verify ? { ca: readFileSync(tls.ca), requestCert: true, rejectUnauthorized: true } : {}),
    };
    // An https server is an http server to all who use it; only its type is not.
    return (options) => createServer({ ...options, ...material }) as unknown as Server;
  } catch (error) {
    throw new Error(`failed to load TLS certificates: ${messageOf(error)}`, { cause: error });
  }
}
