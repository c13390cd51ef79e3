import { isIPv6 } from "node:net";

/** A container's place in a network. */
export interface Host {
  /** The first one is what its addresses are resolved to. They need not be its alone. */
  readonly names: readonly string[];
  readonly address?: string;
  readonly address6?: string;
}

/** What a name stands for. */
export interface NameEntry {
  /** Addresses one after the other, each four or sixteen bytes. */
  readonly addresses: Uint8Array;
  readonly addresses6: Uint8Array;
  /** Counts answers, so that each begins with another address. */
  turn: number;
}

/** An IPv6 address in bytes, whatever its spelling. The URL parser knows all of them. */
function bytes6(address: string): Uint8Array {
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = plain.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex");
}

const bytes4 = (address: string): Uint8Array => Uint8Array.from(address.split("."), Number);
/** As {@link Zone.nameOf} is asked. */
const reverseKey = (address: string): string => (isIPv6(address) ? Buffer.from(bytes6(address)).toString("hex") : address);

/** The names of one network. Lookups cost the same whatever its size; a name's addresses are put together when it is first asked for. */
export class Zone {
  readonly name: string;
  readonly key: string;
  readonly #hosts = new Map<string, Host>();
  /** By name: the hosts that have it. */
  readonly #holders = new Map<string, Map<string, Host>>();
  readonly #entries = new Map<string, NameEntry>();
  readonly #reverse = new Map<string, string>();

  /** `name`: the network's, which may follow a container's name behind a dot. */
  constructor(name: string) {
    this.name = name;
    this.key = name.toLowerCase();
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** Adds a host, or changes the one that has this `key`. */
  set(key: string, host: Host): void {
    this.delete(key);
    this.#hosts.set(key, host);
    for (const name of new Set(host.names.map((text) => text.toLowerCase()))) {
      const holders = this.#holders.get(name);
      if (holders === undefined) this.#holders.set(name, new Map([[key, host]]));
      else holders.set(key, host);
      this.#entries.delete(name);
    }
    const [first] = host.names;
    if (first === undefined) return;
    for (const address of [host.address, host.address6]) if (address !== undefined) this.#reverse.set(reverseKey(address), first);
  }

  delete(key: string): void {
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    this.#hosts.delete(key);
    for (const text of host.names) {
      const name = text.toLowerCase();
      const holders = this.#holders.get(name);
      holders?.delete(key);
      if (holders?.size === 0) this.#holders.delete(name);
      this.#entries.delete(name);
    }
    for (const address of [host.address, host.address6]) {
      if (address === undefined) continue;
      // Unless the address is somebody else's by now.
      const reverse = reverseKey(address);
      if (this.#reverse.get(reverse) === host.names[0]) this.#reverse.delete(reverse);
    }
  }

  /** `name` in lower case. */
  find(name: string): NameEntry | undefined {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const holders = this.#holders.get(name);
    if (holders === undefined) return undefined;
    const hosts = [...holders.values()];
    const entry: NameEntry = {
      addresses: Buffer.concat(hosts.flatMap(({ address }) => (address === undefined ? [] : [bytes4(address)]))),
      addresses6: Buffer.concat(hosts.flatMap(({ address6 }) => (address6 === undefined ? [] : [bytes6(address6)]))),
      turn: 0,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  /** Whose address this is: IPv4 as text, IPv6 as 32 hexadecimal digits. @returns `name.network` */
  nameOf(reverse: string): string | undefined {
    const host = this.#reverse.get(reverse);
    return host === undefined ? undefined : `${host}.${this.name}`;
  }
}

/** `name:alias` of `--link`: which name each alias stands for. Without an alias the name stands for itself. */
export function parseLinks(links: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    links.map((text) => {
      const [name = "", alias = name] = text.split(":");
      return [alias.toLowerCase(), name.toLowerCase()];
    }),
  );
}
