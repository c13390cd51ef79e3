/**
 * A registry of its own: the server side of the OCI distribution specification 1.1, on its own folder, for
 * `berth registry serve` and the daemon's `--registry`. Nothing here knows of images or the engine.
 *
 * `open.ts` opens a folder and listens. A request goes `server.ts` (limits, access, errors) → `route.ts` (what is asked
 * for) → `serve-*.ts` (one file a resource) → `catalogue.ts` (what there is: SQLite, one transaction a change) and
 * `blob-files.ts` (the bytes). A blob's life: an upload grows a file in `uploads/`; when its digest is found right the
 * file is renamed to `blobs/sha256/xx/<hex>` and its row and its link to the repository are written together. Whoever
 * asks for it has to name a repository that links it. When no manifest has used a link for the grace time,
 * `collect.ts` takes it away, and with its last link the blob (docs/adr, "A registry of its own").
 *
 * Repositories below a `--proxy` prefix are copies of an upstream's, made when they are first asked for: `mirror.ts`.
 */
export { type GarbageReport, openRegistry, type RegistryOptions, type RunningRegistry } from "./open.ts";
