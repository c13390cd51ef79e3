/**
 * The registry's own database, `<root>/registry.db`. A client that has been told 201 may delete its own copy, so the answer
 * has to survive a power cut: it waits for `log-sync.ts`, which does what synchronous=FULL would do, without blocking.
 */
import { DatabaseSync } from "node:sqlite";
import { log, messageOf, transaction } from "../base/base.ts";

export type Database = DatabaseSync;

const schema = `
CREATE TABLE repositories (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  origin TEXT -- of a copy: the prefix of its upstream; null: clients push to it
) STRICT;
CREATE TABLE blobs (digest TEXT PRIMARY KEY, sizeBytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE links (
  repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  digest TEXT NOT NULL REFERENCES blobs,
  usedAt INTEGER NOT NULL, -- milliseconds; when a client was last told that it is there
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX linksByDigest ON links (digest);
CREATE TABLE manifests (
  repository INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  digest TEXT NOT NULL, mediaType TEXT NOT NULL, artifactType TEXT, annotations TEXT,
  usedAt INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (repository, digest)
) STRICT;
CREATE TABLE uses ( -- what a manifest names
  repository INTEGER NOT NULL, manifest TEXT NOT NULL, digest TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('blob', 'child', 'subject')),
  PRIMARY KEY (repository, manifest, digest, kind),
  FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX usesByDigest ON uses (repository, digest, kind);
CREATE TABLE tags (
  repository INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
  checkedAt INTEGER NOT NULL, -- of a copy: when the upstream was last asked
  PRIMARY KEY (repository, name),
  FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tagsByDigest ON tags (repository, digest);
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, repository TEXT NOT NULL, usedAt INTEGER NOT NULL,
  digest TEXT -- of a copy: the blob that it will be; null: a client's, who says so at its end
) STRICT, WITHOUT ROWID;
CREATE TABLE reserve (bytes BLOB) STRICT;
PRAGMA user_version = 1;
`;

/**
 * Opens or makes it, for this process alone: what keeps collecting and pushing apart is in its memory.
 * @throws Error when another process has it, or it is of a newer Berth
 */
export function openDatabase(path: string): Database {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // The lock is taken by the first write, and kept.
    database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON");
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
    if (version > 1) throw new Error(`${path} was written by a newer Berth`);
    transaction(database, () => database.exec(version === 0 ? schema : "PRAGMA user_version = 1"));
    reserve(database);
  } catch (error) {
    database.close();
    if (error instanceof Error && /database is locked/.test(error.message))
      throw new Error(`another registry uses ${path}`, { cause: error });
    throw error;
  }
  return database;
}

/** Free pages in the file, and a log that has this length already: on a full disk things can still be deleted. */
function reserve(database: Database): void {
  try {
    database.exec("INSERT INTO reserve VALUES (zeroblob(262144)); DELETE FROM reserve; PRAGMA wal_checkpoint(RESTART)");
  } catch (error) {
    // It is full already. What there is has to do.
    log.warn("the database could not reserve room on the disk", { error: messageOf(error) });
  }
}
