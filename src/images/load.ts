/**
 * `docker load`: a docker-archive or an OCI image layout, as a stream that is read once. All images of the
 * archive are stored in one transaction after all of it has been read and agrees with itself; what was taken in
 * before a refusal is deleted again.
 */
import type { Readable } from "node:stream";
import { invalidParameter, notFound } from "../base/base.ts";
import type { Platform } from "../spec/spec.ts";
import { ArchiveContents, type OnProgress } from "./archive-contents.ts";
import { readArchive } from "./archive-reader.ts";
import { ByteCursor, uncompressed } from "./byte-cursor.ts";
import { isPlatform, platformText } from "./choose-platform.ts";
import { fromDockerArchive } from "./load-docker-archive.ts";
import { fromOciLayout, hasIndexes } from "./load-oci-layout.ts";
import { MessageQueue } from "./message-queue.ts";
import { progressMessage } from "./progress-message.ts";
import { familiarOf } from "./resolve.ts";
import type { ImageStore, PreparedImage } from "./store.ts";

type Message = Record<string, unknown>;

interface LoadOptions {
  readonly quiet: boolean;
  /** Of the archive's images, those for this platform only. */
  readonly platform?: Platform;
}

const progressIntervalMs = 100;

export async function* loadImages(store: ImageStore, source: Readable, options: LoadOptions): AsyncGenerator<Message> {
  const messages = new MessageQueue<Message>();
  let isDone = false;
  const work = load(store, source, (message) => messages.push(message), options).finally(() => {
    isDone = true;
    messages.end();
  });
  // The failure is thrown below, when the messages before it have been read.
  work.catch(() => {});
  try {
    yield* messages;
    await work;
  } finally {
    // A reader that leaves early ends the load.
    if (!isDone) source.destroy();
    await work.catch(() => {});
  }
}

async function load(
  store: ImageStore,
  source: Readable,
  tell: (message: Message) => void,
  { quiet, platform }: LoadOptions,
): Promise<void> {
  await using pins = store.custody.pins();
  const contents = new ArchiveContents(store, pins, quiet ? undefined : progressTo(tell));
  await readAll(source, contents);
  const images = identify(store, contents, platform);
  const added = await store.add(images);
  const told = new Set<string>();
  for (const [position, { id, displaced }] of added.entries()) {
    const { references = [] } = images[position] ?? {};
    for (const { reference, from } of displaced)
      tell({ stream: `The image ${familiarOf(reference)} already exists, renaming the old one with ID ${from} to empty string\n` });
    store.publish("load", id, id);
    // The platforms under a name are one image to whoever reads this.
    for (const reference of references) if (!told.has(reference)) tell({ stream: `Loaded image: ${familiarOf(reference)}\n` });
    for (const reference of references) told.add(reference);
    if (references.length === 0) tell({ stream: `Loaded image ID: ${id}\n` });
  }
}

async function readAll(source: Readable, contents: ArchiveContents): Promise<void> {
  using request = ByteCursor.over(source);
  const cursor = await uncompressed(request.cursor);
  for await (const member of readArchive(cursor)) await contents.take(member);
  // The end of a compressed stream has its checksum: read it.
  while ((await cursor.some(1 << 20)).length > 0);
}

function identify(store: ImageStore, contents: ArchiveContents, platform: Platform | undefined): PreparedImage[] {
  // Archives that are both name their images in manifest.json as Docker wants them, but one platform of each only.
  if (contents.hasJson("oci-layout") && contents.hasJson("index.json") && hasIndexes(contents)) return fromOciLayout(contents, platform);
  if (contents.hasJson("manifest.json")) return forPlatform(fromDockerArchive(store, contents), platform);
  if (contents.hasJson("index.json")) return fromOciLayout(contents, platform);
  throw invalidParameter("unrecognized image format: the archive has neither a manifest.json nor an index.json");
}

/** @throws NotFound when there is none */
function forPlatform(images: PreparedImage[], asked: Platform | undefined): PreparedImage[] {
  if (asked === undefined) return images;
  const found = images.filter(({ config }) => isPlatform(config, asked));
  if (found.length > 0) return found;
  throw notFound(`image does not provide the specified platform (${platformText(asked)})`);
}

/** Docker's progress messages, a few a second. */
function progressTo(tell: (message: Message) => void): OnProgress {
  let last = 0;
  return (id, current, total) => {
    const now = performance.now();
    if (current < total && now - last < progressIntervalMs) return;
    last = now;
    tell(progressMessage({ id, status: "Loading layer", current, total }));
  };
}
