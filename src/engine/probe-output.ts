import { StreamFrames } from "../base/base.ts";

const longestBytes = 4096;

/** What a probe prints, both streams in one: the first 4096 bytes, out of the monitor's frames. */
export class ProbeOutput {
  readonly #frames: StreamFrames = new StreamFrames();
  #kept: Buffer = Buffer.alloc(0);
  #truncated = false;

  take(chunk: Buffer): void {
    const bytes = this.#frames.payloadsOf(chunk);
    const room = longestBytes - this.#kept.length;
    if (bytes.length > room) this.#truncated = true;
    if (room > 0) this.#kept = Buffer.concat([this.#kept, bytes.subarray(0, room)]);
  }

  /** With `...` behind it where there was more. */
  text(): string {
    return this.#kept.toString("utf8") + (this.#truncated ? "..." : "");
  }
}
