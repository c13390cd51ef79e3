const headerBytes = 8;

/** Takes Docker's stream headers (1 byte stream, 3 zero, 4 bytes length, big endian) off bytes that come in any pieces. */
export class StreamFrames {
  #header: Buffer = Buffer.alloc(headerBytes);
  #headerLength = 0;
  #payloadLeft = 0;

  /** What of `chunk` is payload. */
  payloadsOf(chunk: Buffer): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#payloadLeft > 0) {
        const part = chunk.subarray(at, at + this.#payloadLeft);
        parts.push(part);
        this.#payloadLeft -= part.length;
        at += part.length;
        continue;
      }
      const taken = chunk.copy(this.#header, this.#headerLength, at);
      this.#headerLength += taken;
      at += taken;
      if (this.#headerLength < headerBytes) break;
      this.#payloadLeft = this.#header.readUInt32BE(4);
      this.#headerLength = 0;
    }
    return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
  }
}
