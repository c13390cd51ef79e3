/** Tells how a layer is compressed by its first bytes. */
import type { Duplex } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { release } from "../base/free-buffers.ts";
import { decodeBzip2 } from "./bzip2.ts";
import { PullDecoder } from "./pull-decoder.ts";
import { decodeXz } from "./xz.ts";

/** So many bytes tell all formats apart. */
export const magicBytes = 6;

const outputBytes = 256 * 1024;

/**
 * Frees what a decompressor has given. To be called with each chunk in turn, when nobody looks at it or at those before it any more.
 * Several chunks may be parts of one buffer, which is the decompressor's until it has filled it.
 */
export function releaseDecoded({ buffer, byteOffset, length }: Buffer): void {
  if (byteOffset + length === buffer.byteLength && buffer.byteLength === outputBytes) release(new Uint8Array(buffer));
}

function startsWith(data: Buffer, hex: string): boolean {
  return data.subarray(0, hex.length / 2).toString("hex") === hex;
}

/** With the last chunk, when the decompressor has ended: itself it goes with a full collection only, which may be far. */
export function releaseLast({ buffer }: Buffer): void {
  if (buffer.byteLength === outputBytes) release(new Uint8Array(buffer));
}

/**
 * @param first the stream's first six bytes, or all of a shorter one
 * @returns undefined for a stream that is not compressed
 */
export function decompressorFor(first: Buffer): Duplex | undefined {
  if (startsWith(first, "1f8b08")) return createGunzip({ chunkSize: outputBytes });
  // A zstd frame, or a skippable one in front of it (RFC 8878, 3.1).
  if (startsWith(first, "28b52ffd") || /^5.2a4d18/.test(first.toString("hex"))) return createZstdDecompress({ chunkSize: outputBytes });
  if (startsWith(first, "425a68")) return new PullDecoder(decodeBzip2());
  if (startsWith(first, "fd377a585a00")) return new PullDecoder(decodeXz());
  return undefined;
}
