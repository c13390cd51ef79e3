import type { Duplex } from "node:stream";
import { connect } from "node:tls";
import type { TlsOptions } from "./address.ts";

/** A connection over TLS, its handshake done. Without `verify`, the server may have any certificate. */
export function connectTls(host: string, port: number, options: TlsOptions): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const given = {
      host,
      port,
      allowHalfOpen: true,
      servername: /^[\d.]+$|:/.test(host) ? "" : host,
      rejectUnauthorized: options.verify,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.cert === undefined ? {} : { cert: options.cert }),
      ...(options.key === undefined ? {} : { key: options.key }),
    };
    const socket = connect(given);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}
