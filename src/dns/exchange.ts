/**
 * One question to one upstream. Each has a socket of its own, connected, so that the kernel chooses a port at random and takes
 * packets from this upstream alone. Sockets do not keep the process alive.
 */
import { createSocket } from "node:dgram";
import { connect, isIP } from "node:net";
import type { Upstream } from "./dns.ts";

export interface Exchange {
  /** Asks again; over UDP packets are lost. */
  resend(): void;
  /** Nothing is told from then on. */
  close(): void;
}

export interface ExchangeListener {
  /** Something came that may be the answer, or may not. */
  received(packet: Uint8Array): void;
  /** Nothing will come. */
  failed(): void;
}

const dnsPort = 53;

/** `upstream` has an address, no name: names are what is to be found out. */
export function askOverUdp(upstream: Upstream, question: Uint8Array, listener: ExchangeListener): Exchange {
  const socket = createSocket(isIP(upstream.address) === 6 ? "udp6" : "udp4").unref();
  let open = true;
  let connected = false;
  const close = (): void => {
    if (!open) return;
    open = false;
    socket.close();
  };
  const fail = (): void => {
    if (!open) return;
    close();
    listener.failed();
  };
  // Without a listener the error is thrown, also when a send is reported late.
  const send = (): void => socket.send(question, (error) => error !== null && fail());
  socket.on("error", fail);
  socket.on("message", (packet) => open && listener.received(packet));
  socket.connect(upstream.port ?? dnsPort, upstream.address, (error?: Error) => {
    if (error !== undefined && error !== null) fail();
    else if (open) {
      connected = true;
      send();
    }
  });
  return { resend: () => open && connected && send(), close };
}

export function askOverTcp(upstream: Upstream, question: Uint8Array, listener: ExchangeListener): Exchange {
  const socket = connect({ host: upstream.address, port: upstream.port ?? dnsPort }).unref();
  const parts: Buffer[] = [];
  let size = 0;
  let open = true;
  const close = (): void => {
    open = false;
    socket.destroy();
  };
  const fail = (): void => {
    if (!open) return;
    close();
    listener.failed();
  };
  socket.on("error", fail);
  socket.on("close", fail);
  socket.on("data", (part: Buffer) => {
    if (!open) return;
    parts.push(part);
    size += part.length;
    if (size < 2) return;
    const all = parts.length > 1 ? Buffer.concat(parts) : part;
    parts.splice(0, parts.length, all);
    const length = all.readUInt16BE(0);
    if (size < 2 + length) return;
    close();
    listener.received(all.subarray(2, 2 + length));
  });
  socket.write(Buffer.concat([Buffer.of(question.length >> 8, question.length & 255), question]));
  return { resend: () => {}, close };
}
