/**
 * Of bytes that only pass through, V8 lets some 64 MB lie before it frees them: it counts its own heap, which hardly grows by them. So
 * whoever moves many says so, and each 16 MB a scavenge, which takes well under a millisecond, frees them. berthd is started with
 * `--expose-gc`; elsewhere nothing is done.
 */
const everyBytes = 16 << 20;
let sinceLast = 0;

export function passedThrough(bytes: number): void {
  sinceLast += bytes;
  if (sinceLast < everyBytes) return;
  sinceLast = 0;
  globalThis.gc?.({ type: "minor" });
}
