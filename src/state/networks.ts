/** Network and endpoint rows. The records are JSON owned by `networks/`; columns are what is looked up by. */
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
`;

export interface NetworkRow {
  readonly id: string;
  readonly name: string;
  /** Nanoseconds since 1970. */
  readonly createdNanos: bigint;
  readonly record: string;
}

export interface EndpointRow {
  readonly containerId: string;
  readonly networkId: string;
  readonly record: string;
}

/** The queries of both tables, prepared once. */
export interface NetworkRows {
  networks(): NetworkRow[];
  putNetwork(row: NetworkRow): void;
  endpoints(): EndpointRow[];
  putEndpoint(row: EndpointRow): void;
  deleteEndpoints(containerId: string): void;
}

export function networkRows(database: Database): NetworkRows {
  const listNetworks = database.prepare("SELECT id, name, created_nanos, record FROM networks ORDER BY created_nanos, id");
  listNetworks.setReadBigInts(true);
  const putNetwork = database.prepare(
    "INSERT INTO networks VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET name = excluded.name, record = excluded.record",
  );
  const listEndpoints = database.prepare("SELECT container_id, network_id, record FROM endpoints ORDER BY container_id, network_id");
  const putEndpoint = database.prepare(
    "INSERT INTO endpoints VALUES (?, ?, ?) ON CONFLICT(container_id, network_id) DO UPDATE SET record = excluded.record",
  );
  const deleteEndpoints = database.prepare("DELETE FROM endpoints WHERE container_id = ?");
  return {
    networks: () =>
      listNetworks.all().map((row) => ({
        id: String(row["id"]),
        name: String(row["name"]),
        createdNanos: BigInt(row["created_nanos"] as bigint),
        record: String(row["record"]),
      })),
    putNetwork: (row) => void putNetwork.run(row.id, row.name, row.createdNanos, row.record),
    endpoints: () =>
      listEndpoints.all().map((row) => ({
        containerId: String(row["container_id"]),
        networkId: String(row["network_id"]),
        record: String(row["record"]),
      })),
    putEndpoint: (row) => void putEndpoint.run(row.containerId, row.networkId, row.record),
    deleteEndpoints: (containerId) => void deleteEndpoints.run(containerId),
  };
}
