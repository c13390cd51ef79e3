import { systemError } from "../../base/errors.ts";
import { blockBytes, entryOf, padding, parseHeader, parsePax, type TarEntry } from "./tar-header.ts";

const none: ReadonlyMap<string, string> = new Map();

/** Headers of names and records are small; a longer one is no archive of ours. */
const maxRecordBytes = 1 << 20;

/** Reads an archive entry by entry, as its bytes come. */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of the present entry that nobody has read yet, its padding included. */
  #left = 0;
  /** All bytes taken so far. */
  readBytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The bytes that are there, at most `most`; undefined at the end. */
  async #some(most: number): Promise<Buffer | undefined> {
    while (this.#pending.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) return undefined;
      this.readBytes += value.length;
      this.#pending = Buffer.from(value.buffer, value.byteOffset, value.length);
    }
    const part = this.#pending.subarray(0, most);
    this.#pending = this.#pending.subarray(part.length);
    return part;
  }

  async #exactly(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0; ) {
      const part = await this.#some(left);
      if (part === undefined) {
        if (parts.length === 0) return undefined;
        throw systemError("unexpected EOF");
      }
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  async #record(sizeBytes: number): Promise<Buffer> {
    if (sizeBytes > maxRecordBytes) throw systemError("archive/tar: invalid tar header");
    const data = await this.#exactly(sizeBytes + padding(sizeBytes));
    if (data === undefined) throw systemError("unexpected EOF");
    return data.subarray(0, sizeBytes);
  }

  /** The next entry; undefined behind the last. @throws System for what is no archive, or ends in the middle */
  async next(): Promise<TarEntry | undefined> {
    for await (const _ of this.data());
    let pax = none;
    for (;;) {
      const block = await this.#exactly(blockBytes);
      const header = block === undefined ? undefined : parseHeader(block);
      if (header === undefined) {
        // The body's end, so that its connection is not cut off.
        while ((await this.#some(Number.MAX_SAFE_INTEGER)) !== undefined);
        return undefined;
      }
      if (header.type === "x") pax = new Map([...pax, ...parsePax(await this.#record(header.sizeBytes))]);
      else if (header.type === "L" || header.type === "K") {
        const name = (await this.#record(header.sizeBytes)).toString().replace(/\0.*$/s, "");
        pax = new Map([...pax, [header.type === "L" ? "path" : "linkpath", name]]);
      } else {
        const entry = entryOf(header, pax);
        const size = entry?.sizeBytes ?? header.sizeBytes;
        this.#left = size + padding(size);
        this.#size = size;
        if (entry !== undefined) return entry;
        for await (const _ of this.data());
        pax = none;
      }
    }
  }

  #size = 0;

  /** What is left of the present entry's data. */
  async *data(): AsyncGenerator<Buffer, void> {
    while (this.#left > 0) {
      const part = await this.#some(this.#left);
      if (part === undefined) {
        // Docker's contexts end without the padding of their last file.
        if (this.#size > 0) throw systemError("unexpected EOF");
        this.#left = 0;
        return;
      }
      this.#left -= part.length;
      const data = part.subarray(0, this.#size);
      this.#size -= data.length;
      if (data.length > 0) yield data;
    }
  }
}
