/**
 * Reads a small file of a running container's root file system, as the container sees it, without being led out of it.
 *
 * Node has no openat2, so the path is walked component by component from /proc/PID/root, each opened without following
 * a link and the next one looked up through its descriptor. Links are read and resolved here, against the container's
 * root; `..` goes back along what has been walked. The container may change the tree at any moment: it can make the
 * read fail, not leave.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { errnoOf } from "../base/base.ts";

const maxLinks = 40;
const maxBytes = 4 << 20;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const through = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

const parts = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

class Walk {
  /** The directories that are open, from the root down. */
  readonly #open: FileHandle[];
  #links = 0;

  constructor(root: FileHandle) {
    this.#open = [root];
  }

  #pathOf(name: string): string {
    return `/proc/self/fd/${this.#open.at(-1)?.fd}/${name}`;
  }

  async #back(): Promise<void> {
    if (this.#open.length > 1) await this.#open.pop()?.close();
  }

  /** The components that a link stands for, when `name` is one. */
  async #linked(name: string): Promise<string[] | undefined> {
    const target = await readlink(this.#pathOf(name)).catch(() => undefined);
    if (target === undefined) return undefined;
    if (++this.#links > maxLinks) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
    if (target.startsWith("/")) while (this.#open.length > 1) await this.#back();
    return parts(target);
  }

  async file(path: string): Promise<FileHandle | undefined> {
    const left = parts(path);
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      if (name === "..") {
        await this.#back();
        continue;
      }
      const linked = await this.#linked(name);
      if (linked !== undefined) {
        left.unshift(...linked);
        continue;
      }
      if (left.length === 0) return await open(this.#pathOf(name), through);
      this.#open.push(await open(this.#pathOf(name), through | O_DIRECTORY));
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#open.length > 0) await this.#open.pop()?.close();
  }
}

/** Undefined when it is missing, not a regular file, or larger than any account file. */
export async function readProcessFile(pid: number, path: string): Promise<Uint8Array | undefined> {
  try {
    // The last component, `root`, is the link that this must follow.
    const root = await open(`/proc/${pid}/root`, O_RDONLY | O_DIRECTORY);
    await using walk = new Walk(root);
    const file = await walk.file(path);
    if (file === undefined) return undefined;
    try {
      const found = await file.stat();
      return found.isFile() && found.size <= maxBytes ? await file.readFile() : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

/** @throws the system's error, ENOENT or ESRCH, when the process has ended and has no root any more */
export async function assertHasRoot(pid: number): Promise<void> {
  await readlink(`/proc/${pid}/root`);
}
