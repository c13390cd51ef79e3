import { addressNumber, bitsOf, contains, lastOf, numberAddress, type Subnet, subnetText } from "./addresses.ts";

/**
 * - `static`: asked for by `--ip`. Never given to others unasked; several may have reserved the same one, and who claims it
 *   first has it.
 * - `sticky`: what a container had before it stopped. Given to others only when nothing else is left.
 */
export type ReservationKind = "static" | "sticky";

interface Reservation {
  readonly kind: ReservationKind;
  readonly value: bigint;
}

/**
 * The addresses of one subnet: which are taken, which are kept for containers that do not run, which is next. The lowest
 * free one is given out first. An owner is a container's id, and has at most one reservation.
 */
export class AddressPool {
  readonly subnet: Subnet;
  readonly #first: bigint;
  readonly #last: bigint;
  /** Never anybody's: what names the subnet, its broadcast address, gateway and auxiliary addresses. */
  readonly #fixed = new Set<bigint>();
  readonly #taken = new Set<bigint>();
  readonly #byOwner = new Map<string, Reservation>();
  readonly #owners = new Map<bigint, Set<string>>();
  /** Sticky addresses that are not taken, by address; the one that has been unused for longest is first. */
  readonly #idle = new Map<bigint, string>();
  /** No address of the range below this one is free and unreserved. */
  #lowest: bigint;

  /** `range`: only these are given out unasked. `reserved`: never given out, as the gateway. */
  constructor(subnet: Subnet, options: { readonly range?: Subnet; readonly reserved?: readonly string[] } = {}) {
    this.subnet = subnet;
    const range = options.range ?? subnet;
    this.#first = range.base;
    this.#last = lastOf(range);
    this.#lowest = this.#first;
    // The first address names the subnet and, with IPv4, the last one is the broadcast's; not so in subnets of one or two.
    const edges = subnet.family === 6 || bitsOf(4) - subnet.prefixLength > 1;
    if (edges) this.#fixed.add(subnet.base);
    if (edges && subnet.family === 4) this.#fixed.add(lastOf(subnet));
    for (const address of options.reserved ?? []) if (contains(subnet, address)) this.#fixed.add(addressNumber(address));
  }

  /**
   * Takes an address that nobody named: `preferred` if it can be had, or else what is reserved for `owner`, or else the
   * lowest free one, or else the one that a stopped container has not used for longest. Undefined: none is left.
   */
  allocate(preferred?: string, owner?: string): string | undefined {
    const kept = owner === undefined ? undefined : this.#byOwner.get(owner)?.value;
    const wish = preferred !== undefined && this.#inRange(preferred) ? addressNumber(preferred) : undefined;
    const value =
      [wish, kept].find((candidate) => candidate !== undefined && this.#isFreeFor(candidate, owner)) ??
      this.#nextFree() ??
      this.#forgotten();
    if (value === undefined) return undefined;
    this.#take(value);
    return numberAddress(this.subnet.family, value);
  }

  /** Takes this address, which somebody has named. False: it is taken, or not to be had, or not of this subnet. */
  claim(address: string): boolean {
    if (!contains(this.subnet, address)) return false;
    const value = addressNumber(address);
    if (this.#taken.has(value) || this.#fixed.has(value)) return false;
    this.#take(value);
    return true;
  }

  /** Idempotent. What is reserved for somebody stays so. */
  release(address: string): void {
    if (!contains(this.subnet, address)) return;
    const value = addressNumber(address);
    if (!this.#taken.delete(value)) return;
    this.#sinkTo(value);
    for (const owner of this.#owners.get(value) ?? []) if (this.#byOwner.get(owner)?.kind === "sticky") this.#idle.set(value, owner);
  }

  /** Keeps `address` for `owner`, instead of what was kept for it. What it has asked for is not replaced by what it has had. */
  reserve(address: string, owner: string, kind: ReservationKind): void {
    if (!contains(this.subnet, address)) return;
    const value = addressNumber(address);
    if (this.#fixed.has(value) || (kind === "sticky" && this.#byOwner.get(owner)?.kind === "static")) return;
    this.unreserve(owner);
    this.#byOwner.set(owner, { kind, value });
    const owners = this.#owners.get(value) ?? new Set();
    this.#owners.set(value, owners.add(owner));
    if (kind === "sticky" && !this.#taken.has(value)) this.#idle.set(value, owner);
  }

  /** Idempotent. An address that is taken stays taken. */
  unreserve(owner: string): void {
    const reservation = this.#byOwner.get(owner);
    if (reservation === undefined) return;
    const { value } = reservation;
    this.#byOwner.delete(owner);
    const owners = this.#owners.get(value);
    owners?.delete(owner);
    if (owners?.size === 0) this.#owners.delete(value);
    if (this.#idle.get(value) === owner) this.#idle.delete(value);
    this.#sinkTo(value);
  }

  #take(value: bigint): void {
    this.#taken.add(value);
    this.#idle.delete(value);
  }

  #isFreeFor(value: bigint, owner: string | undefined): boolean {
    if (this.#taken.has(value) || this.#fixed.has(value)) return false;
    const owners = this.#owners.get(value);
    return owners === undefined || (owner !== undefined && owners.has(owner));
  }

  /** The cursor only moves over what is not free, so that giving out n addresses takes n steps. */
  #nextFree(): bigint | undefined {
    while (this.#lowest <= this.#last && !this.#isFreeFor(this.#lowest, undefined)) this.#lowest++;
    return this.#lowest <= this.#last ? this.#lowest : undefined;
  }

  #sinkTo(value: bigint): void {
    if (value >= this.#first && value < this.#lowest && this.#isFreeFor(value, undefined)) this.#lowest = value;
  }

  /** Takes from its owner the address that has been unused for longest, unless another has asked for the same one. */
  #forgotten(): bigint | undefined {
    for (const [value, owner] of this.#idle) {
      if (value < this.#first || value > this.#last || (this.#owners.get(value)?.size ?? 0) > 1) continue;
      this.unreserve(owner);
      return value;
    }
    return undefined;
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
