import { type FileHandle, open } from "node:fs/promises";
import type { OpenLine } from "./messages.ts";

/** How far a log has been sent on. */
export interface ForwardPosition {
  /** Identity of the file that is read. */
  readonly file: string;
  readonly offset: number;
  /** Lines of which pieces have been sent. */
  readonly open: Readonly<Record<string, OpenLine>>;
}

const recordBytes = 512;

/**
 * The position on disk. It is written after each batch, so writing has to cost little: one write of a record that never
 * crosses a block, in place. The kernel does such a write whole even if the daemon is killed in it.
 */
export class PositionFile {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(path: string): Promise<PositionFile> {
    const handle = await open(path, "a+", 0o600);
    await handle.close();
    return new PositionFile(await open(path, "r+"));
  }

  /** Undefined when nothing has been sent yet. */
  async read(): Promise<ForwardPosition | undefined> {
    const record = Buffer.alloc(recordBytes);
    const { bytesRead } = await this.#handle.read(record, 0, recordBytes, 0);
    try {
      return JSON.parse(record.toString("utf8", 0, bytesRead)) as ForwardPosition;
    } catch {
      return undefined;
    }
  }

  async write(position: ForwardPosition): Promise<void> {
    await this.#handle.write(Buffer.from(JSON.stringify(position).padEnd(recordBytes)), 0, recordBytes, 0);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
