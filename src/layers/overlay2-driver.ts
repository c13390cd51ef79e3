/**
 * Driver `overlay2`, for kernels that cannot mount an index from a file: the layer is unpacked into `diff`.
 * The tar stays, since save and push send it.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../base/base.ts";
import type { FileOps } from "../kernel/kernel.ts";
import type { LayerDriver } from "./driver.ts";
import type { LayerStore } from "./store.ts";
import { unpack } from "./unpack.ts";

const diffName = "diff";

export class Overlay2Driver implements LayerDriver {
  readonly name = "overlay2";
  readonly #store: LayerStore;
  readonly #files: FileOps;

  constructor(store: LayerStore, files: FileOps) {
    this.#store = store;
    this.#files = files;
  }

  async complete(directory: string): Promise<void> {
    const diff = join(directory, diffName);
    await mkdir(diff, { mode: 0o755 });
    await unpack(directory, diff, this.#files);
  }

  async mount(diffId: Digest): Promise<string> {
    await this.#store.sizeOf(diffId);
    return join(this.#store.directory(diffId), diffName);
  }

  async forget(): Promise<void> {}

  async sweep(): Promise<void> {}
}
