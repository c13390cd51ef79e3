/** Volume rows. `record` is JSON owned by `volumes/`. */
import type { StatementSync } from "node:sqlite";
import type { Database } from "./database.ts";

export const schema = `
CREATE TABLE volumes (
  name TEXT PRIMARY KEY,
  created_nanos INTEGER NOT NULL,
  record TEXT NOT NULL,
  removing INTEGER NOT NULL DEFAULT 0,
  goes_with TEXT
) STRICT;
`;

export interface VolumeRow {
  readonly name: string;
  /** Nanoseconds since 1970. */
  readonly createdNanos: bigint;
  readonly record: string;
  /** It is gone for everybody; its files are being taken away. */
  readonly removing: boolean;
  /** Id of a container: without it, the volume is to go at the next start. */
  readonly goesWith: string | undefined;
}

/** The statements on volume rows, prepared once. Each call is one transaction. */
export class VolumeRows {
  readonly #all: StatementSync;
  readonly #insert: StatementSync;
  readonly #removing: StatementSync;
  readonly #remove: StatementSync;
  readonly #tie: StatementSync;
  readonly #untie: StatementSync;

  constructor(database: Database) {
    this.#all = database.prepare("SELECT name, created_nanos, record, removing, goes_with FROM volumes ORDER BY name");
    this.#all.setReadBigInts(true);
    this.#insert = database.prepare("INSERT INTO volumes (name, created_nanos, record, goes_with) VALUES (?, ?, ?, ?)");
    this.#removing = database.prepare("UPDATE volumes SET removing = ? WHERE name = ?");
    this.#remove = database.prepare("DELETE FROM volumes WHERE name = ?");
    this.#tie = database.prepare("UPDATE volumes SET goes_with = ? WHERE name = ?");
    this.#untie = database.prepare("UPDATE volumes SET goes_with = NULL WHERE goes_with = ?");
  }

  all(): VolumeRow[] {
    return this.#all.all().map((row) => ({
      name: String(row["name"]),
      createdNanos: BigInt(row["created_nanos"] as bigint),
      record: String(row["record"]),
      removing: row["removing"] === 1n,
      goesWith: typeof row["goes_with"] === "string" ? row["goes_with"] : undefined,
    }));
  }

  insert(row: Omit<VolumeRow, "removing">): void {
    this.#insert.run(row.name, row.createdNanos, row.record, row.goesWith ?? null);
  }

  markRemoving(name: string): void {
    this.#removing.run(1, name);
  }

  /** It could not be taken away. */
  unmarkRemoving(name: string): void {
    this.#removing.run(0, name);
  }

  tie(name: string, container: string): void {
    this.#tie.run(container, name);
  }

  untie(container: string): void {
    this.#untie.run(container);
  }

  remove(name: string): void {
    this.#remove.run(name);
  }
}
