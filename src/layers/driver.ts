/** What the two drivers do differently: how a layer that is stored becomes a directory for overlayfs. */
import type { Digest } from "../base/base.ts";

export interface LayerDriver {
  readonly name: "erofs" | "overlay2";
  /** Completes a layer in its unfinished directory, next to `layer.tar` and `layer.erofs`. */
  complete(directory: string): Promise<void>;
  /** The directory to name as an overlay's lower layer. The layer is there. */
  mount(diffId: Digest): Promise<string>;
  /** Lets go of the layer before its files are removed. */
  forget(diffId: Digest): Promise<void>;
  /** Lets go of all that a former daemon left mounted and `keep` does not have. */
  sweep(keep: ReadonlySet<Digest>): Promise<void>;
}
