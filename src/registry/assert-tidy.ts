/** For tests: what a registry's folder has to be after a kill, once it was started again and has ended. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Each file has its row and each row its file. */
export function assertTidy(root: string): void {
  const database = new DatabaseSync(join(root, "registry.db"));
  const column = (sql: string): string[] =>
    database
      .prepare(sql)
      .all()
      .map((row) => String(Object.values(row)[0]))
      .sort();
  const files = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();
  try {
    assert.deepEqual(column("PRAGMA integrity_check"), ["ok"]);
    assert.deepEqual(column("PRAGMA foreign_key_check"), []);
    assert.deepEqual(column("SELECT digest FROM links WHERE digest NOT IN (SELECT digest FROM blobs)"), []);
    assert.deepEqual(files("blobs"), column("SELECT substr(digest, 8) FROM blobs"), "the registry's blobs and their rows");
    assert.deepEqual(files("uploads"), column("SELECT id FROM uploads"), "the registry's uploads and their rows");
  } finally {
    database.close();
  }
}
