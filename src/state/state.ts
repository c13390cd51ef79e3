/** The daemon's records on disk: one SQLite database, its schema and the typed queries of each table. */
export * from "./database.ts";
