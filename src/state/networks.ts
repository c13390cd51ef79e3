/** Rows of networks and of containers' places in them. The records are JSON owned by `networks/`; columns are what is looked up by. */
import type { Database } from "./database.ts";

export const schema = `
CREATE TABLE networks (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_nanos INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE places (
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

/** The queries of both tables, prepared once. */
export interface NetworkRows {
  networks(): NetworkRow[];
  putNetwork(row: NetworkRow): void;
  /** With all places in it. */
  deleteNetwork(id: string): void;
  /** In the order in which they were first put. */
  places(): PlaceRow[];
  putPlace(row: PlaceRow): void;
  /** Without a network: all of the container's. */
  deletePlaces(containerId: string, networkId?: string): void;
}

export function networkRows(database: Database): NetworkRows {
  const listNetworks = database.prepare("SELECT id, name, created_nanos, record FROM networks ORDER BY created_nanos, id");
  listNetworks.setReadBigInts(true);
  const putNetwork = database.prepare(
    "INSERT INTO networks VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET name = excluded.name, record = excluded.record",
  );
  const listPlaces = database.prepare("SELECT container_id, network_id, record FROM places ORDER BY rowid");
  const putPlace = database.prepare(
    "INSERT INTO places VALUES (?, ?, ?) ON CONFLICT(container_id, network_id) DO UPDATE SET record = excluded.record",
  );
  const deletePlaces = database.prepare("DELETE FROM places WHERE container_id = ?");
  const deletePlace = database.prepare("DELETE FROM places WHERE container_id = ? AND network_id = ?");
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
    places: () =>
      listPlaces.all().map((row) => ({
        containerId: String(row["container_id"]),
        networkId: String(row["network_id"]),
        record: String(row["record"]),
      })),
    putPlace: (row) => void putPlace.run(row.containerId, row.networkId, row.record),
    deletePlaces: (containerId, networkId) =>
      void (networkId === undefined ? deletePlaces.run(containerId) : deletePlace.run(containerId, networkId)),
  };
}
