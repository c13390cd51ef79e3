/**
 * Compressed layers are kept without being synced (docs/adr/0018). A machine that falls may leave one with its right length and
 * without its bytes: nobody sees that but a registry, which refuses it.
 */
import { createHash } from "node:crypto";
import { type Digest, isEngineError, log, messageOf } from "../base/base.ts";
import type { ImageStore } from "./store.ts";

/** They are as if they had not been kept now: what goes out is to be chosen once more. */
export class SpoiledBlobs extends Error {}

/** The registry has found other bytes than the digest's. */
export function isRefusedDigest(error: unknown): boolean {
  return /^digest invalid\b/.test(messageOf(error));
}

/** Deletes those of an image whose bytes are not their digest's: as if they had not been kept. @returns whether there were any */
export async function dropSpoiled({ rows, ports: { content } }: ImageStore, image: Digest): Promise<boolean> {
  let found = false;
  for (const { diffId } of rows.layersOf(image)) {
    for (const { digest } of rows.blobsOf(diffId)) {
      if (digest === diffId || !(await content.has(digest)) || (await isWhole(content, digest))) continue;
      log.warn("a kept blob is not what it was, and is deleted", { digest, layer: diffId });
      await content.remove(digest);
      found = true;
    }
  }
  return found;
}

async function isWhole(content: ImageStore["ports"]["content"], digest: Digest): Promise<boolean> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of await content.open(digest)) hash.update(chunk as Uint8Array);
  } catch (error) {
    if (isEngineError(error, "NotFound")) return false;
    throw error;
  }
  return digest === `sha256:${hash.digest("hex")}`;
}
