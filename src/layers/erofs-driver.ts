/**
 * Driver `erofs`: the kernel mounts the index with the tar as its device. One mount a layer, shared by all
 * images and containers: docs/adr/0001 says why not one a image.
 */
import { type Digest, hexOf, isDigest } from "../base/base.ts";
import type { LayerMounts } from "../kernel/kernel.ts";
import type { LayerDriver } from "./driver.ts";
import type { LayerStore } from "./store.ts";

const keyPrefix = "layer-";

export class ErofsDriver implements LayerDriver {
  readonly name = "erofs";
  readonly #store: LayerStore;
  readonly #mounts: LayerMounts;

  constructor(store: LayerStore, mounts: LayerMounts) {
    this.#store = store;
    this.#mounts = mounts;
  }

  async complete(): Promise<void> {}

  mount(diffId: Digest): Promise<string> {
    return this.#mounts.mountErofs(keyPrefix + hexOf(diffId), this.#store.index(diffId), [this.#store.tar(diffId)]);
  }

  async forget(diffId: Digest): Promise<void> {
    await this.#mounts.unmount(keyPrefix + hexOf(diffId));
  }

  async sweep(keep: ReadonlySet<Digest>): Promise<void> {
    for (const key of await this.#mounts.mounted()) {
      const digest = `sha256:${key.slice(keyPrefix.length)}`;
      if (key.startsWith(keyPrefix) && isDigest(digest) && !keep.has(digest)) await this.forget(digest);
    }
  }
}
