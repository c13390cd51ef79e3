import { access, chmod, mkdir, readdir, rename, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, log, Mutex, newId } from "../base/base.ts";
import type { FileOps } from "../kernel/kernel.ts";

/** No volume's name begins so. */
const trashName = ".trash";
/** What a volume is to hold, until that is complete. */
const fillingName = "_filling";

async function removeIfEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR" || code === "EBUSY") return false;
    if (code !== "ENOENT") throw error;
  }
  return true;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function makeDirectory(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
  await chmod(path, mode); // mkdir's own mode is cut by the umask
  return true;
}

/** The directories of volumes, and the trash into which they go. */
export class VolumeDirectories {
  readonly #root: string;
  readonly #files: FileOps;
  /** One at a time: the kernel port has workers for so many requests, and they are not all for this. */
  readonly #trash = new Mutex();
  #closed = false;

  constructor(root: string, files: FileOps) {
    this.#root = root;
    this.#files = files;
  }

  /** What a container sees. */
  data(name: string): string {
    return join(this.#root, name, "_data");
  }

  async prepare(): Promise<void> {
    const trash = join(this.#root, trashName);
    await mkdir(trash, { recursive: true, mode: 0o700 });
    for (const name of await readdir(trash)) this.#empty(name);
  }

  /** What is there already is kept: it may hold data. */
  async make(name: string): Promise<{ undo(): Promise<void> }> {
    const directory = join(this.#root, name);
    const data = this.data(name);
    const [isNew, isNewData] = [await makeDirectory(directory, 0o701), await makeDirectory(data, 0o755)];
    return {
      async undo(): Promise<void> {
        if (isNewData) await removeIfEmpty(data);
        if (isNew) await removeIfEmpty(directory);
      },
    };
  }

  /**
   * Fills a volume that nobody else has, all or nothing: beside it, then in its place. What holds something already
   * stays as it is.
   */
  async fill(name: string, copy: (target: string) => Promise<void>): Promise<void> {
    const data = this.data(name);
    if ((await readdir(data)).length > 0) return;
    const filling = join(this.#root, name, fillingName);
    if (!(await makeDirectory(filling, 0o755))) {
      await this.#remove(filling);
      await mkdir(filling, { mode: 0o755 });
    }
    try {
      await copy(filling);
      await rename(filling, data);
    } catch (error) {
      await this.#remove(filling);
      throw error;
    }
  }

  /** By the kernel port, which does not cross into what somebody has mounted there. */
  async #remove(path: string): Promise<void> {
    await this.#files.apply(this.#root, [{ op: "remove", path: Buffer.from(path.slice(this.#root.length + 1)) }]);
  }

  /** Out of sight at once, its blocks freed in the background. */
  async discard(name: string): Promise<void> {
    const grave = `${name.slice(0, 100)}-${newId().slice(0, 12)}`;
    try {
      await rename(join(this.#root, name), join(this.#root, trashName, grave));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      return;
    }
    this.#empty(grave);
  }

  #empty(grave: string): void {
    void this.#trash
      .run(() => this.#remove(join(this.#root, trashName, grave)))
      .catch((error: unknown) => {
        if (!this.#closed) log.warn("a removed volume's files could not be deleted", { path: grave, error });
      });
  }

  /**
   * Takes away the directories of volumes that were not finished, and what volumes were to be filled with. The former are
   * empty: what is not, is left alone.
   */
  async sweep(kept: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#root)) {
      if (name === trashName) continue;
      if (kept.has(name)) {
        const filling = join(this.#root, name, fillingName);
        // A worker of the broker that died may still be at it: then the next filling takes it away.
        if (await exists(filling)) await this.#remove(filling).catch((error: unknown) => log.warn("a copy was left over", { error }));
        continue;
      }
      const directory = join(this.#root, name);
      if ((await removeIfEmpty(join(directory, "_data"))) && (await removeIfEmpty(directory))) continue;
      log.warn("a directory among the volumes belongs to none; it is left alone", { path: directory });
    }
  }

  /** What is in the trash is left to the next start. */
  close(): void {
    this.#closed = true;
  }
}
