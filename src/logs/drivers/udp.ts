import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { errnoOf } from "../../base/base.ts";
import { dialError, hostPort } from "./connection.ts";

/** Nobody listening, or too long for a datagram: there is nothing to gain from sending it again. */
const lost: ReadonlySet<string | undefined> = new Set(["ECONNREFUSED", "EMSGSIZE"]);

export class UdpSocket {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.unref();
  }

  /** @throws System in Go's words when the host has no address */
  static async open(host: string, port: number): Promise<UdpSocket> {
    try {
      const { address, family } = await lookup(host);
      const socket = createSocket(family === 6 ? "udp6" : "udp4");
      await new Promise<void>((done, fail) => {
        socket.once("error", fail);
        socket.connect(port, address, () => {
          socket.off("error", fail);
          done();
        });
      });
      return new UdpSocket(socket);
    } catch (error) {
      throw dialError("udp", hostPort(host, port), error);
    }
  }

  send(datagram: Uint8Array): Promise<void> {
    return new Promise((done, fail) => {
      this.#socket.send(datagram, (error) => {
        if (error === null || lost.has(errnoOf(error))) done();
        else fail(error);
      });
    });
  }

  close(): void {
    this.#socket.close();
  }
}
