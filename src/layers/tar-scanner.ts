/**
 * A push parser: chunks of a tar go in as they arrive, entries come out. File data is skipped by counting;
 * only headers are looked at or copied, so memory is one extended header (at most 1 MiB each).
 */
import { invalidParameter } from "../base/base.ts";
import { type ByteString, fromBytes } from "./byte-string.ts";
import type { EntryKind, TarEntry } from "./tar-entry.ts";
import { blockSize, isZeroBlock, malformed, parseHeader, parseNumber, type TarHeader } from "./tar-header.ts";
import { type PaxHeader, parseDecimal, parsePax, xattrsOf } from "./tar-pax.ts";
import { leadingRegions, mapRegions, oldRegions, type Region, toExtents } from "./tar-sparse.ts";

/** Extended headers, long names and sparse maps may have this many bytes, as in Docker's reader. */
const maxSpecialBytes = 1 << 20;

const kinds: Readonly<Record<string, EntryKind>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "link",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/** What the bytes that are being collected are. */
type Collecting = "pax" | "ignored" | "long-name" | "long-link" | "old-sparse" | "sparse-map";

type State =
  | { readonly at: "header" }
  | { readonly at: "skip" }
  | { readonly at: "collect"; readonly what: Collecting; readonly bytes: number }
  | { readonly at: "end" };

const header: State = { at: "header" };
const skip: State = { at: "skip" };
const padded = (bytes: number): number => Math.ceil(bytes / blockSize) * blockSize;

export class TarScanner {
  readonly #emit: (entry: TarEntry) => void;
  #state: State = header;
  /** Bytes of the stream consumed so far. */
  #position = 0;
  /** Bytes of data still to pass over. */
  #skip = 0;
  #parts: Buffer[] = [];
  #collected = 0;
  #wanted = blockSize;
  #zeroBlock = false;
  #pax: PaxHeader | undefined;
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;
  /** The sparse file whose map is being read. */
  #sparse: { readonly header: TarHeader; readonly regions: Region[]; readonly size: number; stored: number } | undefined;

  constructor(emit: (entry: TarEntry) => void) {
    this.#emit = emit;
  }

  /** @throws InvalidParameter for what is no tar, or a hostile one */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state.at === "end") {
        this.#position += chunk.length - at;
        return;
      }
      const left = chunk.length - at;
      if (this.#state.at === "skip") {
        const step = Math.min(left, this.#skip);
        at += step;
        this.#position += step;
        this.#skip -= step;
        if (this.#skip === 0) this.#expect(header, blockSize);
        continue;
      }
      const step = Math.min(left, this.#wanted - this.#collected);
      const piece = chunk.subarray(at, at + step);
      at += step;
      this.#position += step;
      if (this.#collected === 0 && step === this.#wanted) this.#complete(piece);
      else {
        this.#parts.push(Buffer.from(piece));
        this.#collected += step;
        if (this.#collected === this.#wanted) this.#complete(Buffer.concat(this.#parts));
      }
    }
  }

  /** The stream is over. @throws InvalidParameter when it broke off inside an entry */
  end(): void {
    const pending = this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
    if (this.#state.at === "end" || (this.#state.at === "header" && this.#collected === 0 && !pending)) return;
    throw invalidParameter("unexpected EOF");
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#wanted = bytes;
    this.#collected = 0;
    this.#parts = [];
  }

  #skipData(bytes: number): void {
    this.#skip = bytes;
    if (bytes > 0) this.#state = skip;
    else this.#expect(header, blockSize);
  }

  #collect(what: Collecting, bytes: number): void {
    if (bytes > maxSpecialBytes) throw malformed("an extended header is too long");
    if (bytes === 0) {
      this.#state = { at: "collect", what, bytes };
      this.#complete(Buffer.alloc(0));
      return;
    }
    this.#expect({ at: "collect", what, bytes }, padded(bytes));
  }

  #complete(block: Buffer): void {
    const state = this.#state;
    if (state.at === "header") this.#onHeader(block);
    else if (state.at === "collect") this.#onCollected(state.what, block, state.bytes);
  }

  #onHeader(block: Buffer): void {
    if (isZeroBlock(block)) {
      this.#expect(this.#zeroBlock ? { at: "end" } : header, blockSize);
      this.#zeroBlock = true;
      return;
    }
    if (this.#zeroBlock) throw malformed("a single zero block");
    const parsed = parseHeader(block);
    switch (String.fromCharCode(parsed.type)) {
      case "x":
        this.#collect("pax", parsed.size);
        break;
      case "g":
        // Docker reads global headers and applies none of them.
        this.#collect("ignored", parsed.size);
        break;
      case "L":
        this.#collect("long-name", parsed.size);
        break;
      case "K":
        this.#collect("long-link", parsed.size);
        break;
      default:
        this.#onEntry(parsed, block);
    }
  }

  #onCollected(what: Collecting, block: Buffer, bytes: number): void {
    const data = block.subarray(0, bytes);
    const nul = data.indexOf(0);
    this.#expect(header, blockSize);
    switch (what) {
      case "pax":
        this.#pax = parsePax(data);
        break;
      case "ignored":
        parsePax(data);
        break;
      case "long-name":
        this.#longName = fromBytes(data, 0, nul < 0 ? data.length : nul);
        break;
      case "long-link":
        this.#longLink = fromBytes(data, 0, nul < 0 ? data.length : nul);
        break;
      case "old-sparse":
        this.#onOldSparse(block);
        break;
      case "sparse-map":
        this.#onSparseMap(block);
        break;
      default:
        what satisfies never;
    }
  }

  #onEntry(parsed: TarHeader, block: Buffer): void {
    const pax = this.#pax;
    const stored = pax?.size ?? parsed.size;
    const major = pax?.sparse.get("major");
    if (parsed.type === 0x53) {
      const { regions, extended } = oldRegions(block, 386, 4, 482);
      this.#sparse = { header: parsed, regions, size: realSizeOf(block), stored };
      if (extended) this.#collect("old-sparse", blockSize);
      else this.#finishSparse();
      return;
    }
    if (pax !== undefined && isFile(parsed) && (major !== undefined || pax.sparse.has("map"))) {
      const size = parseDecimal(pax.sparse.get("realsize") ?? pax.sparse.get("size") ?? String(stored));
      this.#sparse = { header: parsed, regions: mapRegions(pax.sparse.get("map") ?? ""), size, stored };
      if (major === "1" && pax.sparse.get("minor") === "0") this.#collect("sparse-map", blockSize);
      else this.#finishSparse();
      return;
    }
    this.#deliver(this.#entry(parsed, stored), stored);
  }

  #onOldSparse(block: Buffer): void {
    const sparse = this.#sparse;
    if (sparse === undefined) return;
    const { regions, extended } = oldRegions(block, 0, 21, 504);
    sparse.regions.push(...regions);
    if (sparse.regions.length * 24 > maxSpecialBytes) throw malformed("a sparse map is too long");
    if (extended) this.#collect("old-sparse", blockSize);
    else this.#finishSparse();
  }

  #onSparseMap(block: Buffer): void {
    const sparse = this.#sparse;
    if (sparse === undefined) return;
    const map = leadingRegions(block);
    if (map === undefined) {
      if (block.length + blockSize > maxSpecialBytes) throw malformed("a sparse map is too long");
      // Most maps fit one block; a longer one is taken in steps that double.
      const wanted = Math.min(block.length * 2, maxSpecialBytes, padded(sparse.stored));
      if (wanted <= block.length) throw malformed("a sparse map leaves the file's data");
      this.#expect({ at: "collect", what: "sparse-map", bytes: wanted }, wanted);
      this.#parts = [Buffer.from(block)];
      this.#collected = block.length;
      return;
    }
    sparse.regions.push(...map.regions);
    this.#finishSparse(map.bytes, block.length);
  }

  /** @param mapBytes size of the map before the data; @param taken how much of map and data was collected already */
  #finishSparse(mapBytes = 0, taken = 0): void {
    const sparse = this.#sparse;
    if (sparse === undefined) return;
    this.#sparse = undefined;
    const stored = sparse.stored - mapBytes;
    const start = this.#position - taken + mapBytes;
    if (stored < 0) throw malformed("a sparse map leaves the file's data");
    const entry = this.#entry(sparse.header, sparse.size);
    entry.offset = start;
    entry.extents = toExtents(sparse.regions, start, sparse.size, stored);
    const name = this.#pax?.sparse.get("name");
    if (name !== undefined) entry.path = name as ByteString;
    this.#deliver(entry, sparse.stored, taken);
  }

  #entry(parsed: TarHeader, size: number): TarEntry {
    const pax = this.#pax;
    const path = this.#longName ?? pax?.path ?? parsed.name;
    const flag = String.fromCharCode(parsed.type);
    const kind = flag === "\0" && path.endsWith("/") ? "directory" : kinds[flag];
    if (kind === undefined) throw invalidParameter(`unhandled tar header type ${parsed.type}`);
    const [mtimeSeconds, mtimeNanos] = pax?.mtime ?? [parsed.mtime, 0];
    return {
      kind,
      path,
      link: this.#longLink ?? pax?.link ?? parsed.link,
      mode: parsed.mode & 0o7777,
      uid: pax?.uid ?? parsed.uid,
      gid: pax?.gid ?? parsed.gid,
      mtimeSeconds,
      mtimeNanos,
      size: kind === "file" ? size : 0,
      offset: this.#position,
      extents: undefined,
      major: parsed.major,
      minor: parsed.minor,
      xattrs: xattrsOf(pax),
    };
  }

  /** Hands the entry on and passes over its data; of `stored` bytes, `taken` are consumed already. */
  #deliver(entry: TarEntry, stored: number, taken = 0): void {
    this.#pax = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    // Only files have data: a directory's or a link's size is passed over, as Docker does.
    const bytes = entry.kind === "file" ? padded(stored) - taken : 0;
    if (this.#position + bytes > Number.MAX_SAFE_INTEGER) throw malformed("a size is out of range");
    this.#emit(entry);
    this.#skipData(bytes);
  }
}

function isFile(parsed: TarHeader): boolean {
  return kinds[String.fromCharCode(parsed.type)] === "file";
}

function realSizeOf(block: Buffer): number {
  const size = parseNumber(block, 483, 12);
  if (size < 0) throw malformed("a size is out of range");
  return size;
}
