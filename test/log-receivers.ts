/** Receivers of log drivers, for tests: each takes what comes on the loopback or a unix socket, and keeps it. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { gunzipSync, inflateSync } from "node:zlib";

/** A receiver over streams. */
export class StreamReceiver {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #chunks: Buffer[] = [];
  /** Called with what has come, e.g. to answer. */
  onData: ((socket: Socket, bytes: Buffer) => void) | undefined;
  #paused = false;

  private constructor(tls: TlsOptions | undefined) {
    const take = (socket: Socket): void => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes: Buffer) => {
        this.#chunks.push(bytes);
        this.onData?.(socket, bytes);
      });
      if (this.#paused) socket.pause();
    };
    this.#server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  }

  static async listen(where: ListenOptions = {}, tls?: TlsOptions): Promise<StreamReceiver> {
    const receiver = new StreamReceiver(tls);
    receiver.#server.listen(where.path === undefined ? { host: "127.0.0.1", port: 0, ...where } : where);
    await once(receiver.#server, "listening");
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  /** Takes nothing more, or goes on. */
  pause(paused: boolean): void {
    this.#paused = paused;
    for (const socket of this.#sockets)
      if (paused) socket.pause();
      else socket.resume();
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }
}

export interface DatagramReceiver {
  readonly port: number;
  readonly datagrams: Buffer[];
  close(): void;
}

export async function receiveDatagrams(): Promise<DatagramReceiver> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 22 });
  const datagrams: Buffer[] = [];
  socket.on("message", (datagram) => datagrams.push(datagram));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { port: socket.address().port, datagrams, close: () => socket.close() };
}

/** GELF messages out of datagrams: chunks put together, gzip and zlib unpacked. */
export function gelfMessages(datagrams: readonly Buffer[]): Record<string, unknown>[] {
  const parts = new Map<string, Buffer[]>();
  const whole: Buffer[] = [];
  for (const datagram of datagrams) {
    if (datagram.readUInt16BE(0) !== 0x1e0f) {
      whole.push(datagram);
      continue;
    }
    const id = datagram.toString("hex", 2, 10);
    const chunks = parts.get(id) ?? [];
    chunks[datagram[10] ?? 0] = datagram.subarray(12);
    parts.set(id, chunks);
    if (Object.keys(chunks).length === datagram[11]) whole.push(Buffer.concat(chunks));
  }
  const unpack = (bytes: Buffer): Buffer => (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes[0] === 0x78 ? inflateSync(bytes) : bytes);
  return whole.map((bytes) => JSON.parse(unpack(bytes).toString()) as Record<string, unknown>);
}

/** Decodes MessagePack values, one after the other; an extension is a buffer of its type and bytes. */
export function unpackAll(bytes: Buffer): unknown[] {
  let at = 0;
  const skip = (count: number): Buffer => {
    if (at + count > bytes.length) throw new RangeError("more to come");
    at += count;
    return bytes.subarray(at - count, at);
  };
  const number = (count: number): number => skip(count).readUIntBE(0, count);
  const list = (count: number): unknown[] => Array.from({ length: count }, () => value());
  const map = (count: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: count }, () => [String(value()), value()]));
  const value = (): unknown => {
    const code = number(1);
    if (code < 0x80) return code;
    if (code < 0x90) return map(code & 15);
    if (code < 0xa0) return list(code & 15);
    if (code < 0xc0) return skip(code & 31).toString();
    switch (code) {
      case 0xd2:
        return skip(4).readInt32BE(0);
      case 0xd7:
        return skip(9);
      case 0xd9:
        return skip(number(1)).toString();
      case 0xda:
        return skip(number(2)).toString();
      case 0xdb:
        return skip(number(4)).toString();
      case 0xdc:
        return list(number(2));
      case 0xde:
        return map(number(2));
      default:
        throw new Error(`unexpected code ${code.toString(16)}`);
    }
  };
  const values: unknown[] = [];
  for (let done = 0; done < bytes.length; done = at) {
    try {
      values.push(value());
    } catch (error) {
      if (error instanceof RangeError) break;
      throw error;
    }
  }
  return values;
}
