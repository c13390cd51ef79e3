import { type FileHandle, open } from "node:fs/promises";

/**
 * Brings what was committed to the disk, in a thread: SQLite itself would stop everybody for the time of an fsync. Its
 * write-ahead log is one file for as long as it is open, and all that counts of a commit is in there.
 */
export class LogSync implements AsyncDisposable {
  readonly #file: FileHandle;
  #going: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @param database its path; something has been written to it since it was opened */
  static async open(database: string): Promise<LogSync> {
    return new LogSync(await open(`${database}-wal`, "r"));
  }

  /** Settles when all that was committed before the call is on disk. Who asks while another waits goes with that. */
  done(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#going === undefined) return this.#begin();
    // The one that goes on may have begun before our commit.
    const next = this.#going
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    this.#next = next;
    return next;
  }

  #begin(): Promise<void> {
    const going = this.#file.datasync().finally(() => {
      if (this.#going === going) this.#going = undefined;
    });
    this.#going = going;
    return going;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#file.close();
  }
}
