/** The networks that there are, kept in the database: ids stay the same over restarts. */
import { invalidParameter, newId, notFound, nowNanos } from "../base/base.ts";
import type { NetworkRows } from "../state/state.ts";
import type { Driver, Network, NetworkRecord } from "./records.ts";

/** These are there from the start and never go. */
const builtIn: readonly (readonly [name: string, driver: Driver])[] = [
  ["bridge", "bridge"],
  ["host", "host"],
  ["none", "null"],
];

export const isBuiltIn = (name: string): boolean => builtIn.some(([known]) => known === name);

function blankRecord(driver: Driver): NetworkRecord {
  return {
    driver,
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    attachable: false,
    labels: {},
    options: {},
    ipamOptions: {},
    pools: [],
  };
}

export class Catalogue {
  readonly #rows: NetworkRows;
  readonly #byId = new Map<string, Network>();
  readonly #byName = new Map<string, Network>();

  constructor(rows: NetworkRows) {
    this.#rows = rows;
    for (const row of rows.networks()) this.#remember({ ...row, record: JSON.parse(row.record) as NetworkRecord });
    for (const [name, driver] of builtIn) {
      if (!this.#byName.has(name)) this.put({ id: newId<"NetworkId">(), name, createdNanos: nowNanos(), record: blankRecord(driver) });
    }
  }

  #remember(network: Network): void {
    this.#byId.set(network.id, network);
    this.#byName.set(network.name, network);
  }

  put(network: Network): void {
    this.#rows.putNetwork({ ...network, record: JSON.stringify(network.record) });
    this.#remember(network);
  }

  delete(network: Network): void {
    this.#rows.deleteNetwork(network.id);
    this.#byId.delete(network.id);
    this.#byName.delete(network.name);
  }

  /** Of a built-in network. */
  builtIn(name: "bridge" | "host" | "none"): Network {
    const network = this.#byName.get(name);
    if (network === undefined) throw new Error(`network ${name} is gone`);
    return network;
  }

  all(): Network[] {
    return [...this.#byId.values()];
  }

  get(id: string): Network | undefined {
    return this.#byId.get(id);
  }

  named(name: string): Network | undefined {
    return this.#byName.get(name);
  }

  /** By id, name, or unique prefix of an id, in this order. @throws NotFound, InvalidParameter when several fit */
  find(reference: string): Network {
    const exact = this.#byId.get(reference) ?? this.#byName.get(reference);
    if (exact !== undefined) return exact;
    const fitting = reference === "" ? [] : this.all().filter((network) => network.id.startsWith(reference));
    if (fitting.length > 1)
      throw invalidParameter(`network ${reference} is ambiguous (${fitting.length} matches found based on ID prefix)`);
    const [only] = fitting;
    if (only === undefined) throw notFound(`network ${reference} not found`);
    return only;
  }
}
