/** `--platform all`: every image that an index lists, and what it lists besides, so that the whole of it is here. */
import { digestOf, notFound } from "../base/base.ts";
import type { RemoteManifest } from "../distribution/distribution.ts";
import type { Descriptor } from "../spec/spec.ts";
import type { IndexPartRow } from "../state/state.ts";
import { deepestIndex, isAttestation } from "./index-tree.ts";
import { type FoundManifest, knownManifest, type PulledImage, type PullPorts, pullFound, type Top, unknownTypeIn } from "./pull-image.ts";
import type { PreparedManifest } from "./store.ts";

interface Listed {
  readonly images: FoundManifest[];
  /** Manifests that are no images, and indexes that lead to none. */
  readonly parts: { readonly bytes: Uint8Array; readonly blobs: readonly Descriptor[] }[];
}

/** One image after the other; each is there for good when it is done. @returns at least one. @throws NotFound when none is for Linux */
export async function pullAllPlatforms(ports: PullPorts, top: Top): Promise<PulledImage[]> {
  if (top.content.kind === "image")
    return [await pullFound(ports, top, { manifest: top.content.manifest, kept: [{ kind: "image", ...bytesOf(top) }] })];
  const listed: Listed = { images: [], parts: [] };
  await list(ports, top, [], deepestIndex, listed);
  if (listed.images.length === 0) throw notFound("no matching manifest for linux in the manifest list entries");
  const pulled: PulledImage[] = [];
  for (const found of listed.images) pulled.push(await pullFound(ports, top, found));
  await pullParts(ports, top, listed.parts);
  return pulled;
}

const bytesOf = ({ mediaType, bytes }: RemoteManifest): { mediaType: string; bytes: Uint8Array } => ({ mediaType, bytes });

/** @param above the indexes that led here, the nearest first */
async function list(
  ports: PullPorts,
  found: RemoteManifest,
  above: readonly PreparedManifest[],
  depth: number,
  into: Listed,
): Promise<void> {
  if (found.content.kind !== "index") return;
  const path: readonly PreparedManifest[] = [{ kind: "index", ...bytesOf(found) }, ...above];
  const before = into.images.length;
  for (const entry of found.content.index.manifests) {
    // Of another system than Linux nothing can be done with it here.
    if (!isAttestation(entry) && entry.platform && entry.platform.os !== "linux") continue;
    const known = await knownManifest(ports, entry);
    if (known !== undefined) into.images.push({ manifest: known.manifest, kept: [...known.kept, ...path] });
    else await listOne(ports, entry, path, depth, into);
  }
  if (into.images.length === before) into.parts.push({ bytes: found.bytes, blobs: [] });
}

async function listOne(ports: PullPorts, entry: Descriptor, path: readonly PreparedManifest[], depth: number, into: Listed): Promise<void> {
  const asked = await ports.remote.manifest(entry.digest, ports.signal);
  if (asked.content.kind === "index") {
    if (depth > 0) await list(ports, asked, path, depth - 1, into);
    return;
  }
  const { manifest } = asked.content;
  if (isAttestation(entry) || unknownTypeIn(manifest) !== undefined)
    into.parts.push({ bytes: asked.bytes, blobs: [manifest.config, ...manifest.layers] });
  else into.images.push({ manifest, kept: [{ kind: "image", ...bytesOf(asked) }, ...path] });
}

async function pullParts(ports: PullPorts, top: Top, parts: Listed["parts"]): Promise<void> {
  const { store, remote, signal } = ports;
  await using pins = store.custody.pins();
  await using fetched = new AsyncDisposableStack();
  const rows: IndexPartRow[] = [];
  const stored: (() => void)[] = [];
  for (const { bytes, blobs } of parts) {
    for (const blob of blobs) {
      rows.push({ digest: blob.digest, sizeBytes: blob.size });
      await pins.blob(blob.digest);
      if ((await store.ports.content.sizeOf(blob.digest)) === blob.size) continue;
      const fetch = fetched.use(await remote.fetchBlob(blob, { signal }));
      for await (const _ of fetch.arrival);
      await store.ports.content.adopt(fetch.path, blob.digest);
      stored.push(() => fetch.stored());
    }
    const digest = digestOf(bytes);
    await pins.blob(digest);
    await store.ports.content.put(bytes);
    rows.push({ digest, sizeBytes: bytes.byteLength });
  }
  store.addParts(top.digest, rows);
  for (const done of stored) done();
}
