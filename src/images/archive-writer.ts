/** Tar headers for image archives: the same bytes for the same content, always (owner 0, time 0, mode as given). */
const blockBytes = 512;
/** Eleven octal digits; beyond it a pax record says the size (POSIX.1-2024 pax, "size"). */
const maxOctal = 8 ** 11 - 1;

export interface Entry {
  readonly name: string;
  readonly type: "file" | "directory";
  readonly sizeBytes: number;
  /** Permission bits; by default 0644 of a file, 0755 of a directory. */
  readonly mode?: number;
}

/** The bytes before an entry's content. */
export function entryHeader(entry: Entry): Buffer {
  if (entry.sizeBytes <= maxOctal) return block(entry, entry.type === "file" ? "0" : "5", entry.sizeBytes);
  const record = paxRecord("size", String(entry.sizeBytes));
  const pax = Buffer.alloc(Math.ceil(record.length / blockBytes) * blockBytes);
  pax.write(record);
  return Buffer.concat([block({ name: "PaxHeaders.0/size", type: "file" }, "x", record.length), pax, block(entry, "0", maxOctal)]);
}

/** The zeros that fill an entry's last block. */
export function entryPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** The end of an archive. */
export function archiveEnd(): Buffer {
  return Buffer.alloc(2 * blockBytes);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function block({ name, type, mode }: Pick<Entry, "name" | "type" | "mode">, typeflag: string, sizeBytes: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new Error(`a member's name is too long: ${name}`);
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => void header.write(`${value.toString(8).padStart(digits, "0")}\0`, at);
  header.write(name, 0);
  octal(mode ?? (type === "file" ? 0o644 : 0o755), 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(sizeBytes, 124, 11);
  octal(0, 136, 11);
  header.write("        ", 148);
  header.write(typeflag, 156);
  header.write("ustar\x0000", 257);
  octal(0, 329, 7);
  octal(0, 337, 7);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
