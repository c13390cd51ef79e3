/** After a restart: what is listed is whole, what a row names is there, and nothing else is. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { digestOf } from "../../src/base/base.ts";
import type { KnownImage } from "./known-images.ts";
import type { Stand } from "./stand.ts";

export interface Audit {
  readonly images: readonly { readonly Id: string; readonly RepoTags: readonly string[] | null }[];
  /** Of blobs that are on their way: digest → bytes that are there. */
  readonly downloads: ReadonlyMap<string, number>;
}

async function hexOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** The daemon runs, and nobody asks it for anything. */
export async function audit(stand: Stand): Promise<Audit> {
  stand.assertNothingNewInDataRoot();
  const rows = readRows(join(stand.daemon.dataRoot, "berth.db"));
  await auditLayers(stand, rows);
  await auditContent(stand, rows);
  const containers = readdirSync(join(stand.daemon.dataRoot, "containers"));
  assert.deepEqual(containers.sort(), rows.containers, "directories of containers and their rows");
  auditMounts(stand, rows);
  const downloads = new Map<string, number>();
  for (const name of stand.files("downloads")) {
    const [, hex] = /^([0-9a-f]{64})\.[0-9a-f]{16}$/.exec(name) ?? [];
    assert.ok(hex !== undefined, `a download called ${name}`);
    assert.ok(!rows.blobs.has(hex), `a download of ${hex}, which is stored already`);
    downloads.set(`sha256:${hex}`, statSync(join(stand.daemon.dataRoot, "downloads", name)).size);
  }
  const images = await stand.images();
  const listed = images.map(({ Id }) => Id).sort();
  const others = rows.images.filter((id) => !listed.includes(id));
  assert.deepEqual([...listed, ...others].sort(), rows.images, "images that are listed, and their rows");
  for (const id of others) assert.ok(rows.platforms.has(id), `${id} is neither listed nor one of several platforms`);
  for (const id of rows.images) await readWhole(stand, id);
  return { images, downloads };
}

interface Rows {
  readonly images: readonly string[];
  /** Those of them that have a name by an index. */
  readonly platforms: ReadonlySet<string>;
  readonly containers: readonly string[];
  /** Hex of the diffID → bytes. */
  readonly layers: ReadonlyMap<string, number>;
  /** In hex, what `content` is to have, and layers' tars that are blobs themselves. */
  readonly blobs: ReadonlySet<string>;
}

function readRows(path: string): Rows {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  const all = (sql: string): string[] =>
    database
      .prepare(sql)
      .all()
      .map((row) => String(Object.values(row)[0]));
  try {
    assert.deepEqual(all("PRAGMA integrity_check"), ["ok"]);
    assert.deepEqual(all("PRAGMA foreign_key_check"), []);
    const loose = "SELECT index_digest FROM index_parts EXCEPT SELECT digest FROM image_manifests";
    assert.deepEqual(all(loose), [], "parts of an index without an image");
    assert.deepEqual(all("SELECT diff_id FROM layers EXCEPT SELECT diff_id FROM image_layers"), [], "layers of no image");
    const layers = database.prepare("SELECT substr(diff_id, 8) AS hex, size_bytes AS size FROM layers").all();
    return {
      images: all("SELECT id FROM images WHERE removed = 0 ORDER BY id"),
      platforms: new Set(all("SELECT image_id FROM image_references WHERE index_digest IS NOT NULL")),
      containers: all("SELECT id FROM containers ORDER BY id"),
      layers: new Map(layers.map((row) => [String(row["hex"]), Number(row["size"])])),
      blobs: new Set(
        all(
          `SELECT substr(id, 8) FROM images UNION SELECT substr(digest, 8) FROM image_manifests
             UNION SELECT substr(digest, 8) FROM layer_blobs UNION SELECT substr(digest, 8) FROM index_parts`,
        ),
      ),
    };
  } finally {
    database.close();
  }
}

async function auditLayers({ daemon }: Stand, { layers }: Rows): Promise<void> {
  const folder = join(daemon.dataRoot, "layers");
  const names = readdirSync(folder).filter((name) => name !== "empty");
  assert.deepEqual(names.sort(), [...layers.keys()].sort(), "directories of layers and their rows");
  for (const [hex, sizeBytes] of layers) {
    const tar = join(folder, hex, "layer.tar");
    assert.equal(statSync(tar).size, sizeBytes);
    assert.equal(await hexOfFile(tar), hex, "a layer's tar");
    assert.ok(existsSync(join(folder, hex, "layer.erofs")), "a layer's index");
  }
}

async function auditContent(stand: Stand, { blobs, layers }: Rows): Promise<void> {
  const files = stand.files("content");
  const wanted = [...blobs].filter((hex) => !layers.has(hex)).map((hex) => `sha256/${hex}`);
  assert.deepEqual(files, wanted.sort(), "blobs and their rows");
  for (const name of files) assert.equal(`sha256/${await hexOfFile(join(stand.daemon.dataRoot, "content", name))}`, name);
}

/** What the broker has mounted of layers is of layers that there are; the rest of the host has none of it. */
function auditMounts({ daemon }: Stand, { layers }: Rows): void {
  const own = readFileSync("/proc/self/mountinfo", "utf8");
  assert.ok(!own.includes(daemon.dataRoot), "mounts that all can see");
  const children = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid));
  for (const pid of children) {
    let mounts = "";
    try {
      if (!readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("berth-broker")) continue;
      mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
    } catch {
      continue; // it has ended since
    }
    for (const [, hex = ""] of mounts.matchAll(/\/layer-([0-9a-f]{64}) /g))
      assert.ok(layers.has(hex), `layer ${hex} is mounted and is not there`);
  }
}

/** `docker save`, and each byte of it is what its name says. */
async function readWhole(stand: Stand, id: string): Promise<void> {
  const archive = await stand.ok("GET", `/images/${id}/get`);
  const names = new Set<string>();
  for (let at = 0; archive[at] !== 0; ) {
    const name = archive.toString("latin1", at, archive.indexOf(0, at));
    const sizeBytes = Number.parseInt(archive.toString("latin1", at + 124, at + 135), 8);
    const bytes = archive.subarray(at + 512, at + 512 + sizeBytes);
    if (name.startsWith("blobs/sha256/") && !name.endsWith("/"))
      assert.equal(`blobs/sha256/${digestOf(bytes).slice("sha256:".length)}`, name);
    names.add(name);
    at += 512 + Math.ceil(sizeBytes / 512) * 512;
  }
  const wanted = [id, ...(stand.known.byId(id)?.diffIds ?? [])];
  for (const digest of wanted) assert.ok(names.has(`blobs/sha256/${digest.slice("sha256:".length)}`), `${digest} of image ${id}`);
}

/** A container of it reads what was put in. */
export async function runs(stand: Stand, image: KnownImage, reference: string): Promise<void> {
  const output = await stand.run(reference, ["/bin/busybox", "sha256sum", ...[...image.files.keys()].map((path) => `/${path}`)]);
  assert.equal(output, [...image.files].map(([path, sum]) => `${sum}  /${path}\n`).join(""));
}

/** Nothing is stored any more, not even what is to go on. */
export function assertEmpty(stand: Stand): void {
  assert.deepEqual(stand.files("content"), [], "content");
  assert.deepEqual(stand.files("downloads"), [], "downloads");
  assert.deepEqual(stand.files("layers"), [], "layers");
  assert.deepEqual(stand.files("containers"), [], "containers");
}
