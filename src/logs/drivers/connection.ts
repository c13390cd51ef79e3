/** Connections to receivers over TCP, TLS and unix sockets; failures in the words of Go's net package. */
import { once } from "node:events";
import { connect as connectPlain, isIPv6, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { errnoOf, messageOf, systemError } from "../../base/base.ts";

export type Target =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "tls"; readonly host: string; readonly port: number; readonly tls: ConnectionOptions };

const connectTimeoutMs = 10_000;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  ENOENT: "connect: no such file or directory",
  EACCES: "connect: permission denied",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  EPROTOTYPE: "connect: protocol wrong type for socket",
  ETIMEDOUT: "i/o timeout",
};

/** `host:port`, an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** `dial tcp 127.0.0.1:514: connect: connection refused` */
export function dialError(network: string, address: string, error: unknown): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = errnoOf(first) ?? "";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    const host = address.replace(/:\d+$/, "");
    return systemError(
      `dial ${network}: lookup ${host}: ${code === "ENOTFOUND" ? "no such host" : "Temporary failure in name resolution"}`,
      error,
    );
  }
  return systemError(`dial ${network} ${address}: ${reasons[code] ?? messageOf(first)}`, error);
}

function open(target: Target): Socket {
  switch (target.kind) {
    case "unix":
      return connectPlain({ path: target.path });
    case "tcp":
      return connectPlain({ host: target.host, port: target.port });
    case "tls":
      return connectTls({ ...target.tls, host: target.host, port: target.port });
  }
}

export class Connection {
  readonly #socket: Socket;
  #error: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    // Who has closed its side reads no more: what would be written now would be lost.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      this.#error ??= systemError("the receiver has closed the connection");
    });
  }

  /** @throws System in Go's words */
  static async open(target: Target): Promise<Connection> {
    const address = target.kind === "unix" ? target.path : hostPort(target.host, target.port);
    const socket = open(target);
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })), connectTimeoutMs);
    try {
      await once(socket, target.kind === "tls" ? "secureConnect" : "connect");
      return new Connection(socket);
    } catch (error) {
      socket.destroy();
      throw dialError(target.kind === "unix" ? "unix" : "tcp", address, error);
    } finally {
      clearTimeout(timer);
    }
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Throws away what comes back, for receivers that say nothing. */
  ignoreInput(): this {
    this.#socket.resume();
    return this;
  }

  /** Resolves when the kernel has taken the bytes. A receiver that takes nothing makes it wait. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((done, fail) => {
      if (this.#error !== undefined) {
        fail(this.#error);
        return;
      }
      const closed = (): void => fail(this.#error ?? systemError("the receiver has closed the connection"));
      this.#socket.once("close", closed);
      this.#socket.write(bytes, (error) => {
        this.#socket.off("close", closed);
        if (error) fail(error);
        else done();
      });
    });
  }

  /** What has been written is still delivered, unless it is to end abruptly. */
  close(abruptly: boolean): void {
    if (abruptly) this.#socket.destroy();
    else this.#socket.destroySoon();
  }
}
