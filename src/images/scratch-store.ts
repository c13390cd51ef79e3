/** For tests: images on a data root of their own, and archives to load made by hand. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ContainerId } from "../base/base.ts";
import type { Content } from "../content/content.ts";
import { openContent } from "../content/open.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Layers } from "../layers/layers.ts";
import { openLayers } from "../layers/open.ts";
import { type Database, openDatabase } from "../state/state.ts";
import { archiveEnd, entryHeader, entryPadding } from "./archive-writer.ts";
import type { Images } from "./images.ts";
import { openImages } from "./open.ts";

/** Layers are taken in, kept and removed for real; only mounting them is written down instead of done. */
function openScratchLayers(root: string): Promise<Layers & AsyncDisposable> {
  const mounts = new Set<string>();
  const layers: Kernel["layers"] = {
    async mountErofs(key) {
      mounts.add(key);
      return `/${key}`;
    },
    async unmount(key) {
      mounts.delete(key);
    },
    async mounted() {
      return [...mounts];
    },
  };
  const features = { release: "6.12.0", cgroupVersion: 2, erofsFiles: true } as Kernel["features"];
  const files: Kernel["files"] = { apply: () => Promise.reject(new Error("the driver erofs changes no files")) };
  return openLayers({ root, kernel: { features, layers, files }, driver: "erofs" });
}

export interface Published {
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ScratchStore extends AsyncDisposable {
  readonly root: string;
  readonly images: Images;
  readonly layers: Layers;
  readonly content: Content;
  readonly database: Database;
  readonly events: Published[];
  /** What `usedBy` answers, to be filled by the test. */
  readonly users: Map<string, { id: ContainerId; running: boolean }[]>;
  /** Every file below the data root but the database's, and every row of an image table: what a refused load must not add to. */
  traces(): Promise<string[]>;
  /** Lets go of the data root and leaves it as it is. */
  close(): Promise<void>;
  /** The same data root, as after a restart. */
  reopen(): Promise<ScratchStore>;
}

export async function openScratchStore(root?: string): Promise<ScratchStore> {
  const place = root ?? (await mkdtemp(join(tmpdir(), "berth-test-images-")));
  await mkdir(join(place, "layers"), { recursive: true });
  const database = openDatabase(join(place, "berth.db"));
  const content = await openContent(join(place, "content"));
  const layers = await openScratchLayers(join(place, "layers"));
  const events: Published[] = [];
  const users: ScratchStore["users"] = new Map();
  const images = await openImages({
    database,
    content,
    layers,
    usedBy: (id) => users.get(id) ?? [],
    events: { publish: (_type, action, id, attributes) => void events.push({ action, id, attributes }) },
  });
  const close = async (): Promise<void> => {
    database.close();
    await layers[Symbol.asyncDispose]();
  };
  return {
    root: place,
    images,
    layers,
    content,
    database,
    events,
    users,
    async traces() {
      const files = await readdir(place, { recursive: true, withFileTypes: true });
      const rows = [
        "images",
        "layers",
        "image_layers",
        "image_references",
        "image_manifests",
        "index_parts",
        "layer_blobs",
        "blob_sources",
      ].flatMap((table) => {
        const query = database.prepare(`SELECT * FROM ${table}`);
        query.setReadBigInts(true);
        return query.all().map((row) => `${table} ${Object.values(row).join(" ")}`);
      });
      return [
        ...files.filter((file) => file.isFile() && !file.name.startsWith("berth.db")).map((file) => join(file.parentPath, file.name)),
        ...rows,
      ].sort();
    },
    close,
    async reopen() {
      await close();
      return openScratchStore(place);
    },
    async [Symbol.asyncDispose]() {
      if (database.isOpen) await close();
      await rm(place, { recursive: true, force: true });
    },
  };
}

/** A tar of plain files, or of links where the content is `{ symlink }`. */
export function tarOf(members: Readonly<Record<string, string | Uint8Array | { symlink: string }>>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, content] of Object.entries(members)) {
    if (typeof content === "object" && "symlink" in content) {
      parts.push(linkHeader(name, content.symlink));
      continue;
    }
    const data = Buffer.from(content as Uint8Array);
    parts.push(entryHeader({ name, type: "file", sizeBytes: data.length }), data, entryPadding(data.length));
  }
  return Buffer.concat([...parts, archiveEnd()]);
}

function linkHeader(name: string, target: string): Buffer {
  const header = entryHeader({ name, type: "file", sizeBytes: 0 });
  header.write("2", 156);
  header.write(target, 157);
  return withChecksum(header);
}

/** Puts the right sum into a header that was changed. */
export function withChecksum(header: Buffer): Buffer {
  header.write("        ", 148);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

export function streamOf(data: Uint8Array, chunkBytes = 4096): Readable {
  function* chunks(): Generator<Uint8Array> {
    for (let at = 0; at < data.length; at += chunkBytes) yield data.subarray(at, at + chunkBytes);
  }
  return Readable.from(chunks(), { objectMode: false });
}

/** What `docker load` would print. */
export async function loadAll(store: ScratchStore, data: Uint8Array, chunkBytes?: number): Promise<string> {
  let text = "";
  for await (const message of store.images.load(streamOf(data, chunkBytes), { quiet: true })) text += String(message["stream"] ?? "");
  return text;
}

export async function saveAll(store: ScratchStore, ...references: string[]): Promise<Buffer> {
  return Buffer.concat((await (await store.images.save(references)).toArray()) as Uint8Array[]);
}

/** The members of an archive by name, read with the system's own tar as a second opinion. */
export async function extract(data: Uint8Array): Promise<Map<string, Buffer>> {
  const { execFileSync } = await import("node:child_process");
  const folder = await mkdtemp(join(tmpdir(), "berth-test-untar-"));
  try {
    execFileSync("tar", ["-x", "-C", folder], { input: data });
    const members = new Map<string, Buffer>();
    for (const file of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (file.isFile()) {
        const path = join(file.parentPath, file.name);
        members.set(path.slice(folder.length + 1), await readFile(path));
      }
    return members;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
