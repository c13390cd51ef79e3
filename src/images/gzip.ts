/**
 * gzip (RFC 1952) of a file by several threads at once: the same bytes for the same content, always. The content is cut into
 * pieces that are deflated each by itself, with what precedes it as dictionary, and ended on a byte's edge, so that the pieces
 * one behind the other are one stream; it costs some thousandths of the size. The header has neither name nor time.
 */
import type { FileHandle } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { constants, crc32, deflateRaw, deflateRawSync, type InputType, type ZlibOptions } from "node:zlib";
import { systemError } from "../base/base.ts";

const pieceBytes = 1 << 20;
/** Read at once: each read is a turn of a thread. */
const batchPieces = 4;
/** How far back deflate looks. */
const windowBytes = 32 << 10;
/** Of 1000 bytes that the default, 6, leaves of programs, this leaves 1006, in three quarters of the time. */
const level = 5;
/** What is compressed already (archives, pictures, random numbers) is not tried in full: parts from all over the piece tell. */
const probes = 16;
const probeBytes = 2048;
const dense = 0.98;
/** Bits a byte, if each byte stood for itself: with less, it is no question. */
const denseBits = 7.8;
/** RFC 1951, section 3.2.4. */
const storedBytes = 0xffff;
/** Node has four threads for such work, which reads and writes of files need as well. */
const threads = Math.min(3, availableParallelism());

const compress: (data: InputType, options: ZlibOptions) => Promise<Buffer> = promisify(deflateRaw);

/** Which pieces of all the files that are being compressed have a thread. */
let busy = 0;
const waiting: (() => void)[] = [];

async function deflated(piece: Buffer, dictionary: Buffer | undefined, isLast: boolean): Promise<Buffer> {
  if (isDense(piece)) return stored(piece, isLast);
  if (busy >= threads) await new Promise<void>((resolve) => waiting.push(resolve));
  else busy += 1;
  try {
    const finishFlush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    // All of it in one turn of a thread.
    const chunkSize = piece.length + (piece.length >> 8) + 1024;
    return await compress(piece, { level, finishFlush, chunkSize, ...(dictionary === undefined ? {} : { dictionary }) });
  } finally {
    const next = waiting.shift();
    if (next === undefined) busy -= 1;
    else next();
  }
}

/** In half a millisecond: to wait for a thread may take longer. */
function isDense(piece: Buffer): boolean {
  if (piece.length < pieceBytes) return false;
  const step = pieceBytes / probes;
  const sample = Buffer.concat(Array.from({ length: probes }, (_, at) => piece.subarray(at * step, at * step + probeBytes)));
  if (bitsOf(sample) < denseBits) return false;
  return deflateRawSync(sample, { level: 1, chunkSize: sample.length * 2 }).length > sample.length * dense;
}

/** Shannon's entropy of single bytes. */
function bitsOf(sample: Buffer): number {
  const counts = new Uint32Array(256);
  for (const byte of sample) counts[byte] = (counts[byte] ?? 0) + 1;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / sample.length) * Math.log2(count / sample.length);
  return bits;
}

/** Blocks of deflate that are not compressed; they end on a byte's edge. */
function stored(piece: Buffer, isLast: boolean): Buffer {
  const blocks = Math.ceil(piece.length / storedBytes);
  const out = Buffer.allocUnsafeSlow(piece.length + blocks * 5);
  let at = 0;
  for (let from = 0; from < piece.length; from += storedBytes) {
    const length = Math.min(storedBytes, piece.length - from);
    out[at] = isLast && from + length === piece.length ? 1 : 0;
    out.writeUInt16LE(length, at + 1);
    out.writeUInt16LE(length ^ 0xffff, at + 3);
    at += 5 + piece.copy(out, at + 5, from, from + length);
  }
  return out;
}

/**
 * @param sizeBytes the file's
 * @param onRead told how many bytes have been compressed so far
 * @throws the signal's reason
 */
export async function* gzip(
  file: FileHandle,
  sizeBytes: number,
  options: { onRead?: (bytes: number) => void; signal?: AbortSignal } = {},
): AsyncGenerator<Buffer> {
  // Deflate, no flags, no time, no hint, system unknown.
  yield Buffer.from("1f8b08000000000000ff", "hex");
  const pending: { readonly work: Promise<Buffer>; readonly piece: Buffer; readonly end: number }[] = [];
  // Memory of pieces that are done with serves again: left to the collector, it would pile up.
  const free: Buffer[] = [];
  let read: Buffer[] = [];
  let checksum = 0;
  let before: Buffer | undefined;
  for (let at = 0; at < sizeBytes || pending.length > 0 || before === undefined; ) {
    options.signal?.throwIfAborted();
    if ((at < sizeBytes || before === undefined) && pending.length <= threads) {
      if (read.length === 0) read = await readPieces(file, at, sizeBytes, free);
      const piece = read.shift() ?? Buffer.alloc(0);
      at += piece.length;
      checksum = crc32(piece, checksum);
      const work = deflated(piece, before, at === sizeBytes);
      // Those behind one that fails, or that nobody waits for any more, are nobody's failure.
      work.catch(() => undefined);
      pending.push({ work, piece, end: at });
      before = Buffer.from(piece.subarray(-windowBytes));
      continue;
    }
    const next = pending.shift();
    if (next === undefined) break;
    yield await next.work;
    if (next.piece.length === pieceBytes) free.push(next.piece);
    options.onRead?.(next.end);
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum, 0);
  trailer.writeUInt32LE(sizeBytes % 2 ** 32, 4);
  yield trailer;
}

/** The next pieces of the file, none at its end. @param free memory to be used */
async function readPieces(file: FileHandle, from: number, sizeBytes: number, free: Buffer[]): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for (let at = from; at < sizeBytes && pieces.length < batchPieces; at += pieceBytes)
    pieces.push((free.pop() ?? Buffer.allocUnsafeSlow(Math.min(pieceBytes, sizeBytes))).subarray(0, sizeBytes - at));
  let at = from;
  for (let rest = pieces; rest.length > 0; ) {
    const { bytesRead } = await file.readv(rest, at);
    if (bytesRead === 0) throw systemError(`the layer's tar ended at byte ${at}`);
    at += bytesRead;
    rest = behind(rest, bytesRead);
  }
  return pieces;
}

/** What is left of buffers without their first bytes. */
function behind(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  return buffers.flatMap((buffer) => {
    const taken = Math.min(skip, buffer.length);
    skip -= taken;
    return taken === buffer.length ? [] : [buffer.subarray(taken)];
  });
}
