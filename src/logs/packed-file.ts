/**
 * Packed log files: gzip, with a few words about the file in the header's extra field, as Docker has them there. So
 * a reader that wants nothing of it does not have to unpack it, and one that was in the middle of it finds it again.
 */
import { type FileHandle, open, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { crc32, createDeflateRaw } from "node:zlib";

export interface PackedDescription {
  /** Identity of the file that was packed. */
  readonly file: string;
  /** Of its last line, as `paddedTime` gives it; "" when it has none. */
  readonly lastTime: string;
}

const fixedHeaderBytes = 10;
const extraFlag = 0x04;
const unixSystem = 3;

/** Undefined for a file that another program has packed. */
export async function readDescription(handle: FileHandle): Promise<PackedDescription | undefined> {
  const head = Buffer.alloc(fixedHeaderBytes + 2);
  await handle.read(head, 0, head.length, 0);
  if (head[0] !== 0x1f || head[1] !== 0x8b || ((head[3] ?? 0) & extraFlag) === 0) return undefined;
  const extra = Buffer.alloc(head.readUInt16LE(fixedHeaderBytes));
  await handle.read(extra, 0, extra.length, head.length);
  try {
    const { file, lastTime } = JSON.parse(extra.toString()) as Record<string, unknown>;
    return typeof file === "string" && typeof lastTime === "string" && /^\d+-/.test(file) ? { file, lastTime } : undefined;
  } catch {
    return undefined;
  }
}

function header(description: PackedDescription): Buffer {
  const extra = Buffer.from(JSON.stringify(description));
  const head = Buffer.alloc(fixedHeaderBytes + 2);
  head.set([0x1f, 0x8b, 8, extraFlag, 0, 0, 0, 0, 0, unixSystem]);
  head.writeUInt16LE(extra.length, fixedHeaderBytes);
  return Buffer.concat([head, extra]);
}

/** Writes `blocks` packed to `path`, whole and on disk when it resolves. */
export async function writePacked(
  path: string,
  description: PackedDescription,
  blocks: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const handle = await open(path, "w", 0o640);
  try {
    await handle.write(header(description));
    let [sum, size] = [0, 0];
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const block of blocks) {
        sum = crc32(block, sum);
        size += block.length;
        yield block;
      }
    };
    const store = async (packed: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of packed) await handle.write(chunk);
    };
    await pipeline(counted, createDeflateRaw(), store, { signal });
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(sum, 0);
    trailer.writeUInt32LE(size % 2 ** 32, 4);
    await handle.write(trailer);
    await handle.datasync();
  } catch (error) {
    // Most likely the disk is full: half a file is of no use to anybody.
    await rm(path, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}
