/**
 * Extracts a tar stream into a container's tree, by the rules of `docker cp`. The tar is read here; what it names is
 * made by the kernel room, inside the container's root whatever links are on the way. What would leave the destination
 * by its text alone is refused, as Docker refuses it.
 */
import { posix } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { invalidParameter } from "../base/base.ts";
import type { FileMeta, TreeWriter } from "../kernel/kernel.ts";
import { fromText, toBytes, toText } from "./byte-string.ts";
import { decompressorFor, magicBytes } from "./compression.ts";
import type { Extent, TarEntry } from "./tar-entry.ts";
import { TarScanner } from "./tar-scanner.ts";

export interface ExtractOptions {
  /** Absolute; the directory that the names in the tar start from. */
  readonly destination: string;
  /** Of everything that is made; undefined: as the tar says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** File type bits of st_mode. */
const nodeTypes = { character: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

const zeros = Buffer.alloc(64 * 1024);

/** Attributes that have a meaning outside of the file system they were read from. */
function isKept(name: string): boolean {
  return name.startsWith("user.") || name === "security.capability" || name.startsWith("system.posix_acl_");
}

class Extraction {
  readonly #into: TreeWriter;
  readonly #options: ExtractOptions;
  /** As a byte string, without a slash at the end; "" for the root. */
  readonly #destination: string;
  readonly #found: TarEntry[] = [];
  readonly #scanner: TarScanner = new TarScanner((entry) => this.#found.push(entry));
  /** Their times are set last: making files in them changes these. */
  readonly #directories: { path: string; meta: FileMeta }[] = [];
  /** What of the file that is being written is still to come. */
  #file: { readonly size: number; written: number; readonly extents: Extent[] } | undefined;
  #position = 0;

  constructor(into: TreeWriter, options: ExtractOptions) {
    this.#into = into;
    this.#options = options;
    this.#destination = fromText(options.destination === "/" ? "" : options.destination.replace(/\/+$/, ""));
  }

  async push(chunk: Buffer): Promise<void> {
    this.#found.length = 0;
    this.#scanner.push(chunk);
    await this.#pass(chunk);
    for (const entry of this.#found) {
      await this.#begin(entry);
      await this.#pass(chunk);
    }
    this.#position += chunk.length;
  }

  async finish(): Promise<void> {
    this.#scanner.end();
    for (const { path, meta } of this.#directories) await this.#into.put({ op: "meta", path: toBytes(path), ...meta });
    await this.#into.finish();
  }

  /** Sends what the chunk, which begins at #position, has of the present file. */
  async #pass(chunk: Buffer): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    for (let extent = file.extents[0]; extent !== undefined; extent = file.extents[0]) {
      const [at, from, length] = extent;
      await this.#fill(file, at);
      const start = from + (file.written - at) - this.#position;
      const end = Math.min(from + length - this.#position, chunk.length);
      if (start < end) {
        await this.#into.contents(chunk.subarray(start, end));
        file.written += end - start;
      }
      if (file.written < at + length) return;
      file.extents.shift();
    }
    await this.#fill(file, file.size);
    this.#file = undefined;
  }

  async #fill(file: { written: number }, upTo: number): Promise<void> {
    while (file.written < upTo) {
      const part = zeros.subarray(0, Math.min(zeros.length, upTo - file.written));
      await this.#into.contents(part);
      file.written += part.length;
    }
  }

  /** The entry's place; undefined for the destination itself, which keeps what it has. */
  #placeOf(entry: TarEntry): string | undefined {
    const name = posix.normalize(entry.path);
    if (/^\.\.(?:\/|$)/.test(name)) {
      throw invalidParameter(`${JSON.stringify(toText(name))} is outside of ${JSON.stringify(this.#options.destination)}`);
    }
    const path = posix.normalize(`/${name}`).replace(/\/+$/, "");
    return path === "" ? undefined : this.#destination + path;
  }

  #inside(path: string): boolean {
    return path.startsWith(this.#destination === "" ? "/" : this.#destination);
  }

  #metaOf(entry: TarEntry): FileMeta {
    const { uid, gid } = this.#options.owner ?? entry;
    // As Docker: a time before 1970 is 1970.
    const seconds = Math.max(entry.mtimeSeconds, 0);
    return {
      mode: entry.mode,
      uid,
      gid,
      mtimeNanos: BigInt(seconds) * 1_000_000_000n + BigInt(seconds === entry.mtimeSeconds ? entry.mtimeNanos : 0),
      xattrs: entry.xattrs.filter(([name]) => isKept(name)),
    };
  }

  async #begin(entry: TarEntry): Promise<void> {
    const place = this.#placeOf(entry);
    if (place === undefined) return;
    const meta = this.#metaOf(entry);
    const path = toBytes(place);
    switch (entry.kind) {
      case "file":
        this.#file = { size: entry.size, written: 0, extents: [...(entry.extents ?? [[0, entry.offset, entry.size] as const])] };
        return await this.#into.file(path, entry.size, meta);
      case "directory":
        this.#directories.push({ path: place, meta });
        return await this.#into.put({ op: "directory", path, ...meta });
      case "symlink":
        if (!this.#inside(posix.normalize(`${posix.dirname(place)}/${entry.link}`)))
          throw invalidParameter(`invalid symlink ${quoted(place)} -> ${quoted(entry.link)}`);
        return await this.#into.put({ op: "symlink", path, target: toBytes(entry.link), ...meta });
      case "link":
        return await this.#link(path, entry);
      case "character":
      case "block":
      case "fifo": {
        const mode = nodeTypes[entry.kind] | meta.mode;
        return await this.#into.put({ op: "node", path, major: entry.major, minor: entry.minor, ...meta, mode });
      }
      default:
        entry.kind satisfies never;
    }
  }

  async #link(path: Buffer, entry: TarEntry): Promise<void> {
    const target = posix.normalize(`${this.#destination}/${entry.link}`);
    if (!this.#inside(target)) throw invalidParameter(`invalid hardlink ${quoted(target)} -> ${quoted(entry.link)}`);
    await this.#into.put({ op: "link", path, target: toBytes(target) });
  }
}

function quoted(bytes: string): string {
  return JSON.stringify(toText(bytes));
}

/** The first chunks again, then the others. */
async function* replay(first: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** Told apart by its first bytes, as a layer is. */
async function* decompressed(source: Readable): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first: Buffer[] = [];
  let length = 0;
  while (length < magicBytes) {
    const next = await chunks.next();
    if (next.done === true) break;
    first.push(next.value);
    length += next.value.length;
  }
  const decoder = decompressorFor(Buffer.concat(first).subarray(0, magicBytes));
  if (decoder === undefined) return yield* replay(first, chunks);
  const output = new PassThrough();
  const decoding = pipeline(replay(first, chunks), decoder, output);
  decoding.catch(() => undefined);
  yield* output;
  await decoding;
}

/**
 * @param source a tar, plain or compressed with gzip, zstd, xz or bzip2
 * @throws InvalidParameter for what is no tar, or would leave the destination; System for what cannot be made
 */
export async function extract(source: Readable, into: TreeWriter, options: ExtractOptions): Promise<void> {
  const extraction = new Extraction(into, options);
  for await (const chunk of decompressed(source)) await extraction.push(chunk);
  await extraction.finish();
}
