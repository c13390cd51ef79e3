import type { Server } from "node:http";

export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** `HOST:PORT`, `[::1]:PORT` or `:PORT`, which is every address. @throws Error */
export function parseAddress(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) throw new Error(`address ${text}: HOST:PORT is needed`);
  return { host: bracketed ?? plain ?? "", port: Number(port) };
}

/** Listens until it is disposed of; connections that are still there then are broken after `patienceMs`. */
export async function listening(
  server: Server,
  address: ListenAddress,
  patienceMs = 0,
): Promise<{ readonly port: number } & AsyncDisposable> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.host === "" ? { port: address.port } : { ...address }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : address.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), patienceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}
