/** CRC-64 as .xz files have it (ECMA-182, reflected): in two halves, as numbers have no 64 bits. */

const low = new Uint32Array(256);
const high = new Uint32Array(256);
for (let index = 0; index < 256; index++) {
  let [a, b] = [index, 0];
  for (let bit = 0; bit < 8; bit++) {
    const odd = (a & 1) === 1;
    a = ((a >>> 1) | (b << 31)) >>> 0;
    b >>>= 1;
    if (!odd) continue;
    a = (a ^ 0xd7870f42) >>> 0;
    b = (b ^ 0xc96c5795) >>> 0;
  }
  low[index] = a;
  high[index] = b;
}

export class Crc64 {
  #low = 0xffffffff;
  #high = 0xffffffff;

  update(data: Uint8Array): void {
    let [a, b] = [this.#low, this.#high];
    for (let at = 0; at < data.length; at++) {
      const index = (a ^ (data[at] ?? 0)) & 0xff;
      a = (((a >>> 8) | (b << 24)) ^ (low[index] ?? 0)) >>> 0;
      b = ((b >>> 8) ^ (high[index] ?? 0)) >>> 0;
    }
    this.#low = a;
    this.#high = b;
  }

  /** Little-endian. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(~this.#low >>> 0, 0);
    bytes.writeUInt32LE(~this.#high >>> 0, 4);
    return bytes;
  }
}
