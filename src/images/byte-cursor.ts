/** Walks a stream of chunks by counts of bytes. Chunks are handed on as they came where that is possible. */
import { type Duplex, pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError, errnoOf, invalidParameter, messageOf } from "../base/base.ts";
import { decodeBzip2 } from "../layers/bzip2.ts";
import { PullDecoder } from "../layers/pull-decoder.ts";
import { decodeXz } from "../layers/xz.ts";

export class ByteCursor {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  /** Once the stream has failed, every later call fails in the same way. */
  #failure: unknown;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /**
   * A cursor over a client's stream. Disposing of the cursor lets go of the stream and throws away what is still
   * to come: to destroy a request would be to close the connection, over which the client is yet to be told why.
   */
  static over(source: Readable): { cursor: ByteCursor } & Disposable {
    const chunks: AsyncIterator<Uint8Array> = source.iterator({ destroyOnReturn: false });
    const cursor = new ByteCursor({ [Symbol.asyncIterator]: () => chunks });
    return {
      cursor,
      [Symbol.dispose]() {
        // Not waited for: a read may be under way that ends only when the client sends something.
        void chunks.return?.().then(() => source.resume());
      },
    };
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const { value, done } = await this.#chunks.next();
      return done === true ? undefined : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    } catch (error) {
      this.#failure = error ?? new Error("the stream failed");
      throw this.#failure;
    }
  }

  /** Makes `count` bytes contiguous, fewer at the end of the stream. */
  async peek(count: number): Promise<Buffer> {
    if (this.#chunk.length < count) {
      const parts = [this.#chunk];
      let length = this.#chunk.length;
      while (length < count) {
        const chunk = await this.#next();
        if (chunk === undefined) break;
        parts.push(chunk);
        length += chunk.length;
      }
      this.#chunk = Buffer.concat(parts, length);
    }
    return this.#chunk.subarray(0, count);
  }

  /** Exactly `count` bytes, fewer only at the end of the stream. */
  async take(count: number): Promise<Buffer> {
    const data = await this.peek(count);
    this.#chunk = this.#chunk.subarray(data.length);
    return data;
  }

  /** Between 1 and `max` bytes, whatever is at hand; none at the end of the stream. */
  async some(max: number): Promise<Buffer> {
    while (this.#chunk.length === 0) {
      const chunk = await this.#next();
      if (chunk === undefined) return this.#chunk;
      this.#chunk = chunk;
    }
    const data = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(data.length);
    return data;
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.some(Number.MAX_SAFE_INTEGER);
      if (chunk.length === 0) return;
      yield chunk;
    }
  }
}

export type Compression = "gzip" | "zstd" | "bzip2" | "xz";

/** By the first bytes. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, at) => head[at] === byte);
  if (starts(0x1f, 0x8b)) return "gzip";
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if (starts(0x42, 0x5a, 0x68)) return "bzip2";
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return "xz";
  return undefined;
}

/** A cursor over the uncompressed bytes. Failures of the decompressor come out as InvalidParameter. */
export async function uncompressed(cursor: ByteCursor): Promise<ByteCursor> {
  const compression = compressionOf(await cursor.peek(6));
  if (compression === undefined) return cursor;
  return new ByteCursor(decoded(cursor, decoderOf(compression), compression));
}

function decoderOf(compression: Compression): Duplex {
  const chunkSize = 1 << 18;
  switch (compression) {
    case "gzip":
      return createGunzip({ chunkSize });
    case "zstd":
      return createZstdDecompress({ chunkSize });
    case "bzip2":
      return new PullDecoder(decodeBzip2());
    case "xz":
      return new PullDecoder(decodeXz());
  }
}

async function* decoded(cursor: ByteCursor, decoder: Duplex, compression: Compression): AsyncGenerator<Uint8Array> {
  // The decoder is destroyed with the failure, which then comes out of the loop.
  pipeline(Readable.from(cursor.rest(), { objectMode: false }), decoder, () => {});
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
  } catch (error) {
    if (error instanceof EngineError || !/^(Z_|ZSTD|ERR_)/.test(errnoOf(error) ?? "")) throw error;
    const why = messageOf(error);
    throw invalidParameter(why === "unexpected end of file" ? "unexpected EOF" : `invalid ${compression} stream: ${why}`, error);
  }
}
