/** Network, endpoint and reservation rows. The records are JSON owned by `networks/`; columns are what is looked up by. */
import type { Database } from "./database.ts";

export const schema = `
CREATE TABLE networks (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_nanos INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE endpoints (
  container_id TEXT NOT NULL,
  network_id TEXT NOT NULL REFERENCES networks(id),
  record TEXT NOT NULL,
  PRIMARY KEY (container_id, network_id)
) STRICT;
CREATE TABLE reservations (
  container_id TEXT NOT NULL,
  network_id TEXT NOT NULL REFERENCES networks(id) ON DELETE CASCADE,
  record TEXT NOT NULL,
  PRIMARY KEY (container_id, network_id)
) STRICT;
`;

export interface NetworkRow {
  readonly id: string;
  readonly name: string;
  /** Nanoseconds since 1970. */
  readonly createdNanos: bigint;
  readonly record: string;
}

/** Of a container in a network: its endpoint, or the addresses that are kept for it. */
export interface PlaceRow {
  readonly containerId: string;
  readonly networkId: string;
  readonly record: string;
}

/** Rows by container and network. */
export interface PlaceRows {
  list(): PlaceRow[];
  put(row: PlaceRow): void;
  /** Without a network: all of the container's. */
  delete(containerId: string, networkId?: string): void;
}

/** The queries of the three tables, prepared once. */
export interface NetworkRows {
  networks(): NetworkRow[];
  putNetwork(row: NetworkRow): void;
  /** With its reservations. It has no endpoints. */
  deleteNetwork(id: string): void;
  readonly endpoints: PlaceRows;
  readonly reservations: PlaceRows;
}

function placeRows(database: Database, table: "endpoints" | "reservations"): PlaceRows {
  const list = database.prepare(`SELECT container_id, network_id, record FROM ${table} ORDER BY rowid`);
  const put = database.prepare(
    `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT(container_id, network_id) DO UPDATE SET record = excluded.record`,
  );
  const deleteAll = database.prepare(`DELETE FROM ${table} WHERE container_id = ?`);
  const deleteOne = database.prepare(`DELETE FROM ${table} WHERE container_id = ? AND network_id = ?`);
  return {
    list: () =>
      list.all().map((row) => ({
        containerId: String(row["container_id"]),
        networkId: String(row["network_id"]),
        record: String(row["record"]),
      })),
    put: (row) => void put.run(row.containerId, row.networkId, row.record),
    delete: (containerId, networkId) => void (networkId === undefined ? deleteAll.run(containerId) : deleteOne.run(containerId, networkId)),
  };
}

export function networkRows(database: Database): NetworkRows {
  const listNetworks = database.prepare("SELECT id, name, created_nanos, record FROM networks ORDER BY created_nanos, id");
  listNetworks.setReadBigInts(true);
  const putNetwork = database.prepare(
    "INSERT INTO networks VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET name = excluded.name, record = excluded.record",
  );
  const deleteNetwork = database.prepare("DELETE FROM networks WHERE id = ?");
  return {
    networks: () =>
      listNetworks.all().map((row) => ({
        id: String(row["id"]),
        name: String(row["name"]),
        createdNanos: BigInt(row["created_nanos"] as bigint),
        record: String(row["record"]),
      })),
    putNetwork: (row) => void putNetwork.run(row.id, row.name, row.createdNanos, row.record),
    deleteNetwork: (id) => void deleteNetwork.run(id),
    endpoints: placeRows(database, "endpoints"),
    reservations: placeRows(database, "reservations"),
  };
}
