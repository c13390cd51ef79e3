/** Upstreams for tests: real ones on loopback, that answer as they are told. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { Upstream } from "./dns.ts";
import { nameOf } from "./sample-message.ts";

export interface Received {
  readonly packet: Buffer;
  readonly overTcp: boolean;
  readonly from?: RemoteInfo;
  /** Sends something to who asked, at once. */
  readonly send: (packet: Uint8Array) => void;
}

/** Gets each question; what it returns is sent. */
export type Behaviour = (received: Received) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

const words = (...values: number[]): Buffer => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));

export interface SampleAnswer {
  readonly addresses?: readonly string[];
  readonly ttl?: number;
  readonly code?: number;
  readonly truncated?: boolean;
  /** The minimum of an SOA record, which goes with it. */
  readonly negativeTtl?: number;
}

/** The question of a packet, as it is there. */
export const questionOf = (packet: Buffer): Buffer => packet.subarray(12, packet.indexOf(0, 12) + 5);

export function answerTo(packet: Buffer, { addresses = [], ttl = 30, code = 0, truncated, negativeTtl }: SampleAnswer): Buffer {
  const records = addresses.map((text) => Buffer.concat([words(0xc00c, 1, 1, 0, ttl, 4), Buffer.from(text.split(".").map(Number))]));
  const soa = Buffer.concat([nameOf("ns.test"), nameOf("root.test"), words(0, 1, 0, 2, 0, 3, 0, 4, 0, negativeTtl ?? 0)]);
  return Buffer.concat([
    packet.subarray(0, 2),
    words(0x8180 | code | (truncated ? 0x0200 : 0), 1, records.length, negativeTtl === undefined ? 0 : 1, 0),
    questionOf(packet),
    ...records,
    ...(negativeTtl === undefined ? [] : [nameOf("test"), words(6, 1, 0, 900, soa.length), soa]),
  ]);
}

export class SampleServer implements AsyncDisposable {
  readonly upstream: Upstream;
  /** What has been asked, over whichever transport. */
  readonly received: Received[] = [];
  behaviour: Behaviour;
  readonly #udp: Socket;
  readonly #tcp: Server;

  private constructor(udp: Socket, tcp: Server, behaviour: Behaviour) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.behaviour = behaviour;
    this.upstream = { address: udp.address().address, port: udp.address().port };
    udp.on("message", (packet, from) => {
      const send = (answer: Uint8Array): void => udp.send(answer, from.port, from.address);
      void this.#answer({ packet, overTcp: false, from, send });
    });
    tcp.on("connection", (socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", (part: Buffer) => {
        const send = (answer: Uint8Array): void => {
          // In two pieces, since streams come as they like.
          const all = Buffer.concat([words(answer.length), answer]);
          socket.write(all.subarray(0, 1));
          setTimeout(() => socket.writable && socket.write(all.subarray(1)), 5);
        };
        void this.#answer({ packet: part.subarray(2), overTcp: true, send });
      });
    });
  }

  async #answer(received: Received): Promise<void> {
    this.received.push(received);
    const answer = await this.behaviour(received);
    if (answer !== undefined) received.send(answer);
  }

  /** `asked` 0: any port. */
  static async listen(behaviour: Behaviour, address = "127.0.0.1", asked = 0): Promise<SampleServer> {
    const tcp = createServer().listen(asked, address);
    await once(tcp, "listening");
    const { port } = tcp.address() as { port: number };
    const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
    udp.bind(port, address);
    await once(udp, "listening");
    return new SampleServer(udp, tcp, behaviour);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [once(this.#udp, "close"), once(this.#tcp, "close")];
    this.#udp.close();
    this.#tcp.close();
    await Promise.all(closed);
  }
}
