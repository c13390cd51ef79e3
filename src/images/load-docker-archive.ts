/** Images of an archive with a `manifest.json`, as `docker save` has written them since Docker 1.10. */
import { type Digest, invalidParameter, parseReference } from "../base/base.ts";
import type { ArchiveContents } from "./archive-contents.ts";
import { parseConfiguration, parseJson } from "./configuration.ts";
import { rowName } from "./resolve.ts";
import type { ImageStore, PreparedImage } from "./store.ts";

interface Item {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

export function fromDockerArchive(store: ImageStore, contents: ArchiveContents): PreparedImage[] {
  return parseItems(contents.json("manifest.json")).map((item) => {
    const bytes = contents.json(item.Config);
    const config = parseConfiguration(bytes);
    const diffIds = config.rootfs.diff_ids;
    if (item.Layers.length !== diffIds.length)
      throw invalidParameter(`invalid manifest, layers length mismatch: expected ${item.Layers.length}, got ${diffIds.length}`);
    for (const [position, path] of item.Layers.entries()) requireLayer(store, contents, path, position, diffIds[position] as Digest);
    return { bytes, config, references: (item.RepoTags ?? []).map(tagName) };
  });
}

/** As Docker does, a layer that is in the store need not be in the archive. */
function requireLayer(store: ImageStore, contents: ArchiveContents, path: string, position: number, expected: Digest): void {
  if (!contents.hasLayer(path) && store.rows.layer(expected) !== undefined) return;
  const diffId = contents.layer(path);
  if (diffId !== expected) throw invalidParameter(`invalid diffID for layer ${position}: expected "${expected}", got "${diffId}"`);
}

function tagName(text: string): string {
  const reference = parseReference(text);
  if (reference.tag === undefined || reference.digest !== undefined) throw invalidParameter(`invalid tag ${JSON.stringify(text)}`);
  return rowName(reference);
}

function parseItems(data: Uint8Array): Item[] {
  const value = parseJson(data, "manifest.json");
  const isTextList = (list: unknown): boolean => Array.isArray(list) && list.every((text) => typeof text === "string");
  if (!Array.isArray(value)) throw invalidParameter("invalid manifest.json: not a list");
  return value.map((item: Record<string, unknown> | null): Item => {
    const tags = item?.["RepoTags"] ?? null;
    const layers = item?.["Layers"] ?? [];
    if (typeof item?.["Config"] !== "string" || !isTextList(layers) || !(tags === null || isTextList(tags)))
      throw invalidParameter("invalid manifest.json: bad entry");
    return { Config: item["Config"], RepoTags: tags as string[] | null, Layers: layers as string[] };
  });
}
