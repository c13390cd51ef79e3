import type { Protocol } from "./firewall.ts";
import { isAnyAddress } from "./port-address.ts";
import type { PortInUse } from "./port-probe.ts";

const protocolBits: Readonly<Record<Protocol, number>> = { tcp: 0, udp: 1 << 16, sctp: 2 << 16 };

const isOfVersion6 = (address: string): boolean => address.includes(":");

/** Both cannot be bound at once. [::] takes what comes over IPv6 only, so it leaves 0.0.0.0 alone. */
function exclude(a: string, b: string): boolean {
  return a === b || ((isAnyAddress(a) || isAnyAddress(b)) && isOfVersion6(a) === isOfVersion6(b));
}

/** Which host ports are given out, by protocol and address. Any address collides with each single one of its family. */
export class HostPorts {
  readonly #taken = new Map<number, string[]>();
  readonly #range: readonly [first: number, last: number];
  readonly #next = new Map<Protocol, number>();

  /** `range`: what is chosen from when any port will do. */
  constructor(range: readonly [first: number, last: number]) {
    this.#range = range;
  }

  /** False when it is given out already. */
  take(protocol: Protocol, address: string, port: number): boolean {
    const key = protocolBits[protocol] | port;
    const addresses = this.#taken.get(key);
    if (addresses === undefined) this.#taken.set(key, [address]);
    else if (addresses.some((taken) => exclude(taken, address))) return false;
    else addresses.push(address);
    return true;
  }

  /** Takes what is in use, whatever else is given out. Idempotent. */
  claim(protocol: Protocol, address: string, port: number): void {
    const key = protocolBits[protocol] | port;
    const addresses = this.#taken.get(key) ?? [];
    if (!addresses.includes(address)) this.#taken.set(key, [...addresses, address]);
  }

  /** All of them or none. @returns the one that is given out already, undefined when all are taken */
  takeAll(protocol: Protocol, addresses: readonly string[], port: number): string | undefined {
    for (const [index, address] of addresses.entries()) {
      if (this.take(protocol, address, port)) continue;
      for (const taken of addresses.slice(0, index)) this.release(protocol, taken, port);
      return address;
    }
    return undefined;
  }

  /** Idempotent. */
  release(protocol: Protocol, address: string, port: number): void {
    const key = protocolBits[protocol] | port;
    const left = this.#taken.get(key)?.filter((taken) => taken !== address);
    if (left === undefined) return;
    if (left.length > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }

  /**
   * Takes a port, at all the addresses, that neither we nor another program has: of `within` or of the whole range. As
   * Docker does, the search goes on behind the last one given, so that a port is not given to someone else right after
   * its release.
   */
  async choose(
    protocol: Protocol,
    addresses: readonly string[],
    inUse: PortInUse,
    within?: readonly [number, number],
  ): Promise<number | undefined> {
    const [first, last] = within ?? this.#range;
    const start = within === undefined ? (this.#next.get(protocol) ?? first) : first;
    const count = last - first + 1;
    for (let step = 0; step < count; step++) {
      const port = first + ((start - first + step) % count);
      if (this.takeAll(protocol, addresses, port) !== undefined) continue;
      if (within === undefined) this.#next.set(protocol, port === last ? first : port + 1);
      const used = inUse(protocol, addresses, port);
      // Nothing is waited for where it is known: with a thousand ports that counts.
      if (!(typeof used === "boolean" ? used : await used)) return port;
      for (const address of addresses) this.release(protocol, address, port);
    }
    return undefined;
  }
}
