/**
 * The garbage collection. It runs beside pushes: what a client was told of within the grace time stays (`usedAt`), and
 * whether something is used is looked at again in the transaction that takes it away. A blob's row goes before its file,
 * both under the blob's lock, so that a push of the same bytes meanwhile writes them anew.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { failpoint } from "../base/failpoint.ts";
import type { BlobFiles } from "./blob-files.ts";
import type { Catalogue } from "./catalogue.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import type { BlobDigest } from "./names.ts";
import type { Uploads } from "./uploads.ts";

/** What was taken away. */
export interface GarbageReport {
  readonly manifests: number;
  readonly links: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly uploads: number;
}

interface Parts {
  readonly catalogue: Catalogue;
  readonly files: BlobFiles;
  readonly uploads: Uploads;
  readonly locks: KeyedLock;
  readonly graceMs: number;
  /** Also manifests that no tag leads to, by itself, an index or a subject. */
  readonly untagged: boolean;
}

/** Kept: what is tagged or was lately used, what a kept index names, what refers to a kept subject. */
const deleteUntagged = `
WITH RECURSIVE kept (digest) AS (
  SELECT digest FROM tags WHERE repository = :repository
  UNION SELECT digest FROM manifests WHERE repository = :repository AND usedAt >= :before
  UNION SELECT uses.digest FROM uses JOIN kept ON uses.manifest = kept.digest WHERE repository = :repository AND kind = 'child'
  UNION SELECT uses.manifest FROM uses JOIN kept ON uses.digest = kept.digest WHERE repository = :repository AND kind = 'subject'
)
DELETE FROM manifests WHERE repository = :repository AND digest NOT IN (SELECT digest FROM kept)`;

const deleteLinks = `
DELETE FROM links WHERE repository = ? AND usedAt < ? AND NOT EXISTS
  (SELECT 1 FROM uses WHERE uses.repository = links.repository AND uses.digest = links.digest AND kind = 'blob')`;

const deleteRepository = `
DELETE FROM repositories WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM links WHERE repository = ?1)
  AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = ?1)`;

export async function collectGarbage(parts: Parts): Promise<GarbageReport> {
  const { catalogue, uploads, graceMs, untagged } = parts;
  const before = catalogue.now() - graceMs;
  const expired = await uploads.expire(before);
  let [manifests, links] = [0, 0];
  for (const row of catalogue.sql("SELECT id FROM repositories").all()) {
    const repository = Number(row["id"]);
    // One transaction a repository, so that requests get their turn.
    catalogue.atomically(() => {
      if (untagged) manifests += Number(catalogue.sql(deleteUntagged).run({ repository, before }).changes);
      links += Number(catalogue.sql(deleteLinks).run(repository, before).changes);
      catalogue.sql(deleteRepository).run(repository);
    });
    await breathe();
  }
  // A manifest must not come back after a power cut when its blobs do not.
  await catalogue.stored();
  const { blobs, bytes } = await removeBlobs(parts);
  return { manifests, links, blobs, bytes, uploads: expired };
}

async function removeBlobs({ catalogue, files, locks }: Parts): Promise<{ blobs: number; bytes: number }> {
  const isOrphan = "NOT EXISTS (SELECT 1 FROM links WHERE links.digest = blobs.digest)";
  const find = catalogue.sql(`SELECT digest, sizeBytes FROM blobs WHERE digest > ? AND ${isOrphan} ORDER BY digest LIMIT 200`);
  const remove = catalogue.sql(`DELETE FROM blobs WHERE digest = ? AND ${isOrphan}`);
  let [blobs, bytes, last] = [0, 0, ""];
  for (;;) {
    const rows = find.all(last) as { digest: BlobDigest; sizeBytes: number }[];
    for (const { digest, sizeBytes } of rows) {
      last = digest;
      await locks.run(digest, async () => {
        if (remove.run(digest).changes === 0) return;
        failpoint("registry-gc");
        await files.remove(digest);
        blobs++;
        bytes += sizeBytes;
      });
    }
    if (rows.length === 0) return { blobs, bytes };
  }
}
