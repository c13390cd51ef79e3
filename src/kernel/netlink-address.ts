import { isIPv4, isIPv6 } from "node:net";

/** An IP address in text as its 4 or 16 bytes. @throws RangeError when it is none */
export function addressBytes(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) throw new RangeError(`not an IP address: ${text}`);
  // The last 32 bits may be written as IPv4.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const tail = dotted === null ? [] : [...addressBytes(dotted[2] ?? "")];
  const plain = dotted === null ? text : (dotted[1] ?? "").replace(/([^:]):$/, "$1");
  const [head = "", rest] = plain.split("::");
  const groups = (part: string): number[] =>
    part
      .split(":")
      .filter(Boolean)
      .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
  const front = groups(head);
  const back = [...groups(rest ?? ""), ...tail];
  const zeros = new Array<number>(Math.max(0, 16 - front.length - back.length)).fill(0);
  return Uint8Array.from([...front, ...zeros, ...back]);
}

/** 4 or 16 bytes as text; IPv6 as RFC 5952 writes it. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  if (best.length < 2) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

/** `02:42:ac:11:00:02` as six bytes. @throws RangeError when it is none */
export function macBytes(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4})$/i.test(text)) throw new RangeError(`not a MAC address: ${text}`);
  return Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
}

export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
