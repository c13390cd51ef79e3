/** The networks that there are, kept in the database: ids stay the same over restarts. */
import { invalidParameter, newId, notFound, nowNanos } from "../base/base.ts";
import type { NetworkRows } from "../state/state.ts";
import type { Network, NetworkRecord } from "./records.ts";

/** These are there from the start and never go. */
const builtIn: readonly (readonly [name: string, driver: NetworkRecord["driver"]])[] = [
  ["bridge", "bridge"],
  ["host", "host"],
  ["none", "null"],
];

export class Catalogue {
  readonly #rows: NetworkRows;
  readonly #byId = new Map<string, Network>();

  constructor(rows: NetworkRows) {
    this.#rows = rows;
    for (const row of rows.networks()) this.#byId.set(row.id, { ...row, record: JSON.parse(row.record) as NetworkRecord });
    for (const [name, driver] of builtIn) {
      if (this.#named(name) === undefined) this.put({ id: newId<"NetworkId">(), name, createdNanos: nowNanos(), record: { driver } });
    }
  }

  #named(name: string): Network | undefined {
    return [...this.#byId.values()].find((network) => network.name === name);
  }

  put(network: Network): void {
    this.#rows.putNetwork({ ...network, record: JSON.stringify(network.record) });
    this.#byId.set(network.id, network);
  }

  /** Of a built-in network. */
  builtIn(name: "bridge" | "host" | "none"): Network {
    const network = this.#named(name);
    if (network === undefined) throw new Error(`network ${name} is gone`);
    return network;
  }

  all(): Network[] {
    return [...this.#byId.values()];
  }

  /** By id, name, or unique prefix of an id, in this order. @throws NotFound, InvalidParameter when several fit */
  find(reference: string): Network {
    const exact = this.#byId.get(reference) ?? this.#named(reference);
    if (exact !== undefined) return exact;
    const fitting = reference === "" ? [] : this.all().filter((network) => network.id.startsWith(reference));
    if (fitting.length > 1)
      throw invalidParameter(`network ${reference} is ambiguous (${fitting.length} matches found based on ID prefix)`);
    const [only] = fitting;
    if (only === undefined) throw notFound(`network ${reference} not found`);
    return only;
  }
}
