/**
 * Of bytes that only pass through, V8 lets some 64 MB lie before it frees them: it counts its own heap, which hardly grows by them. So
 * whoever moves many frees each buffer when it has served, or, where it is not his to free, says how much has passed: each 8 MB a
 * scavenge, which takes well under a millisecond, frees them. berthd is started with `--expose-gc`; elsewhere that is left out.
 */
const everyBytes = 8 << 20;
/** Smaller ones are not worth it. */
const smallBytes = 16 << 10;
let sinceLast = 0;

/** @param buffer nobody looks at any more: from now on it is empty, if it is all of what was allocated, and not a part */
export function release(buffer: Uint8Array): void {
  const { buffer: whole, byteLength } = buffer;
  const isAll = byteLength === whole.byteLength && byteLength >= smallBytes && whole instanceof ArrayBuffer;
  if (isAll) whole.transfer(0);
  else passedThrough(byteLength);
}

/** So many bytes are in buffers that nobody frees. */
export function passedThrough(bytes: number): void {
  sinceLast += bytes;
  if (sinceLast < everyBytes) return;
  sinceLast = 0;
  globalThis.gc?.({ type: "minor" });
}
