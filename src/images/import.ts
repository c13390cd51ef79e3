/** `docker import`: a tar of a root file system as an image of one layer. */
import { Readable } from "node:stream";
import { type Digest, familiarString, formatNanos, nowNanos, withDefaultTag } from "../base/base.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { applyChanges } from "./change-instructions.ts";
import { type DockerConfiguration, parseConfiguration } from "./configuration.ts";
import type { ImportOptions } from "./images.ts";
import { hostPlatform, parsePlatform } from "./platform.ts";
import { rowName } from "./resolve.ts";
import type { ImageStore } from "./store.ts";

export async function importImage(store: ImageStore, source: Readable, options: ImportOptions): Promise<Digest> {
  // What is wrong with the words is told before a byte is read.
  const platform = options.platform ? parsePlatform(options.platform) : hostPlatform;
  const execution = applyChanges({}, options.changes);
  await using pins = store.custody.pins();
  using request = ByteCursor.over(source);
  const layer = await store.ports.layers.ingest(Readable.from(request.cursor.rest(), { objectMode: false }), undefined, pins.layer);
  const created = formatNanos(nowNanos());
  const config: DockerConfiguration = {
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    created,
    comment: options.message,
    config: execution,
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
    history: [{ created, comment: options.message }],
  };
  const bytes = Buffer.from(JSON.stringify(config));
  const references = options.reference === undefined ? [] : [rowName(options.reference)];
  const [added] = await store.add([{ bytes, config: parseConfiguration(bytes), references }]);
  if (added === undefined) throw new Error("an image was stored without an id");
  if (options.reference !== undefined) store.publish("tag", added.id, familiarString(withDefaultTag(options.reference)));
  store.publish("import", added.id, added.id);
  return added.id;
}
