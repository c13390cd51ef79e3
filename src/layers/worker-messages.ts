/** What the daemon's thread and a layer worker say to each other. Bytes go through a {@link ByteRing}. */
import type { ErrorCode } from "../base/base.ts";
import type { TakenIn } from "./intake.ts";

export type ToWorker =
  | { readonly type: "begin"; readonly directory: string; readonly ring: SharedArrayBuffer }
  /** The tar is in the directory already. */
  | { readonly type: "read"; readonly directory: string }
  /** There are bytes in the ring. */
  | { readonly type: "more" }
  /** All bytes are in the ring. */
  | { readonly type: "end" }
  /** Give up; answered with `failed` like any failure. */
  | { readonly type: "abort" };

export type FromWorker =
  /** There is room in the ring. */
  | { readonly type: "space" }
  | { readonly type: "done"; readonly taken: TakenIn }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string };
