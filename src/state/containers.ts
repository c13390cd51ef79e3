/**
 * Container rows. `record` is what hardly changes after creation and `state` what does, both JSON owned by
 * `containers/`: a transition writes only the small part. Columns are what is looked up by.
 */
import type { StatementSync } from "node:sqlite";
import type { Database } from "./database.ts";

export const schema = `
CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_nanos INTEGER NOT NULL,
  image_id TEXT NOT NULL,
  record TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX containers_image ON containers(image_id);
`;

export interface ContainerRow {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly createdNanos: bigint;
  readonly imageId: string;
  readonly record: string;
  readonly state: string;
}

/** The statements on container rows, prepared once. Each call is one transaction. */
export class ContainerRows {
  readonly #all: StatementSync;
  readonly #insert: StatementSync;
  readonly #state: StatementSync;
  readonly #record: StatementSync;
  readonly #name: StatementSync;
  readonly #remove: StatementSync;

  constructor(database: Database) {
    this.#all = database.prepare("SELECT id, name, created_nanos, image_id, record, state FROM containers ORDER BY created_nanos");
    this.#all.setReadBigInts(true);
    this.#insert = database.prepare("INSERT INTO containers (id, name, created_nanos, image_id, record, state) VALUES (?, ?, ?, ?, ?, ?)");
    this.#state = database.prepare("UPDATE containers SET state = ? WHERE id = ?");
    this.#record = database.prepare("UPDATE containers SET record = ? WHERE id = ?");
    this.#name = database.prepare("UPDATE containers SET name = ? WHERE id = ?");
    this.#remove = database.prepare("DELETE FROM containers WHERE id = ?");
  }

  all(): ContainerRow[] {
    return this.#all.all().map((row) => ({
      id: String(row["id"]),
      name: String(row["name"]),
      createdNanos: BigInt(row["created_nanos"] as bigint),
      imageId: String(row["image_id"]),
      record: String(row["record"]),
      state: String(row["state"]),
    }));
  }

  insert(row: ContainerRow): void {
    this.#insert.run(row.id, row.name, row.createdNanos, row.imageId, row.record, row.state);
  }

  setState(id: string, state: string): void {
    this.#state.run(state, id);
  }

  setRecord(id: string, record: string): void {
    this.#record.run(record, id);
  }

  rename(id: string, name: string): void {
    this.#name.run(name, id);
  }

  remove(id: string): void {
    this.#remove.run(id);
  }
}
