/**
 * Who may delete files of layers and blobs, and when. Rows say what is wanted; files follow. A layer
 * that no row names may still be on its way in (a load that has its layers but not yet its manifest): whoever
 * works with it pins it. Files are deleted only while nobody holds the custody, never when pinned, and only
 * after looking at the rows once more.
 */
import { type Digest, log, messageOf } from "../base/base.ts";
import type { Content } from "../content/content.ts";
import type { Layers } from "../layers/layers.ts";
import type { ImageRows } from "../state/state.ts";

/** What one piece of work relies on. Disposing lets go, and deletes what no row came to name. */
export interface Pins extends AsyncDisposable {
  /** To be pinned before it is looked whether the layer is there. A function by itself: `ingest` takes it as its claim. */
  readonly layer: (diffId: Digest) => Promise<void>;
  /** Of `content`; to be pinned before it is written. */
  readonly blob: (digest: Digest) => Promise<void>;
}

export class Custody {
  readonly #rows: ImageRows;
  readonly #content: Content;
  readonly #layers: Layers;
  readonly #pins = new Map<Digest, number>();
  readonly #doomedLayers = new Set<Digest>();
  readonly #doomedBlobs = new Set<Digest>();
  #holders = 0;
  #deleting: Promise<void> | undefined;

  constructor(ports: { rows: ImageRows; content: Content; layers: Layers }) {
    this.#rows = ports.rows;
    this.#content = ports.content;
    this.#layers = ports.layers;
  }

  /** Until the answer is disposed of, no file at all is deleted: for work that does not wait for a client. */
  async hold(): Promise<AsyncDisposable> {
    while (this.#deleting !== undefined) await this.#deleting;
    this.#holders++;
    let held = true;
    return {
      [Symbol.asyncDispose]: async () => {
        if (held) this.#holders--;
        held = false;
        await this.deleteDoomed();
      },
    };
  }

  pins(): Pins {
    const layers: Digest[] = [];
    const blobs: Digest[] = [];
    return {
      layer: async (diffId) => {
        await this.#pin(diffId);
        layers.push(diffId);
      },
      blob: async (digest) => {
        await this.#pin(digest);
        blobs.push(digest);
      },
      [Symbol.asyncDispose]: async () => {
        this.doom({ layers, blobs });
        for (const digest of [...layers.splice(0), ...blobs.splice(0)]) this.#unpin(digest);
        await this.deleteDoomed();
      },
    };
  }

  async #pin(digest: Digest): Promise<void> {
    while (this.#deleting !== undefined) await this.#deleting;
    this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
  }

  /** Does somebody's work rely on this file, or on any? */
  isHeld(digest: Digest): boolean {
    return this.#holders > 0 || this.#pins.has(digest);
  }

  #unpin(digest: Digest): void {
    const count = (this.#pins.get(digest) ?? 1) - 1;
    if (count === 0) this.#pins.delete(digest);
    else this.#pins.set(digest, count);
  }

  /** Marks files for deletion, should no row name them when the time comes. */
  doom(what: { layers?: Iterable<Digest>; blobs?: Iterable<Digest> }): void {
    for (const diffId of what.layers ?? []) this.#doomedLayers.add(diffId);
    for (const digest of what.blobs ?? []) this.#doomedBlobs.add(digest);
  }

  /** Deletes what is doomed: now if nobody holds the custody, else when the last holder is done. What is pinned waits. */
  async deleteDoomed(): Promise<void> {
    while (this.#deleting !== undefined) await this.#deleting;
    if (this.#holders > 0) return;
    const layers = this.#unpinned(this.#doomedLayers);
    const blobs = this.#unpinned(this.#doomedBlobs);
    if (layers.length + blobs.length === 0) return;
    this.#deleting = this.#delete(layers, blobs).finally(() => {
      this.#deleting = undefined;
    });
    await this.#deleting;
  }

  /** Takes out of `doomed` what may be deleted. */
  #unpinned(doomed: Set<Digest>): Digest[] {
    const free = [...doomed].filter((digest) => !this.#pins.has(digest));
    for (const digest of free) doomed.delete(digest);
    return free;
  }

  async #delete(layers: readonly Digest[], blobs: readonly Digest[]): Promise<void> {
    const attempt = async (what: string, digest: Digest, work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        // The rows are gone already; the sweep of the next start tries again.
        log.error(`cannot delete ${what}`, { digest, error: messageOf(error) });
      }
    };
    const unwantedLayers = layers.filter((diffId) => this.#rows.layer(diffId) === undefined);
    const unwantedBlobs = blobs.filter((digest) => !this.#rows.wantsBlob(digest));
    await Promise.all([
      ...unwantedLayers.map((diffId) => attempt("layer", diffId, this.#layers.remove(diffId))),
      ...unwantedBlobs.map((digest) => attempt("blob", digest, this.#content.remove(digest))),
    ]);
  }
}
