/**
 * Takes an image archive's members as they arrive. What a member is, its first bytes say, not its path:
 * layers stream into the layer store at once, so that no byte of them is read twice; JSON stays in memory until
 * the whole archive is there and says what belongs together. Blobs of an OCI layout that came compressed are kept as
 * they are too, and so are those that are neither; anything else is skipped.
 */
import { once } from "node:events";
import { posix } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { type Digest, digestOf, type EngineError, hexOf, invalidParameter, isDigest, isEngineError } from "../base/base.ts";
import { hasChecksum, type Member } from "./archive-reader.ts";
import { compressionOf } from "./byte-cursor.ts";
import type { Pins } from "./custody.ts";
import type { ImageStore } from "./store.ts";

/** Manifests and configurations are a few kilobytes; the registry specification allows 4 MiB. */
const maxJsonBytes = 4 << 20;
const maxAllJsonBytes = 64 << 20;
const maxLinkHops = 40;

/** A layer that could not be taken in matters only if an image needs it. */
type Layer = { readonly diffId: Digest } | { readonly error: EngineError };

/** Told how much of a layer has arrived. */
export type OnProgress = (id: string, currentBytes: number, totalBytes: number) => void;

export class ArchiveContents {
  readonly #store: ImageStore;
  readonly #pins: Pins;
  readonly #onProgress: OnProgress | undefined;
  readonly #json = new Map<string, Buffer>();
  readonly #layers = new Map<string, Layer>();
  /** Those that are in `content`, pinned, with their sizes. */
  readonly #blobs = new Map<Digest, number>();
  readonly #links = new Map<string, string>();
  #jsonBytes = 0;

  /** @param pins gets every layer that is taken in or relied upon */
  constructor(store: ImageStore, pins: Pins, onProgress: OnProgress | undefined) {
    this.#store = store;
    this.#pins = pins;
    this.#onProgress = onProgress;
  }

  async take(member: Member): Promise<void> {
    switch (member.type) {
      case "symlink":
        this.#links.set(member.name, inside(posix.join(posix.dirname(member.name), member.target), member.target));
        return;
      case "link":
        this.#links.set(member.name, inside(posix.join(".", member.target), member.target));
        return;
      case "file":
        return await this.#takeFile(member);
      case "directory":
      case "other":
        return;
      default:
        return member.type satisfies never;
    }
  }

  async #takeFile(member: Member): Promise<void> {
    const head = await member.peek(512);
    const compression = compressionOf(head);
    const blob = blobOfPath(member.name);
    if (compression !== undefined && blob !== undefined) {
      this.#layers.set(member.name, await this.#takeCompressed(member, blob));
    } else if (compression !== undefined || isTarHead(head)) {
      this.#layers.set(member.name, await this.#takeLayer(member, compression !== undefined));
    } else if (isJsonHead(head) && member.sizeBytes <= maxJsonBytes) {
      this.#jsonBytes += member.sizeBytes;
      if (this.#jsonBytes > maxAllJsonBytes) throw invalidParameter("the archive has too many manifests");
      const data = await member.read();
      const before = this.#json.get(member.name);
      // Readers differ in which of two they believe, so nobody shall have to choose.
      if (before !== undefined && !before.equals(data))
        throw invalidParameter(`two members of the archive are named ${JSON.stringify(member.name)}`);
      this.#json.set(member.name, data);
    } else if (blob !== undefined) {
      await this.#keepBlob(member, blob);
    }
  }

  async #keepBlob(member: Member, digest: Digest): Promise<void> {
    await this.#pins.blob(digest);
    const body = member.stream(this.#progress(member, digest));
    try {
      await this.#store.ports.content.ingest(body, { digest, sizeBytes: member.sizeBytes }, { synced: false });
      this.#blobs.set(digest, member.sizeBytes);
    } catch (error) {
      // Without it, what leads to it is not all there.
      if (!isEngineError(error, "InvalidParameter")) throw error;
    }
  }

  /** A layer as registries have it: what it is compressed, and what it is then. */
  async #takeCompressed(member: Member, digest: Digest): Promise<Layer> {
    const { rows, ports } = this.#store;
    await this.#pins.blob(digest);
    const known = rows.layerOfBlob(digest);
    if (known !== undefined && (await ports.content.sizeOf(digest)) === member.sizeBytes) {
      await this.#pins.layer(known.diffId);
      if (rows.layer(known.diffId) !== undefined && (await ports.layers.has(known.diffId))) {
        this.#blobs.set(digest, member.sizeBytes);
        return { diffId: known.diffId };
      }
    }
    const body = member.stream(this.#progress(member, digest));
    const copy = new PassThrough({ highWaterMark: 1 << 20 });
    const kept = ports.content.ingest(copy, { digest, sizeBytes: member.sizeBytes }, { synced: false });
    kept.catch(() => undefined);
    try {
      const source = Readable.from(copied(body, copy, kept), { objectMode: false });
      const { diffId } = await ports.layers.ingest(source, undefined, this.#pins.layer);
      await kept.catch((error: unknown) => {
        throw isEngineError(error, "InvalidParameter") ? mismatch(digest) : error;
      });
      this.#blobs.set(digest, member.sizeBytes);
      return { diffId };
    } catch (error) {
      if (!isEngineError(error, "InvalidParameter")) throw error;
      return { error };
    } finally {
      body.destroy();
      copy.destroy();
      await kept.catch(() => undefined);
    }
  }

  async #takeLayer(member: Member, isCompressed: boolean): Promise<Layer> {
    const stated = digestOfPath(member.name);
    // The archive's own word for what the layer is; a layer of that name that is here already is the right one.
    if (!isCompressed && stated !== undefined && this.#store.rows.layer(stated) !== undefined) {
      await this.#pins.layer(stated);
      if (await this.#store.ports.layers.has(stated)) return { diffId: stated };
    }
    const body = member.stream(this.#progress(member, stated));
    try {
      const { diffId } = await this.#store.ports.layers.ingest(body, isCompressed ? undefined : stated, this.#pins.layer);
      return { diffId };
    } catch (error) {
      if (!isEngineError(error, "InvalidParameter")) throw error;
      return { error };
    } finally {
      body.destroy();
    }
  }

  #progress(member: Member, stated: Digest | undefined): ((count: number) => void) | undefined {
    const tell = this.#onProgress;
    if (tell === undefined) return undefined;
    const id = (stated === undefined ? member.name : hexOf(stated)).slice(0, 12);
    let current = 0;
    return (count) => {
      current += count;
      tell(id, current, member.sizeBytes);
    };
  }

  #follow(name: string): string {
    let at = posix.normalize(name);
    for (let hops = 0; hops < maxLinkHops; hops++) {
      const next = this.#links.get(at);
      if (next === undefined) return at;
      at = next;
    }
    throw invalidParameter(`too many links in archive: ${JSON.stringify(name)}`);
  }

  hasJson(name: string): boolean {
    return this.#json.has(this.#follow(name));
  }

  /** @throws InvalidParameter when there is no such member, or its path states a digest that it has not */
  json(name: string): Buffer {
    const path = this.#follow(name);
    const data = this.#json.get(path);
    if (data === undefined) throw invalidParameter(`invalid image archive: ${JSON.stringify(name)} is missing or is not JSON`);
    const stated = digestOfPath(path);
    if (stated !== undefined && digestOf(data) !== stated) throw mismatch(stated);
    return data;
  }

  /** The diffID of the layer at a path. @throws InvalidParameter */
  layer(name: string): Digest {
    const found = this.#layers.get(this.#follow(name));
    if (found === undefined) throw invalidParameter(`invalid image archive: layer ${JSON.stringify(name)} is missing`);
    if ("error" in found) throw found.error;
    return found.diffId;
  }

  /** The size of a blob that is in `content`. */
  blobSize(digest: Digest): number | undefined {
    return this.#blobs.get(digest);
  }

  hasLayer(name: string): boolean {
    return this.#layers.has(this.#follow(name));
  }
}

/** Where a blob lies in an OCI image layout (image-spec, image-layout.md, "Blobs"). */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function mismatch(digest: Digest): EngineError {
  return invalidParameter(`blob ${digest}: content does not match its digest`);
}

function blobOfPath(path: string): Digest | undefined {
  return path.startsWith("blobs/") ? digestOfPath(path) : undefined;
}

const isJsonHead = (head: Buffer): boolean => /^\s*[[{]/.test(head.toString("latin1"));

/** The digest that a path promises: of a blob, or of Docker's `<id>.json`. */
function digestOfPath(path: string): Digest | undefined {
  const hex = /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/.exec(path);
  const digest = `sha256:${hex?.[1] ?? hex?.[2] ?? ""}`;
  return isDigest(digest) ? digest : undefined;
}

function isTarHead(head: Uint8Array): boolean {
  return head.length === 512 && (head.every((byte) => byte === 0) || hasChecksum(head));
}

function inside(path: string, written: string): string {
  const parts = path.split("/");
  if (written.startsWith("/") || parts[0] === "..") throw invalidParameter(`invalid link in archive: ${JSON.stringify(written)}`);
  return path;
}

/** Passes the bytes on, and each to `copy` as well, no faster than `kept` takes them from there. */
async function* copied(source: Readable, copy: PassThrough, kept: Promise<unknown>): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      // Whoever takes the chunk may take its memory.
      if (!copy.write(Buffer.from(chunk))) await Promise.race([once(copy, "drain"), kept]);
      yield chunk;
    }
  } finally {
    copy.end();
  }
}
