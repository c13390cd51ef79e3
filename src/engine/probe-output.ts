const longestBytes = 4096;
const headerBytes = 8;

/** What a probe prints, both streams in one: the first 4096 bytes, out of the monitor's frames. */
export class ProbeOutput {
  #kept: Buffer = Buffer.alloc(0);
  #truncated = false;
  #header: Buffer = Buffer.alloc(0);
  /** Of the present frame, still to come. */
  #left = 0;

  take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const part = rest.subarray(0, headerBytes - this.#header.length);
        this.#header = Buffer.concat([this.#header, part]);
        rest = rest.subarray(part.length);
        if (this.#header.length < headerBytes) return;
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const part = rest.subarray(0, this.#left);
      this.#left -= part.length;
      rest = rest.subarray(part.length);
      this.#keep(part);
    }
  }

  #keep(bytes: Buffer): void {
    const room = longestBytes - this.#kept.length;
    if (bytes.length > room) this.#truncated = true;
    if (room > 0) this.#kept = Buffer.concat([this.#kept, bytes.subarray(0, room)]);
  }

  /** With `...` behind it where there was more. */
  text(): string {
    return this.#kept.toString("utf8") + (this.#truncated ? "..." : "");
  }
}
