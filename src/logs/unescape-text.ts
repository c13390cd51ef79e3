const [quote, backslash, letterU] = [0x22, 0x5c, 0x75];

const simple: ReadonlyMap<number, number> = new Map([
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

/** The four hexadecimal digits at `at`; NaN when they are none. */
function codeUnit(from: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = from[i] ?? 0;
    const digit =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66 ? (byte | 0x20) - 0x57 : Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

const replacement = 0xfffd;

/** A code point as UTF-8. @returns how many bytes that were */
function encode(point: number, to: Buffer, at: number): number {
  if (point < 0x80) {
    to[at] = point;
    return 1;
  }
  if (point < 0x800) {
    to[at] = 0xc0 | (point >> 6);
    to[at + 1] = 0x80 | (point & 63);
    return 2;
  }
  if (point < 0x1_0000) {
    to[at] = 0xe0 | (point >> 12);
    to[at + 1] = 0x80 | ((point >> 6) & 63);
    to[at + 2] = 0x80 | (point & 63);
    return 3;
  }
  to[at] = 0xf0 | (point >> 18);
  to[at + 1] = 0x80 | ((point >> 12) & 63);
  to[at + 2] = 0x80 | ((point >> 6) & 63);
  to[at + 3] = 0x80 | (point & 63);
  return 4;
}

/**
 * The text of a JSON string, `start` to `end` without its quotes, written to `to` at `at`: never more bytes than
 * the escaped text has. What is no valid escape stays as it is.
 * @returns how many bytes were written
 */
export function unescapeText(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  let out = at;
  for (let i = start; i < end; ) {
    const byte = from[i] ?? 0;
    const next = from[i + 1] ?? 0;
    if (byte !== backslash || i + 1 >= end) {
      to[out++] = byte;
      i++;
      continue;
    }
    const plain = simple.get(next);
    if (plain !== undefined) {
      to[out++] = plain;
      i += 2;
      continue;
    }
    const unit = next === letterU && i + 6 <= end ? codeUnit(from, i + 2) : Number.NaN;
    if (Number.isNaN(unit)) {
      to[out++] = byte;
      i++;
      continue;
    }
    i += 6;
    let point = unit >= 0xd800 && unit <= 0xdfff ? replacement : unit;
    if (unit >= 0xd800 && unit < 0xdc00 && from[i] === backslash && from[i + 1] === letterU && i + 6 <= end) {
      const low = codeUnit(from, i + 2);
      if (low >= 0xdc00 && low <= 0xdfff) {
        point = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    out += encode(point, to, out);
  }
  return out - at;
}

/** Where the closing quote of a string is; -1 when it has none before `end`. */
export function endOfString(block: Buffer, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const byte = block[i];
    if (byte === quote) return i;
    if (byte === backslash) i++;
  }
  return -1;
}
