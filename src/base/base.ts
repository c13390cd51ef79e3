/**
 * What every room may use: errors, ids, digests, references, units, times, filters, stream frames, the log, a lock, SQLite transactions. Pure values and
 * functions; nothing here opens a file or keeps state (the log's level apart). `failpoint.ts` is for tests.
 */
export * from "./detach-keys.ts";
export * from "./digest.ts";
export * from "./digest-of.ts";
export * from "./duration.ts";
export * from "./errno-text.ts";
export * from "./errors.ts";
export * from "./filters.ts";
export * from "./ids.ts";
export * from "./log.ts";
export * from "./mutex.ts";
export * from "./reference.ts";
export * from "./stream-frames.ts";
export * from "./time.ts";
export * from "./transaction.ts";
export * from "./units.ts";
export * from "./version.ts";
