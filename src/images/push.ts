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
import { MessageQueue } from "./message-queue.ts";
import { type Outgoing, type OutgoingBlob, openOutgoing } from "./outgoing.ts";
import { progressMessage } from "./progress-message.ts";
import { pushLayer } from "./push-layer.ts";
import type { ImageStore } from "./store.ts";

type Message = Record<string, unknown>;

interface Push {
  readonly store: ImageStore;
  readonly remote: Remote;
  readonly tell: (message: Message) => void;
  readonly signal: AbortSignal;
}

/** @param options.signal ends it; so does leaving the messages before their end */
export async function* pushImages(store: ImageStore, remote: Remote, options: { signal?: AbortSignal }): AsyncGenerator<Message> {
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const messages = new MessageQueue<Message>();
  const tell = (message: Message): void => messages.push(message);
  const work = pushAll({ store, remote, tell, signal }).finally(() => messages.end());
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
  const { store, remote, tell } = push;
  const { reference } = remote;
  tell({ status: `The push refers to repository [${repositoryOf(reference)}]` });
  const all = tagsOf(store, reference);
  if (all.length === 0) throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  const chosen = reference.tag === undefined ? all : all.filter(({ tag }) => tag === reference.tag);
  const [first] = chosen;
  if (first === undefined) throw notFound(`tag does not exist: ${familiarString(reference)}`);
  for (const { tag, id } of chosen) await pushOne(push, id, tag);
  const labels = reference.tag === undefined ? {} : store.get(first.id)?.config.config?.Labels;
  store.ports.events.publish("image", "push", familiarString(reference), { ...labels, name: familiarName(reference) });
}

/** The tags of a repository with their images, sorted. */
function tagsOf(store: ImageStore, repository: Reference): { tag: string; id: Digest }[] {
  const prefix = `${repositoryOf(repository)}:`;
  const named = store.rows.references().filter(({ name }) => name.startsWith(prefix));
  return named.map(({ name, id }) => ({ tag: name.slice(prefix.length), id }));
}

async function pushOne({ store, remote, tell, signal }: Push, id: Digest, tag: string): Promise<void> {
  await using image = await openOutgoing(store, id);
  const blobs = await pushBlobs(image, { store, remote, tell, signal });
  const manifest = image.manifest(blobs);
  const { mediaType, bytes } = manifest;
  await remote.putManifest(tag, mediaType, bytes, signal);
  await image.pushed(remote.reference, manifest);
  const digest = digestOf(bytes);
  tell({ status: `${tag}: digest: ${digest} size: ${bytes.byteLength}` });
  tell({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: bytes.byteLength } });
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
