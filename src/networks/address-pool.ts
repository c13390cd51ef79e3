import { addressNumber, bitsOf, contains, lastOf, numberAddress, type Subnet, subnetText } from "./addresses.ts";

/** The addresses of one subnet: which are taken, which is next. The lowest free one is given out first. */
export class AddressPool {
  readonly subnet: Subnet;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #taken = new Set<bigint>();
  /** No address of the range below this one is free. */
  #lowest: bigint;

  /** `range`: only these are given out unasked. `reserved`: never given out, as the gateway. */
  constructor(subnet: Subnet, options: { readonly range?: Subnet; readonly reserved?: readonly string[] } = {}) {
    this.subnet = subnet;
    const range = options.range ?? subnet;
    // The subnet's first address names it and, with IPv4, its last one is the broadcast's; not so in subnets of one or two.
    const edge = bitsOf(subnet.family) - subnet.prefixLength > 1;
    this.#first = edge && range.base === subnet.base ? range.base + 1n : range.base;
    this.#last = edge && subnet.family === 4 && lastOf(range) === lastOf(subnet) ? lastOf(range) - 1n : lastOf(range);
    this.#lowest = this.#first;
    for (const address of options.reserved ?? []) this.claim(address);
  }

  /** Takes `preferred` if it is free and in range, or else the lowest free address. Undefined: none is left. */
  allocate(preferred?: string): string | undefined {
    if (preferred !== undefined && this.#inRange(preferred) && this.claim(preferred)) return preferred;
    let value = this.#lowest;
    while (value <= this.#last && this.#taken.has(value)) value++;
    this.#lowest = value;
    if (value > this.#last) return undefined;
    this.#taken.add(value);
    this.#lowest = value + 1n;
    return numberAddress(this.subnet.family, value);
  }

  /** Takes this address. False: it is taken, or not of this subnet. */
  claim(address: string): boolean {
    if (!contains(this.subnet, address)) return false;
    const value = addressNumber(address);
    if (this.#taken.has(value)) return false;
    this.#taken.add(value);
    return true;
  }

  /** Idempotent. */
  release(address: string): void {
    if (!contains(this.subnet, address)) return;
    const value = addressNumber(address);
    if (this.#taken.delete(value) && value >= this.#first && value < this.#lowest) this.#lowest = value;
  }

  #inRange(address: string): boolean {
    if (!contains(this.subnet, address)) return false;
    const value = addressNumber(address);
    return value >= this.#first && value <= this.#last;
  }

  toString(): string {
    return subnetText(this.subnet);
  }
}
