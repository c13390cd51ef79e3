/**
 * What there is: repositories, which blobs they link, manifests and what these name, tags, uploads. Every change is one
 * transaction, so that a kill at any point leaves the old or the new state. It is on disk when `stored` settles: before that
 * no client may be told of it.
 *
 * A link or manifest remembers when a client was last told that it is there (`usedAt`): whoever was told may build on it,
 * so the garbage collection leaves it alone for the grace time. To save writes the time is only moved on when a quarter
 * of the grace has passed.
 */
import type { StatementSync } from "node:sqlite";
import { transaction } from "../base/base.ts";
import type { Database } from "./database.ts";
import type { LogSync } from "./log-sync.ts";
import type { ManifestFacts } from "./manifest.ts";
import { type BlobDigest, isBlobDigest } from "./names.ts";
import { RegistryError } from "./registry-error.ts";

export interface Repository {
  readonly id: number;
  /** Of a copy of an upstream's: the prefix that stands for the upstream. */
  readonly origin: string | undefined;
}

export interface StoredManifest {
  readonly digest: BlobDigest;
  readonly mediaType: string;
  readonly body: Uint8Array;
}

interface NewManifest extends ManifestFacts {
  readonly digest: BlobDigest;
  readonly body: Uint8Array;
  readonly tag?: string | undefined;
}

/** As the referrers API shows it: image specification, "Content Descriptors". */
export interface ReferrerDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: unknown;
}

export interface Upload {
  readonly repository: string;
  readonly usedAt: number;
}

type Row = Record<string, unknown>;

export class Catalogue {
  readonly database: Database;
  readonly now: () => number;
  readonly #touchAfterMs: number;
  readonly #logSync: LogSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: Database, logSync: LogSync, now: () => number, graceMs: number) {
    this.database = database;
    this.#logSync = logSync;
    this.now = now;
    this.#touchAfterMs = graceMs / 4;
  }

  /** A statement is prepared once. */
  sql(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const made = this.database.prepare(text);
    this.#statements.set(text, made);
    return made;
  }

  /** Settles when every change until now is on disk. */
  stored(): Promise<void> {
    return this.#logSync.done();
  }

  atomically<T>(work: () => T): T {
    return transaction(this.database, work);
  }

  repository(name: string): Repository | undefined {
    const row = this.sql("SELECT id, origin FROM repositories WHERE name = ?").get(name) as Row | undefined;
    return row === undefined ? undefined : { id: Number(row["id"]), origin: (row["origin"] as string | null) ?? undefined };
  }

  /** Finds or makes it. @throws DENIED when it is another upstream's, or a client's: one name is not filled from two sources */
  ensureRepository(name: string, origin: string | undefined): number {
    const found = this.repository(name);
    if (found === undefined) {
      return Number(this.sql("INSERT INTO repositories (name, origin) VALUES (?, ?)").run(name, origin ?? null).lastInsertRowid);
    }
    if (found.origin !== origin) {
      const whose = found.origin === undefined ? "is pushed to" : "is a copy of another registry's";
      throw new RegistryError("DENIED", { message: `repository ${name} ${whose}` });
    }
    return found.id;
  }

  blobSize(digest: BlobDigest): number | undefined {
    return (this.sql("SELECT sizeBytes FROM blobs WHERE digest = ?").get(digest) as Row | undefined)?.["sizeBytes"] as number | undefined;
  }

  /** The size of a blob that the repository links. `forPush`: the client will build on the answer. */
  linkedBlob(repository: string, digest: BlobDigest, forPush = false): number | undefined {
    const row = this.sql(
      `SELECT blobs.sizeBytes, links.usedAt, links.repository FROM repositories JOIN links ON links.repository = repositories.id
       JOIN blobs ON blobs.digest = links.digest WHERE repositories.name = ? AND links.digest = ?`,
    ).get(repository, digest) as Row | undefined;
    if (row === undefined) return undefined;
    if (forPush && Number(row["usedAt"]) < this.now() - this.#touchAfterMs) {
      const touch = this.sql("UPDATE links SET usedAt = ? WHERE repository = ? AND digest = ?");
      touch.run(this.now(), row["repository"] as number, digest);
    }
    return Number(row["sizeBytes"]);
  }

  /** Links a blob that is stored. @returns false when it is not */
  link(repository: string, digest: BlobDigest, origin: string | undefined): boolean {
    return this.atomically(() => {
      if (this.blobSize(digest) === undefined) return false;
      const id = this.ensureRepository(repository, origin);
      this.sql("INSERT OR REPLACE INTO links (repository, digest, usedAt) VALUES (?, ?, ?)").run(id, digest, this.now());
      return true;
    });
  }

  /** A blob's file has its name now: its row, its link, and the end of its upload. */
  addBlob(repository: string, digest: BlobDigest, sizeBytes: number, uploadId: string, origin: string | undefined): void {
    this.atomically(() => {
      this.sql("INSERT OR IGNORE INTO blobs (digest, sizeBytes) VALUES (?, ?)").run(digest, sizeBytes);
      this.link(repository, digest, origin);
      this.removeUpload(uploadId);
    });
  }

  /** @returns false when the repository does not link it. @throws DENIED when a manifest names it, except in a copy: that can be fetched again */
  unlink(repository: string, digest: BlobDigest): boolean {
    return this.atomically(() => {
      if (this.linkedBlob(repository, digest) === undefined) return false;
      if (this.repository(repository)?.origin === undefined && this.isUsed(repository, digest))
        throw new RegistryError("DENIED", {
          status: 405,
          message: "a manifest of the repository names this blob",
          detail: { digest },
          headers: { Allow: "GET, HEAD" },
        });
      const sql = "DELETE FROM links WHERE digest = ? AND repository = (SELECT id FROM repositories WHERE name = ?)";
      return this.sql(sql).run(digest, repository).changes > 0;
    });
  }

  /** Does a repository of this origin link it? */
  isLinked(digest: BlobDigest, origin: string | undefined): boolean {
    const sql = "SELECT 1 FROM links JOIN repositories ON id = repository WHERE digest = ? AND origin IS ? LIMIT 1";
    return this.sql(sql).get(digest, origin ?? null) !== undefined;
  }

  /** Does a manifest of the repository name this blob? */
  isUsed(repository: string, digest: BlobDigest): boolean {
    const sql = "SELECT 1 FROM uses JOIN repositories ON id = repository WHERE name = ? AND digest = ? AND kind = 'blob' LIMIT 1";
    return this.sql(sql).get(repository, digest) !== undefined;
  }

  manifest(repository: string, reference: { tag: string } | { digest: BlobDigest }, forPush = false): StoredManifest | undefined {
    const digest = "tag" in reference ? this.tag(repository, reference.tag)?.digest : reference.digest;
    if (digest === undefined) return undefined;
    const row = this.sql(
      `SELECT manifests.repository, mediaType, body, usedAt FROM manifests JOIN repositories ON id = repository
       WHERE name = ? AND digest = ?`,
    ).get(repository, digest) as Row | undefined;
    if (row === undefined) return undefined;
    if (forPush && Number(row["usedAt"]) < this.now() - this.#touchAfterMs) {
      const touch = this.sql("UPDATE manifests SET usedAt = ? WHERE repository = ? AND digest = ?");
      touch.run(this.now(), row["repository"] as number, digest);
    }
    return { digest, mediaType: String(row["mediaType"]), body: row["body"] as Uint8Array };
  }

  tag(repository: string, name: string): { readonly digest: BlobDigest; readonly checkedAt: number } | undefined {
    const sql = "SELECT digest, checkedAt FROM tags JOIN repositories ON id = repository WHERE repositories.name = ? AND tags.name = ?";
    const row = this.sql(sql).get(repository, name) as { digest: BlobDigest; checkedAt: number } | undefined;
    return row;
  }

  /**
   * Stores a manifest and, with it, its tag. The blobs that it names have to be linked here; what an index names may come
   * later or never (image specification, "Image Index": sparse indexes), and so may a subject.
   * @throws MANIFEST_BLOB_UNKNOWN
   */
  putManifest(repository: string, manifest: NewManifest, origin?: string): void {
    this.atomically(() => {
      const id = this.ensureRepository(repository, origin);
      const linked = this.sql("SELECT 1 FROM links WHERE repository = ? AND digest = ?");
      const missing = origin === undefined ? manifest.blobs.filter((digest) => linked.get(id, digest) === undefined) : [];
      if (missing.length > 0) throw new RegistryError("MANIFEST_BLOB_UNKNOWN", { detail: missing.map((digest) => ({ digest })) });
      this.sql(
        `INSERT INTO manifests (repository, digest, mediaType, artifactType, annotations, usedAt, body) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET usedAt = excluded.usedAt, mediaType = excluded.mediaType`,
      ).run(
        id,
        manifest.digest,
        manifest.mediaType,
        manifest.artifactType ?? null,
        manifest.annotations === undefined ? null : JSON.stringify(manifest.annotations),
        this.now(),
        manifest.body,
      );
      const use = this.sql("INSERT OR IGNORE INTO uses (repository, manifest, digest, kind) VALUES (?, ?, ?, ?)");
      for (const digest of [...manifest.blobs, ...manifest.foreign]) use.run(id, manifest.digest, digest, "blob");
      for (const digest of manifest.children) use.run(id, manifest.digest, digest, "child");
      if (manifest.subject !== undefined) use.run(id, manifest.digest, manifest.subject, "subject");
      if (manifest.tag !== undefined) this.#setTag(id, manifest.tag, manifest.digest);
    });
  }

  #setTag(repository: number, name: string, digest: BlobDigest): void {
    this.sql("INSERT OR REPLACE INTO tags (repository, name, digest, checkedAt) VALUES (?, ?, ?, ?)").run(
      repository,
      name,
      digest,
      this.now(),
    );
  }

  /** Of a copy: the upstream says that the tag is this manifest, which is here. */
  setTag(repository: string, name: string, digest: BlobDigest): void {
    const found = this.repository(repository);
    if (found !== undefined) this.#setTag(found.id, name, digest);
  }

  removeTag(repository: string, name: string): boolean {
    const sql = "DELETE FROM tags WHERE name = ? AND repository = (SELECT id FROM repositories WHERE name = ?)";
    return this.sql(sql).run(name, repository).changes > 0;
  }

  /** With its tags. */
  removeManifest(repository: string, digest: BlobDigest): boolean {
    const sql = "DELETE FROM manifests WHERE digest = ? AND repository = (SELECT id FROM repositories WHERE name = ?)";
    return this.sql(sql).run(digest, repository).changes > 0;
  }

  /** In the order of their bytes, those after `last`. */
  tags(repository: string, limit: number, last: string): string[] {
    const sql = `SELECT tags.name FROM tags JOIN repositories ON id = repository
      WHERE repositories.name = ? AND tags.name > ? ORDER BY tags.name LIMIT ?`;
    return this.sql(sql)
      .all(repository, last, limit)
      .map((row) => String(row["name"]));
  }

  repositories(limit: number, last: string): string[] {
    const sql = `SELECT name FROM repositories WHERE name > ? AND EXISTS (SELECT 1 FROM manifests WHERE repository = id)
      ORDER BY name LIMIT ?`;
    return this.sql(sql)
      .all(last, limit)
      .map((row) => String(row["name"]));
  }

  referrers(repository: string, subject: BlobDigest, limit: number, last: string, artifactType: string | undefined): ReferrerDescriptor[] {
    const sql = `SELECT manifests.digest, mediaType, artifactType, annotations, length(body) AS size FROM repositories
      JOIN uses ON uses.repository = id JOIN manifests ON manifests.repository = id AND manifests.digest = uses.manifest
      WHERE name = ? AND uses.digest = ? AND kind = 'subject' AND manifests.digest > ? AND (? IS NULL OR artifactType = ?)
      ORDER BY manifests.digest LIMIT ?`;
    const rows = this.sql(sql).all(repository, subject, last, artifactType ?? null, artifactType ?? null, limit);
    return rows.map((row) => ({
      mediaType: String(row["mediaType"]),
      digest: String(row["digest"]),
      size: Number(row["size"]),
      ...(row["artifactType"] === null ? {} : { artifactType: String(row["artifactType"]) }),
      ...(row["annotations"] === null ? {} : { annotations: JSON.parse(String(row["annotations"])) as unknown }),
    }));
  }

  /** @param digest of a copy: what it is to be */
  addUpload(id: string, repository: string, digest?: BlobDigest): void {
    const sql = "INSERT INTO uploads (id, repository, usedAt, digest) VALUES (?, ?, ?, ?)";
    this.sql(sql).run(id, repository, this.now(), digest ?? null);
  }

  /** The copy of a blob that was begun and not ended. */
  begunCopy(repository: string, digest: BlobDigest): string | undefined {
    const sql = "SELECT id FROM uploads WHERE digest = ? AND repository = ? LIMIT 1";
    return (this.sql(sql).get(digest, repository) as { id: string } | undefined)?.id;
  }

  upload(id: string): Upload | undefined {
    const row = this.sql("SELECT repository, usedAt FROM uploads WHERE id = ?").get(id) as Upload | undefined;
    return row;
  }

  touchUpload(id: string): void {
    this.sql("UPDATE uploads SET usedAt = ? WHERE id = ?").run(this.now(), id);
  }

  removeUpload(id: string): void {
    this.sql("DELETE FROM uploads WHERE id = ?").run(id);
  }

  countUploads(): number {
    return Number(this.sql("SELECT count(*) AS n FROM uploads").get()?.["n"]);
  }

  uploadIds(usedBefore: number): string[] {
    return this.sql("SELECT id FROM uploads WHERE usedAt < ?")
      .all(usedBefore)
      .map((row) => String(row["id"]));
  }

  totals(): { readonly blobs: number; readonly bytes: number; readonly uploads: number } {
    const row = this.sql("SELECT count(*) AS blobs, coalesce(sum(sizeBytes), 0) AS bytes FROM blobs").get();
    return { blobs: Number(row?.["blobs"]), bytes: Number(row?.["bytes"]), uploads: this.countUploads() };
  }

  /** Blobs that have a row; those whose digest the type does not know are another version's. */
  blobDigests(): BlobDigest[] {
    return this.sql("SELECT digest FROM blobs")
      .all()
      .map((row) => String(row["digest"]))
      .filter(isBlobDigest);
  }
}
