/** Network, endpoint and host-port rows. */
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
