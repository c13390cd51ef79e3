/**
 * Names in a layer are bytes, not text. A byte string holds one byte in each character (Latin-1), so that
 * nothing is lost, comparing with `<` compares bytes, and it can be the key of a Map.
 */
import type { Branded } from "../base/base.ts";

export type ByteString = Branded<"ByteString">;

export const empty: ByteString = "" as ByteString;

export function fromBytes(bytes: Buffer, start: number, end: number): ByteString {
  return bytes.toString("latin1", start, end) as ByteString;
}

export function fromText(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

export function toBytes(name: string): Buffer {
  return Buffer.from(name, "latin1");
}

/** For messages: as UTF-8 where it is that. */
export function toText(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
