/** `docker push`: one tag or all tags of a repository, with the messages that Docker streams. */

import { Readable } from "node:stream";
import {
  cancelled,
  type Digest,
  digestOf,
  familiarName,
  familiarString,
  notFound,
  type Reference,
  repositoryOf,
  shortId,
} from "../base/base.ts";
import type { Progress, Remote } from "../distribution/distribution.ts";
import type { Platform } from "../spec/spec.ts";
import { readIndex } from "./index-tree.ts";
import { MessageQueue } from "./message-queue.ts";
import { type Outgoing, type OutgoingBlob, openOutgoing } from "./outgoing.ts";
import { progressMessage } from "./progress-message.ts";
import { type IndexPush, planIndexPush, pushParts } from "./push-index.ts";
import { pushLayer } from "./push-layer.ts";
import { rowName } from "./resolve.ts";
import { dropSpoiled, isRefusedDigest, SpoiledBlobs } from "./spoiled-blobs.ts";
import type { ImageStore } from "./store.ts";

type Message = Record<string, unknown>;

interface Push {
  readonly store: ImageStore;
  readonly remote: Remote;
  readonly tell: (message: Message) => void;
  readonly signal: AbortSignal;
  /** Of several under a name, this one alone. */
  readonly platform: Platform | undefined;
}

export interface PushOptions {
  /** Ends it; so does leaving the messages before their end. */
  readonly signal?: AbortSignal;
  readonly platform?: Platform;
}

export async function* pushImages(store: ImageStore, remote: Remote, options: PushOptions): AsyncGenerator<Message> {
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const messages = new MessageQueue<Message>();
  const tell = (message: Message): void => messages.push(message);
  const work = pushAll({ store, remote, tell, signal, platform: options.platform }).finally(() => messages.end());
  // The failure is thrown below, when the messages before it have been read.
  work.catch(() => undefined);
  try {
    yield* messages;
    await work;
  } finally {
    left.abort(cancelled("context canceled"));
    await work.catch(() => undefined);
  }
}

async function pushAll(push: Push): Promise<void> {
  const { store, remote, tell, platform } = push;
  const { reference } = remote;
  tell({ status: `The push refers to repository [${repositoryOf(reference)}]` });
  const all = tagsOf(store, reference);
  if (all.length === 0) throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  const chosen = reference.tag === undefined ? all : all.filter((tag) => tag === reference.tag);
  const [first] = chosen;
  if (first === undefined) throw notFound(`tag does not exist: ${familiarString(reference)}`);
  const { image } = store.find(familiarString({ ...reference, tag: first }), platform);
  for (const tag of chosen) await pushTag(push, tag);
  const labels = reference.tag === undefined ? {} : image.config.config?.Labels;
  store.ports.events.publish("image", "push", familiarString(reference), { ...labels, name: familiarName(reference) });
}

/** The tags of a repository, sorted. */
function tagsOf(store: ImageStore, repository: Reference): string[] {
  const prefix = `${repositoryOf(repository)}:`;
  const names = store.rows.references().flatMap(({ name }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  return [...new Set(names)];
}

async function pushTag(push: Push, tag: string): Promise<void> {
  for (;;) {
    try {
      return await pushFound(push, tag);
    } catch (error) {
      // Each time some of it has gone.
      if (!(error instanceof SpoiledBlobs)) throw error;
    }
  }
}

/** @throws SpoiledBlobs */
async function pushFound(push: Push, tag: string): Promise<void> {
  const { store, remote, platform, signal } = push;
  const { image, index } = store.find(familiarString({ ...remote.reference, tag }), platform);
  if (index === undefined) return await pushImage(push, { id: image.id, which: tag, tag });
  // Its images are pinned when their turn comes.
  await using pins = store.custody.pins();
  for (const digest of [...store.rows.indexesAround(index), ...store.rows.indexPartsOf(index).map((part) => part.digest)])
    await pins.blob(digest);
  if (platform !== undefined) {
    const { leaves } = await readIndex(store, index);
    const listed = leaves.find((leaf) => leaf.kind === "image" && leaf.image === image.id)?.entry.digest;
    return await pushImage(push, { id: image.id, which: tag, tag, ...(listed === undefined ? {} : { listed }) });
  }
  const plan = await planIndexPush(store, index, { remote, signal });
  if (plan.kind === "index") return await pushIndex(push, plan, tag);
  await pushImage(push, { id: plan.image, which: tag, tag, listed: plan.entry.digest });
  push.tell({
    progressDetail: {},
    aux: { manifestPushedInsteadOfIndex: true, originalIndex: plan.instead, selectedManifest: plan.entry },
  });
}

/** The images and what else is here, then the indexes, each after those that it lists. */
async function pushIndex(push: Push, { tree, leaves }: IndexPush & { kind: "index" }, tag: string): Promise<void> {
  const { store, remote, signal, tell } = push;
  for (const leaf of leaves)
    if (leaf.kind === "image") await pushImage(push, { id: leaf.image, which: leaf.entry.digest, listed: leaf.entry.digest });
  await pushParts(store, leaves, remote, signal);
  for (const { mediaType, bytes } of tree.indexes) {
    const digest = digestOf(bytes);
    const isTop = digest === tree.descriptor.digest;
    await remote.putManifest(isTop ? tag : digest, mediaType, bytes, signal);
  }
  const { digest, size } = tree.descriptor;
  const { domain, path } = remote.reference;
  store.nameIndex(rowName({ domain, path, digest }), digest);
  tellPushed(tell, tag, digest, size);
}

function tellPushed(tell: Push["tell"], tag: string, digest: Digest, size: number): void {
  tell({ status: `${tag}: digest: ${digest} size: ${size}` });
  tell({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
}

interface ImagePush {
  readonly id: Digest;
  /** Under what its manifest goes: a tag, or its digest. */
  readonly which: string;
  /** Given when the image is what was to be pushed. */
  readonly tag?: string;
  /** The manifest by which an index lists it. */
  readonly listed?: Digest;
}

async function pushImage(push: Push, what: ImagePush): Promise<void> {
  try {
    await sendImage(push, what);
  } catch (error) {
    if (!push.signal.aborted && isRefusedDigest(error) && (await dropSpoiled(push.store, what.id))) throw new SpoiledBlobs();
    throw error;
  }
}

async function sendImage(push: Push, { id, which, tag, listed }: ImagePush): Promise<void> {
  const { store, remote, tell, signal } = push;
  await using image = await openOutgoing(store, id, listed);
  const blobs = await pushBlobs(image, push);
  const manifest = image.manifest(blobs);
  const { mediaType, bytes } = manifest;
  await remote.putManifest(which, mediaType, bytes, signal);
  if (tag === undefined) return;
  await image.pushed(remote.reference, manifest);
  tellPushed(tell, tag, digestOf(bytes), bytes.byteLength);
}

/** All at once, and the configuration: the registry client keeps the limit. @returns the blobs of all layers, base first */
async function pushBlobs(image: Outgoing, push: Push): Promise<OutgoingBlob[]> {
  // The first failure ends the other transfers.
  const failed = new AbortController();
  const signal = AbortSignal.any([push.signal, failed.signal]);
  const failing = (error: unknown): never => {
    failed.abort(error);
    throw error;
  };
  const tell = onceEach(push.tell);
  // As Docker: the topmost first, and each once though the image may have it twice.
  const positions = new Map([...image.diffIds.entries()].reverse().map(([position, diffId]) => [diffId, position]));
  for (const diffId of positions.keys()) tell({ id: shortId(diffId), status: "Preparing" });
  const { remote } = push;
  const layers = [...positions].map(async ([diffId, position]) => {
    return [diffId, await pushLayer(image, position, { remote, signal, tell }).catch(failing)] as const;
  });
  const config = pushConfig(image, remote, signal).catch(failing);
  await Promise.allSettled([...layers, config]);
  if (failed.signal.aborted) throw failed.signal.reason;
  const blobs = new Map(await Promise.all(layers));
  return image.diffIds.flatMap((diffId) => blobs.get(diffId) ?? []);
}

async function pushConfig({ id, config }: Outgoing, remote: Remote, signal: AbortSignal): Promise<void> {
  const open = (offset: number): Readable => Readable.from([config.subarray(offset)], { objectMode: false });
  await remote.pushBlob({ digest: id, size: config.byteLength, open }, { signal });
}

/** Drops what has been said of a layer already, and bytes that follow closely. */
function onceEach(tell: (message: Message) => void): (progress: Progress) => void {
  const last = new Map<string, { status: string; at: number }>();
  return (progress) => {
    const { id, status, current, total } = progress;
    const before = last.get(id);
    const now = performance.now();
    if (before?.status === status && (current === undefined || (now - before.at < everyMs && current !== total))) return;
    last.set(id, { status, at: now });
    tell(progressMessage(progress));
  };
}

const everyMs = 100;
