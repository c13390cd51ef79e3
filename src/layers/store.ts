/**
 * Layers as directories: `<hex of diffID>/`, complete from the moment the name exists. Everything unfinished,
 * and everything being removed, has a name that begins with a dot; `sweep` deletes what is left of those.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, errnoOf, hexOf, isDigest, notFound } from "../base/base.ts";
import { indexName, tarName } from "./intake.ts";

/** A directory that goes away unless it was published. */
export interface Unfinished extends AsyncDisposable {
  readonly path: string;
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

export class LayerStore {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** An empty directory: the lower layer of an image without layers. */
  get emptyDirectory(): string {
    return join(this.root, "empty");
  }

  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o710 });
    await mkdir(this.emptyDirectory, { recursive: true, mode: 0o755 });
  }

  directory(diffId: Digest): string {
    return join(this.root, hexOf(diffId));
  }

  tar(diffId: Digest): string {
    return join(this.directory(diffId), tarName);
  }

  index(diffId: Digest): string {
    return join(this.directory(diffId), indexName);
  }

  async has(diffId: Digest): Promise<boolean> {
    return (await this.#size(diffId)) !== undefined;
  }

  /** @throws NotFound */
  async sizeOf(diffId: Digest): Promise<number> {
    const size = await this.#size(diffId);
    if (size === undefined) throw notFound("layer does not exist");
    return size;
  }

  async #size(diffId: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.tar(diffId))).size;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async unfinished(): Promise<Unfinished> {
    const path = join(this.root, `.ingest-${randomBytes(8).toString("hex")}`);
    await mkdir(path, { mode: 0o710 });
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
  }

  /** Gives what is complete its name, durably. @returns false when the layer was there already */
  async publish(unfinished: Unfinished, diffId: Digest): Promise<boolean> {
    try {
      await rename(unfinished.path, this.directory(diffId));
    } catch (error) {
      if (errnoOf(error) === "ENOTEMPTY" || errnoOf(error) === "EEXIST") return false;
      throw error;
    }
    // Both names and what is in it, at once: no row names the layer yet, and without one a half of it goes at the next start.
    await Promise.all([syncDirectory(this.directory(diffId)), syncDirectory(this.root)]);
    return true;
  }

  async remove(diffId: Digest): Promise<void> {
    const doomed = join(this.root, `.remove-${randomBytes(8).toString("hex")}`);
    try {
      await rename(this.directory(diffId), doomed);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    await rm(doomed, { recursive: true, force: true });
  }

  /** Removes what is unfinished, and names the layers that are there. */
  async sweep(): Promise<Digest[]> {
    const found: Digest[] = [];
    for (const name of await readdir(this.root)) {
      const digest = `sha256:${name}`;
      if (isDigest(digest)) found.push(digest);
      else if (/^\.(?:ingest|remove)-/.test(name)) await rm(join(this.root, name), { recursive: true, force: true });
    }
    return found;
  }
}
