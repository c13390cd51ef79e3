/** At start: files that no row names, and rows whose file is gone, are what a kill or somebody's hand has left. */
import { log } from "../base/base.ts";
import type { BlobFiles } from "./blob-files.ts";
import type { Catalogue } from "./catalogue.ts";

export async function sweep(files: BlobFiles, catalogue: Catalogue): Promise<void> {
  const missing = new Set<string>(catalogue.blobDigests());
  for await (const digest of files.list()) {
    if (missing.delete(digest)) continue;
    log.debug("a blob without a record is deleted", { digest });
    await files.remove(digest);
  }
  for (const digest of missing) {
    // Without its row the next push of these bytes puts it right.
    log.error("a blob's file is missing; its record is deleted", { digest });
    catalogue.atomically(() => {
      catalogue.sql("DELETE FROM links WHERE digest = ?").run(digest);
      catalogue.sql("DELETE FROM blobs WHERE digest = ?").run(digest);
    });
  }
  const uploads = new Set(catalogue.uploadIds(Number.MAX_SAFE_INTEGER));
  for (const id of await files.listUploads()) if (!uploads.delete(id)) await files.removeUpload(id);
  for (const id of uploads) catalogue.removeUpload(id);
}
