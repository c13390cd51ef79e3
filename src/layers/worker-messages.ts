/** What the daemon's thread and a layer worker say to each other. Bytes go through a {@link ByteRing}, or lie in a file. */
import type { ErrorCode } from "../base/base.ts";
import type { TakenIn } from "./intake.ts";

export type Work =
  | { readonly type: "begin"; readonly directory: string; readonly ring: SharedArrayBuffer }
  /** `file` grows, as a {@link FileProgress} says; undefined: it is the tar in the directory. */
  | { readonly type: "follow"; readonly directory: string; readonly file: string | undefined; readonly progress: SharedArrayBuffer };

export type ToWorker =
  | Work
  /** There are bytes in the ring, or in the file. */
  | { readonly type: "more" }
  /** All bytes are there. */
  | { readonly type: "end" }
  /** Give up; answered with `failed` like any failure. */
  | { readonly type: "abort" };

export type FromWorker =
  /** There is room in the ring. */
  | { readonly type: "space" }
  | { readonly type: "done"; readonly taken: TakenIn }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string };
