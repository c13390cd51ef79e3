import { invalidParameter } from "./errors.ts";

const binary: Readonly<Record<string, number>> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/**
 * Bytes from a size as `docker run -m` takes it: a number, then b, k, m, g, t or p, in either case, with an
 * optional `b` or `ib` behind; all are powers of 1024.
 * @throws InvalidParameter with Docker's wording
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  const unit = binary[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) throw invalidParameter(`invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * unit);
}

/** A size as Docker's tables show it: powers of 1000, three significant digits unless told (`4.26MB`). */
export function formatSize(bytes: number, digits: number = 3): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${units[unit]}`;
}
