/**
 * The one database, `<data-root>/berth.db`. Every record of the daemon is a row here and every change one
 * transaction, so that after a kill or a power cut each record is either the old or the new one.
 *
 * WAL with synchronous=NORMAL: a transaction survives the daemon's death at once and a power cut at the next
 * checkpoint; a lost tail is an older, consistent state (sqlite.org/pragma.html#pragma_synchronous).
 */
import { DatabaseSync } from "node:sqlite";
import { log, messageOf, transaction } from "../base/base.ts";
import { schema as containers } from "./containers.ts";
import { schema as images } from "./images.ts";
import { schema as networks } from "./networks.ts";
import { schema as volumes } from "./volumes.ts";

export type Database = DatabaseSync;

/** Each entry is applied once, in order; its index + 1 is then the database's user_version. Append only. */
const migrations: readonly string[] = [containers + images + networks + volumes];

/** Opens or creates the database and brings its schema up to date. `:memory:` for tests. */
export function openDatabase(path: string): Database {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=2000;");
  const row = database.prepare("PRAGMA user_version").get();
  const version = Number(row?.["user_version"] ?? 0);
  if (version > migrations.length) {
    database.close();
    throw new Error(`${path} was written by a newer Berth (schema ${version}, this one knows ${migrations.length})`);
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    transaction(database, () => database.exec(`${sql}; PRAGMA user_version = ${index + 1}`));
  }
  reserve(database);
  return database;
}

const reserveBytes = 256 * 1024;

/**
 * Room that the database keeps for a full disk, so that containers can still be stopped, removed and their ends written
 * down: free pages in its file, and a log that has this length already and is written again from its start.
 */
function reserve(database: Database): void {
  try {
    database.exec("CREATE TABLE IF NOT EXISTS reserve (bytes BLOB) STRICT");
    database.exec(`INSERT INTO reserve VALUES (zeroblob(${reserveBytes}))`);
    database.exec("DELETE FROM reserve");
    database.exec("PRAGMA wal_checkpoint(RESTART)");
  } catch (error) {
    // It is full already. What there is has to do.
    log.warn("the database could not reserve room on the disk", { error: messageOf(error) });
  }
}
