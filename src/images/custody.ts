/**
 * Who may delete files of layers and configurations, and when. Rows say what is wanted; files follow. A layer
 * that no row names may still be on its way in (a load that has its layers but not yet its manifest), so
 * files are deleted only while nobody holds the custody, and only after looking at the rows once more.
 */
import { type Digest, log, messageOf } from "../base/base.ts";
import type { Content } from "../content/content.ts";
import type { Layers } from "../layers/layers.ts";
import type { ImageRows } from "../state/state.ts";

export class Custody {
  readonly #rows: ImageRows;
  readonly #content: Content;
  readonly #layers: Layers;
  #holders = 0;
  #doomed: { layers: Set<Digest>; blobs: Set<Digest> } = { layers: new Set(), blobs: new Set() };
  #deleting: Promise<void> | undefined;

  constructor(ports: { rows: ImageRows; content: Content; layers: Layers }) {
    this.#rows = ports.rows;
    this.#content = ports.content;
    this.#layers = ports.layers;
  }

  /** Until the answer is disposed of, no file is deleted. Disposing deletes what was doomed meanwhile. */
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

  /** Marks files for deletion, should no row name them when the time comes. */
  doom(what: { layers?: Iterable<Digest>; blobs?: Iterable<Digest> }): void {
    for (const diffId of what.layers ?? []) this.#doomed.layers.add(diffId);
    for (const digest of what.blobs ?? []) this.#doomed.blobs.add(digest);
  }

  /** Deletes what is doomed, now if nobody holds the custody, else when the last holder is done. */
  async deleteDoomed(): Promise<void> {
    while (this.#deleting !== undefined) await this.#deleting;
    if (this.#holders > 0 || this.#doomed.layers.size + this.#doomed.blobs.size === 0) return;
    const { layers, blobs } = this.#doomed;
    this.#doomed = { layers: new Set(), blobs: new Set() };
    this.#deleting = this.#delete(layers, blobs).finally(() => {
      this.#deleting = undefined;
    });
    await this.#deleting;
  }

  async #delete(layers: ReadonlySet<Digest>, blobs: ReadonlySet<Digest>): Promise<void> {
    const attempt = async (what: string, digest: Digest, work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        // The rows are gone already; the sweep of the next start tries again.
        log.error(`cannot delete ${what}`, { digest, error: messageOf(error) });
      }
    };
    const unwantedLayers = [...layers].filter((diffId) => this.#rows.layer(diffId) === undefined);
    const unwantedBlobs = [...blobs].filter((digest) => this.#rows.get(digest) === undefined);
    await Promise.all([
      ...unwantedLayers.map((diffId) => attempt("layer", diffId, this.#layers.remove(diffId))),
      ...unwantedBlobs.map((digest) => attempt("configuration", digest, this.#content.remove(digest))),
    ]);
  }
}
