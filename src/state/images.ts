/**
 * Image, reference and layer rows, and as what images and layers came from registries. A layer row lives as long as an image row names it: whoever removes the
 * last image of a layer removes the layer's row in the same transaction and gets its diffID back, to delete the
 * files after the commit.
 */
import type { Digest } from "../base/base.ts";
import type { Database } from "./database.ts";

/**
 * `record` is the configuration's JSON text. `removed` is 1 when the image was removed by force while a
 * container still stood on it: nobody finds it by name or id any more, but its layers stay until that container is gone.
 *
 * A name stands for one image, or for an index (`index_digest`) with those of its images that are here: a row each. What
 * else of an index is here, such as attestations, is `index_parts`; they stay as long as an image of the index does.
 */
export const schema = `
CREATE TABLE layers (
  diff_id TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE images (
  id TEXT PRIMARY KEY,
  created_nanos INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  parent_id TEXT,
  tagged_nanos INTEGER,
  used_nanos INTEGER NOT NULL DEFAULT 0,
  pinned INTEGER NOT NULL DEFAULT 0,
  removed INTEGER NOT NULL DEFAULT 0,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX images_parent ON images(parent_id);
CREATE TABLE image_layers (
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers(diff_id),
  PRIMARY KEY (image_id, position)
) STRICT;
CREATE INDEX image_layers_diff ON image_layers(diff_id);
CREATE TABLE image_references (
  name TEXT NOT NULL,
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  index_digest TEXT,
  PRIMARY KEY (name, image_id)
) STRICT;
CREATE INDEX image_references_image ON image_references(image_id);
CREATE TABLE image_manifests (
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('image', 'index')),
  media_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (image_id, digest)
) STRICT;
CREATE INDEX image_manifests_digest ON image_manifests(digest);
CREATE TABLE index_parts (
  index_digest TEXT NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (index_digest, digest)
) STRICT;
CREATE INDEX index_parts_digest ON index_parts(digest);
CREATE TABLE layer_blobs (
  diff_id TEXT NOT NULL REFERENCES layers(diff_id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (diff_id, digest)
) STRICT;
CREATE INDEX layer_blobs_digest ON layer_blobs(digest);
CREATE TABLE blob_sources (
  diff_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  repository TEXT NOT NULL,
  seen_nanos INTEGER NOT NULL,
  PRIMARY KEY (diff_id, digest, repository),
  FOREIGN KEY (diff_id, digest) REFERENCES layer_blobs(diff_id, digest) ON DELETE CASCADE
) STRICT;
`;

export interface ImageRow {
  readonly id: Digest;
  readonly createdNanos: bigint;
  readonly sizeBytes: number;
  readonly parentId?: Digest;
  /** When a name was last given to it here. */
  readonly taggedNanos?: bigint;
  /** When it last was stored, or a container made of it. */
  readonly usedNanos: bigint;
  /** The collector leaves it. */
  readonly pinned: boolean;
  readonly removed: boolean;
  /** The configuration, as JSON text. */
  readonly record: string;
}

export interface LayerRow {
  readonly diffId: Digest;
  readonly sizeBytes: number;
}

/**
 * A manifest that an image is known by in registries: its own, or an index that lists this. The bytes are in `content`
 * for as long as an image has them.
 */
export interface ManifestRow {
  readonly digest: Digest;
  readonly kind: "image" | "index";
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/**
 * As what a layer was seen in transit; that these bytes are that layer was proved here. Where it is compressed, `content`
 * has it as long as the row is there, but not for certain: it is not synced, so a machine that fell may have shortened
 * it. Who opens it compares its size. An uncompressed blob is the layer's tar itself, and not in `content`.
 */
export interface LayerBlobRow {
  readonly diffId: Digest;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/** What a name stands for: at least one image. */
export interface ReferenceTarget {
  /** In the order in which they came. */
  readonly ids: readonly Digest[];
  /** Given when it stands for an index, and these are images of it. */
  readonly index?: Digest;
}

/** A manifest or blob that an index leads to, and that is no image's. `content` has it, and not for certain, as with LayerBlobRow. */
export interface IndexPartRow {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface NewImage {
  readonly id: Digest;
  readonly createdNanos: bigint;
  readonly parentId?: Digest;
  readonly record: string;
  /** Base first. The image's size is their sum. */
  readonly layers: readonly LayerRow[];
}

type Row = Record<string, unknown>;

/** The queries. Those that write are to be called within `transaction` or `durably`. */
export class ImageRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Runs `work` in one transaction that is on disk when this returns, power cut or not: for changes after
   * which files are deleted, or that a client is told are done.
   */
  durably<T>(work: () => T): T {
    this.#database.exec("PRAGMA synchronous=FULL; BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    } finally {
      this.#database.exec("PRAGMA synchronous=NORMAL");
    }
  }

  get(id: Digest): ImageRow | undefined {
    const row = this.#one("SELECT * FROM images WHERE id = ?", id);
    return row === undefined ? undefined : toImage(row);
  }

  /** All that were not removed. */
  all(): ImageRow[] {
    return this.#all("SELECT * FROM images WHERE removed = 0").map(toImage);
  }

  /** Up to two ids that begin with `prefix` (hex digits, no algorithm). */
  byPrefix(prefix: string): Digest[] {
    const low = `sha256:${prefix}`;
    // "g" is the first letter behind the hex digits: the range is every id with the prefix.
    return this.#all("SELECT id FROM images WHERE removed = 0 AND id >= ? AND id < ? LIMIT 2", low, `${low}g`).map(
      (row) => row["id"] as Digest,
    );
  }

  targetOf(name: string): ReferenceTarget | undefined {
    const rows = this.#all("SELECT image_id, index_digest FROM image_references WHERE name = ? ORDER BY rowid", name);
    const [first] = rows;
    if (first === undefined) return undefined;
    const index = first["index_digest"] as Digest | null;
    return { ids: rows.map((row) => row["image_id"] as Digest), ...(index === null ? {} : { index }) };
  }

  /** The names of an image, sorted. */
  referencesOf(id: Digest): string[] {
    return this.#all("SELECT name FROM image_references WHERE image_id = ? ORDER BY name", id).map((row) => String(row["name"]));
  }

  /** Every name with each image that it stands for, sorted by name, and in the order in which they came. */
  references(): { name: string; id: Digest }[] {
    return this.#all("SELECT name, image_id FROM image_references ORDER BY name, rowid").map((row) => ({
      name: String(row["name"]),
      id: row["image_id"] as Digest,
    }));
  }

  /** An image's layers, base first. */
  layersOf(id: Digest): LayerRow[] {
    return this.#all(
      "SELECT diff_id, size_bytes FROM image_layers JOIN layers USING (diff_id) WHERE image_id = ? ORDER BY position",
      id,
    ).map(toLayer);
  }

  layer(diffId: Digest): LayerRow | undefined {
    const row = this.#one("SELECT * FROM layers WHERE diff_id = ?", diffId);
    return row === undefined ? undefined : toLayer(row);
  }

  layers(): LayerRow[] {
    return this.#all("SELECT * FROM layers").map(toLayer);
  }

  /** The same, with the bytes of the compressed forms that are kept of each. */
  storedLayers(): LayerRow[] {
    const kept =
      "(SELECT COALESCE(SUM(size_bytes), 0) FROM layer_blobs AS blob WHERE blob.diff_id = layers.diff_id AND digest <> blob.diff_id)";
    return this.#all(`SELECT diff_id, size_bytes + ${kept} AS size_bytes FROM layers`).map(toLayer);
  }

  /** Every image row, the removed ones too. */
  ids(): { id: Digest; removed: boolean }[] {
    return this.#all("SELECT id, removed FROM images").map((row) => ({ id: row["id"] as Digest, removed: row["removed"] !== 0n }));
  }

  childrenOf(id: Digest): Digest[] {
    return this.#all("SELECT id FROM images WHERE parent_id = ? AND removed = 0", id).map((row) => row["id"] as Digest);
  }

  /** Bytes of those of these images' layers that any other image has as well. */
  sharedSizeOf(ids: readonly Digest[]): number {
    const row = this.#one(
      `SELECT COALESCE(SUM(size_bytes), 0) AS size FROM layers WHERE
         diff_id IN (SELECT diff_id FROM image_layers WHERE image_id IN (SELECT value FROM json_each(:ids))) AND
         diff_id IN (SELECT diff_id FROM image_layers JOIN images ON id = image_id
           WHERE image_id NOT IN (SELECT value FROM json_each(:ids)) AND removed = 0)`,
      { ids: JSON.stringify(ids) },
    );
    return Number(row?.["size"] ?? 0);
  }

  /** Bytes of the compressed forms that are kept of its layers: of all, and of those layers that another image has as well. */
  keptBytesOf(ids: readonly Digest[]): { all: number; shared: number } {
    const own = "image_id IN (SELECT value FROM json_each(:ids))";
    const sql = `SELECT COALESCE(SUM(size_bytes), 0) AS bytes, COALESCE(SUM(size_bytes * (diff_id IN
        (SELECT diff_id FROM image_layers JOIN images ON id = image_id WHERE NOT ${own} AND removed = 0))), 0) AS shared
      FROM layer_blobs WHERE digest <> diff_id AND diff_id IN (SELECT diff_id FROM image_layers WHERE ${own})`;
    const row = this.#one(sql, { ids: JSON.stringify(ids) });
    return { all: Number(row?.["bytes"] ?? 0), shared: Number(row?.["shared"] ?? 0) };
  }

  /** Adds an image with its layers. One that is there already stays, and is no longer removed. */
  add(image: NewImage): void {
    const sizeBytes = image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    const added = this.#run(
      "INSERT INTO images (id, created_nanos, size_bytes, parent_id, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      image.id,
      image.createdNanos,
      sizeBytes,
      image.parentId ?? null,
      image.record,
    );
    if (added === 0) {
      this.#run("UPDATE images SET removed = 0, parent_id = COALESCE(?, parent_id) WHERE id = ?", image.parentId ?? null, image.id);
      return;
    }
    for (const [position, layer] of image.layers.entries()) {
      this.#run("INSERT INTO layers (diff_id, size_bytes) VALUES (?, ?) ON CONFLICT DO NOTHING", layer.diffId, layer.sizeBytes);
      this.#run("INSERT INTO image_layers (image_id, position, diff_id) VALUES (?, ?, ?)", image.id, position, layer.diffId);
    }
  }

  /**
   * Makes a name stand for an image, or for the index that lists it and all its images that are here; so do all other names of it.
   * @returns the images that it stood for until now
   */
  point(name: string, id: Digest, taggedNanos: bigint, index?: Digest): Digest[] {
    const before = this.targetOf(name);
    const isBeside = index !== undefined && before?.index === index;
    if (before !== undefined && !isBeside) this.unpoint(name);
    this.#run(
      "INSERT INTO image_references (name, image_id, index_digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      name,
      id,
      index ?? null,
    );
    if (index !== undefined)
      this.#run(
        `INSERT INTO image_references (name, image_id, index_digest)
           SELECT DISTINCT name, listed.image_id, listed.digest FROM image_references JOIN image_manifests AS listed ON listed.digest = index_digest
             JOIN images ON id = listed.image_id WHERE listed.digest = ? AND removed = 0 ORDER BY images.rowid
           ON CONFLICT DO NOTHING`,
        index,
      );
    this.#run("UPDATE images SET tagged_nanos = ? WHERE id = ?", taggedNanos, id);
    return isBeside ? [] : (before?.ids ?? []).filter((other) => other !== id);
  }

  use(id: Digest, usedNanos: bigint): void {
    this.#run("UPDATE images SET used_nanos = ? WHERE id = ?", usedNanos, id);
  }

  pin(id: Digest, pinned: boolean): void {
    this.#run("UPDATE images SET pinned = ? WHERE id = ?", pinned ? 1 : 0, id);
  }

  /** Bytes of all layers' tars, and of the compressed ones that are kept beside them; each counted once. */
  storedBytes(): number {
    const sql = `SELECT (SELECT COALESCE(SUM(size_bytes), 0) FROM layers) +
      (SELECT COALESCE(SUM(size_bytes), 0) FROM (SELECT DISTINCT digest, size_bytes FROM layer_blobs WHERE digest <> diff_id)) AS bytes`;
    return Number(this.#one(sql)?.["bytes"] ?? 0);
  }

  unpoint(name: string): void {
    this.#run("DELETE FROM image_references WHERE name = ?", name);
  }

  /** Takes an image from under all names that stand for this index: it is none of its platforms that are here any more. */
  leaveIndex(id: Digest, index: Digest): void {
    this.#run("DELETE FROM image_references WHERE image_id = ? AND index_digest = ?", id, index);
    this.#run("DELETE FROM image_manifests WHERE image_id = ? AND digest = ?", id, index);
  }

  /** Hides an image that a container still stands on: no names, not found, layers kept. */
  hide(id: Digest): void {
    this.#run("DELETE FROM image_references WHERE image_id = ?", id);
    this.#run("UPDATE images SET removed = 1 WHERE id = ?", id);
  }

  addManifest(id: Digest, manifest: ManifestRow): void {
    this.#run(
      "INSERT INTO image_manifests (image_id, digest, kind, media_type, size_bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      id,
      manifest.digest,
      manifest.kind,
      manifest.mediaType,
      manifest.sizeBytes,
    );
  }

  /** Those of an image, in the order in which they came to be known. */
  manifestsOf(id: Digest): ManifestRow[] {
    return this.#all("SELECT * FROM image_manifests WHERE image_id = ? ORDER BY rowid", id).map(toManifest);
  }

  /** The images of a manifest: one, or of an index those of its platforms that are here. */
  imagesOfManifest(digest: Digest): Digest[] {
    const sql = "SELECT image_id FROM image_manifests JOIN images ON id = image_id WHERE digest = ? AND removed = 0";
    return this.#all(sql, digest).map((row) => row["image_id"] as Digest);
  }

  manifest(digest: Digest): ManifestRow | undefined {
    const row = this.#one("SELECT * FROM image_manifests WHERE digest = ?", digest);
    return row === undefined ? undefined : toManifest(row);
  }

  /** The indexes that an index and its images have: itself, those within it, and perhaps others. */
  indexesAround(index: Digest): Digest[] {
    const sql = `SELECT DISTINCT digest FROM image_manifests WHERE kind = 'index'
      AND image_id IN (SELECT image_id FROM image_manifests WHERE digest = ?)`;
    return this.#all(sql, index).map((row) => row["digest"] as Digest);
  }

  /** To be called when an image has the index as its manifest. */
  addIndexPart(index: Digest, { digest, sizeBytes }: IndexPartRow): void {
    this.#run(
      "INSERT INTO index_parts (index_digest, digest, size_bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      index,
      digest,
      sizeBytes,
    );
  }

  /** As which part of any index a blob is here. */
  indexPart(digest: Digest): IndexPartRow | undefined {
    const row = this.#one("SELECT * FROM index_parts WHERE digest = ?", digest);
    return row === undefined ? undefined : toPart(row);
  }

  indexPartsOf(index: Digest): IndexPartRow[] {
    return this.#all("SELECT * FROM index_parts WHERE index_digest = ?", index).map(toPart);
  }

  /** @param repository `domain/path` where the blob is, if it is known to be anywhere */
  addBlob(blob: LayerBlobRow, repository: string | undefined, seenNanos: bigint): void {
    this.#run(
      "INSERT INTO layer_blobs (diff_id, digest, media_type, size_bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      blob.diffId,
      blob.digest,
      blob.mediaType,
      blob.sizeBytes,
    );
    if (repository === undefined) return;
    this.#run(
      `INSERT INTO blob_sources (diff_id, digest, repository, seen_nanos) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET seen_nanos = excluded.seen_nanos`,
      blob.diffId,
      blob.digest,
      repository,
      seenNanos,
    );
  }

  /** As what a layer is known, in the order in which it came to be. */
  blobsOf(diffId: Digest): LayerBlobRow[] {
    return this.#all("SELECT * FROM layer_blobs WHERE diff_id = ? ORDER BY rowid", diffId).map(toBlob);
  }

  /** The layer that a blob is. */
  layerOfBlob(digest: Digest): LayerBlobRow | undefined {
    const row = this.#one("SELECT * FROM layer_blobs WHERE digest = ?", digest);
    return row === undefined ? undefined : toBlob(row);
  }

  /** The repositories (`domain/path`) that a layer's blob was seen in, the latest first. */
  repositoriesOf(digest: Digest): string[] {
    const sql = "SELECT repository FROM blob_sources WHERE digest = ? ORDER BY seen_nanos DESC";
    return this.#all(sql, digest).map((row) => String(row["repository"]));
  }

  /** Everything that `content` is to have. */
  blobs(): Set<Digest> {
    const sql = `SELECT id AS digest FROM images UNION SELECT digest FROM image_manifests
      UNION SELECT digest FROM layer_blobs UNION SELECT digest FROM index_parts`;
    return new Set(this.#all(sql).map((row) => row["digest"] as Digest));
  }

  wantsBlob(digest: Digest): boolean {
    const sql = `SELECT 1 AS wanted WHERE EXISTS (SELECT 1 FROM images WHERE id = :digest)
      OR EXISTS (SELECT 1 FROM image_manifests WHERE digest = :digest)
      OR EXISTS (SELECT 1 FROM layer_blobs WHERE digest = :digest)
      OR EXISTS (SELECT 1 FROM index_parts WHERE digest = :digest)`;
    return this.#one(sql, { digest }) !== undefined;
  }

  /**
   * Deletes an image and the rows of the layers that only it had.
   * @returns the diffIDs of these, topmost first, and the blobs that were the image's, which others may have as well
   */
  remove(id: Digest): { layers: Digest[]; blobs: Digest[] } {
    const layers = this.layersOf(id);
    const manifests = this.manifestsOf(id);
    const blobs = [id, ...manifests.map((row) => row.digest)];
    for (const { diffId } of layers) blobs.push(...this.blobsOf(diffId).map((row) => row.digest));
    this.#run("DELETE FROM images WHERE id = ?", id);
    for (const { kind, digest } of manifests) if (kind === "index") blobs.push(...this.#removeParts(digest));
    const gone: Digest[] = [];
    for (const { diffId } of layers.reverse()) {
      const deleted = this.#run(
        "DELETE FROM layers WHERE diff_id = ? AND NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.diff_id = layers.diff_id)",
        diffId,
      );
      if (deleted > 0) gone.push(diffId);
    }
    return { layers: gone, blobs };
  }

  /** Of an index that no image has any more. */
  #removeParts(index: Digest): Digest[] {
    if (this.manifest(index) !== undefined) return [];
    const parts = this.indexPartsOf(index).map((row) => row.digest);
    this.#run("DELETE FROM index_parts WHERE index_digest = ?", index);
    return parts;
  }

  #one(sql: string, ...values: Value[]): Row | undefined {
    return this.#prepare(sql).get(...(values as string[])) as Row | undefined;
  }

  #all(sql: string, ...values: Value[]): Row[] {
    return this.#prepare(sql).all(...(values as string[])) as Row[];
  }

  #run(sql: string, ...values: Value[]): number {
    return Number(this.#prepare(sql).run(...(values as string[])).changes);
  }

  readonly #prepared = new Map<string, ReturnType<Database["prepare"]>>();

  #prepare(sql: string): ReturnType<Database["prepare"]> {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      // Times are nanoseconds: beyond the integers that a number holds exactly.
      statement.setReadBigInts(true);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

type Value = string | number | bigint | null | Record<string, string>;

function toImage(row: Row): ImageRow {
  return {
    id: row["id"] as Digest,
    createdNanos: row["created_nanos"] as bigint,
    sizeBytes: Number(row["size_bytes"]),
    ...(row["parent_id"] === null ? {} : { parentId: row["parent_id"] as Digest }),
    ...(row["tagged_nanos"] === null ? {} : { taggedNanos: row["tagged_nanos"] as bigint }),
    usedNanos: row["used_nanos"] as bigint,
    pinned: row["pinned"] !== 0n,
    removed: row["removed"] !== 0n,
    record: String(row["record"]),
  };
}

function toLayer(row: Row): LayerRow {
  return { diffId: row["diff_id"] as Digest, sizeBytes: Number(row["size_bytes"]) };
}

function toManifest(row: Row): ManifestRow {
  return {
    digest: row["digest"] as Digest,
    kind: row["kind"] as ManifestRow["kind"],
    mediaType: String(row["media_type"]),
    sizeBytes: Number(row["size_bytes"]),
  };
}

function toPart(row: Row): IndexPartRow {
  return { digest: row["digest"] as Digest, sizeBytes: Number(row["size_bytes"]) };
}

function toBlob(row: Row): LayerBlobRow {
  return {
    diffId: row["diff_id"] as Digest,
    digest: row["digest"] as Digest,
    mediaType: String(row["media_type"]),
    sizeBytes: Number(row["size_bytes"]),
  };
}
