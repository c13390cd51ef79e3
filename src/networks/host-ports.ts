import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { Protocol } from "./firewall.ts";

/** Tells whether the host lets a port be bound: false when some other program has it. */
export type ProbePort = (protocol: Protocol, address: string, port: number) => Promise<boolean>;

/** Binds the port for a moment. SCTP, which Node does not know, passes: the monitor's own bind decides. */
const probePort: ProbePort = (protocol, address, port) => {
  if (protocol === "sctp") return Promise.resolve(true);
  return new Promise((done) => {
    if (protocol === "udp") {
      const socket = createSocket("udp4");
      socket.once("error", () => socket.close(() => done(false)));
      socket.bind({ address, port, exclusive: true }, () => socket.close(() => done(true)));
      return;
    }
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => done(true)));
  });
};

const anyAddress = "0.0.0.0";

/** Which host ports are given out, by protocol and address. Any address collides with each single one. */
export class HostPorts {
  readonly #taken = new Map<string, Set<string>>();
  readonly #range: readonly [first: number, last: number];
  readonly #probe: ProbePort;
  readonly #next = new Map<string, number>();

  /** `range`: what is chosen from when any port will do. */
  constructor(range: readonly [first: number, last: number], probe: ProbePort = probePort) {
    this.#range = range;
    this.#probe = probe;
  }

  /** False when it is given out already. */
  take(protocol: Protocol, address: string, port: number): boolean {
    const key = `${protocol}/${port}`;
    const addresses = this.#taken.get(key) ?? new Set<string>();
    if (addresses.has(anyAddress) || addresses.has(address) || (address === anyAddress && addresses.size > 0)) return false;
    this.#taken.set(key, addresses.add(address));
    return true;
  }

  /** Idempotent. */
  release(protocol: Protocol, address: string, port: number): void {
    const key = `${protocol}/${port}`;
    const addresses = this.#taken.get(key);
    addresses?.delete(address);
    if (addresses?.size === 0) this.#taken.delete(key);
  }

  /**
   * Takes a port that neither we nor another program has, of `within` or of the whole range. As Docker does, the search
   * goes on behind the last one given, so that a port is not given to someone else right after its release.
   */
  async choose(protocol: Protocol, address: string, within?: readonly [number, number]): Promise<number | undefined> {
    const [first, last] = within ?? this.#range;
    const cursor = `${protocol}/${address}`;
    const start = within === undefined ? (this.#next.get(cursor) ?? first) : first;
    const count = last - first + 1;
    for (let step = 0; step < count; step++) {
      const port = first + ((start - first + step) % count);
      if (!this.take(protocol, address, port)) continue;
      if (within === undefined) this.#next.set(cursor, port === last ? first : port + 1);
      if (await this.#probe(protocol, address, port)) return port;
      this.release(protocol, address, port);
    }
    return undefined;
  }
}
