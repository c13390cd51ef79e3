/** `docker pull`: one tag or digest, or all tags of a repository, with the messages that Docker streams. */
import {
  cancelled,
  familiarName,
  familiarString,
  isEngineError,
  messageOf,
  notFound,
  type Reference,
  repositoryOf,
  systemError,
} from "../base/base.ts";
import type { Progress, Remote } from "../distribution/distribution.ts";
import type { Platform } from "../spec/spec.ts";
import { isPlatform, platformText } from "./choose-platform.ts";
import { MessageQueue } from "./message-queue.ts";
import { parsePlatform } from "./platform.ts";
import { progressMessage } from "./progress-message.ts";
import { type PulledImage, type PullPorts, pullImage } from "./pull-image.ts";
import { pullAllPlatforms } from "./pull-index.ts";
import type { LayerPulls } from "./pull-layer.ts";
import type { ImageStore } from "./store.ts";

type Message = Record<string, unknown>;

export interface PullOptions {
  /** `os[/arch[/variant]]`, or `all` that there are for Linux. */
  readonly platform?: string;
  readonly signal?: AbortSignal;
}

export async function* pullImages(
  store: ImageStore,
  layerPulls: LayerPulls,
  remote: Remote,
  options: PullOptions,
): AsyncGenerator<Message> {
  const platform = platformOf(options.platform ?? "");
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const messages = new MessageQueue<Message>();
  const tell = (message: Message): void => messages.push(message);
  const onProgress = (progress: Progress): void => tell(progressMessage(progress));
  const work = pullAll({ store, layerPulls, remote, platform, signal, onProgress }, tell)
    .catch((error: unknown) => {
      throw ofPull(error);
    })
    .finally(() => messages.end());
  // The failure is thrown below, when the messages before it have been read.
  work.catch(() => {});
  try {
    yield* messages;
    await work;
  } finally {
    // A reader that leaves early ends the pull.
    left.abort(cancelled("context canceled"));
    await work.catch(() => {});
  }
}

function platformOf(text: string): PullPorts["platform"] {
  if (text === "") return undefined;
  return text === "all" ? text : parsePlatform(text);
}

/** What a registry refuses is no refusal of the daemon's: for a 401 clients would ask for a password, and Docker's has 500. */
function ofPull(error: unknown): unknown {
  const codes = ["Unauthorized", "Forbidden", "Unavailable"] as const;
  return codes.some((code) => isEngineError(error, code)) ? systemError(messageOf(error), error) : error;
}

async function pullAll(ports: PullPorts, tell: (message: Message) => void): Promise<void> {
  const { reference } = ports.remote;
  const references: Reference[] = [];
  if (reference.tag === undefined && reference.digest === undefined) {
    const tags: string[] = [];
    for await (const tag of ports.remote.tags(ports.signal)) tags.push(tag);
    for (const tag of tags) references.push({ ...reference, tag });
  } else references.push(reference);
  const pulled: Pulled[] = [];
  for (const one of references) pulled.push(await pullOne(ports, one, tell));
  const isNew = pulled.some((one) => one.isNew);
  tell({ status: `Status: ${isNew ? "Downloaded newer image" : "Image is up to date"} for ${familiarString(reference)}` });
  // Of all tags together one, as with Docker.
  const labels = references.includes(reference) ? pulled[0]?.labels : {};
  ports.store.ports.events.publish("image", "pull", familiarString(reference), { ...labels, name: familiarName(reference) });
  for (const { mismatch } of pulled) if (mismatch !== undefined) throw mismatch;
}

interface Pulled {
  /** Something has changed. */
  readonly isNew: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** It is for another platform than the one that was asked for: told when all is here. */
  readonly mismatch: Error | undefined;
}

async function pullOne(ports: PullPorts, reference: Reference, tell: (message: Message) => void): Promise<Pulled> {
  const { remote, store, platform } = ports;
  const which = reference.digest ?? reference.tag;
  const top = await remote.manifest(which, ports.signal);
  await store.ports.admit?.(remote, top.digest, ports.signal);
  const id = reference.digest === undefined ? reference.tag : `${repositoryOf(reference)}@${reference.digest}`;
  tell({ status: `Pulling from ${reference.path}`, id });
  const found = { ...top, reference };
  const pulled = platform === "all" ? await pullAllPlatforms(ports, found) : [await pullImage(ports, found, platform)];
  tell({ status: `Digest: ${top.digest}` });
  const [first] = pulled;
  const isChosen = platform === undefined || platform === "all" || top.content.kind === "index";
  const mismatch = isChosen || first === undefined ? undefined : mismatchOf(first, reference, platform);
  return { isNew: pulled.some(({ isNew }) => isNew), labels: first?.config.config?.Labels ?? {}, mismatch };
}

/** An image of one platform only is taken whatever was asked for, and then refused, as with Docker. */
function mismatchOf(pulled: PulledImage, reference: Reference, wanted: Platform): Error | undefined {
  const { os, architecture, variant } = pulled.config;
  const own = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (isPlatform(own, wanted)) return undefined;
  const which = `image with reference ${familiarString(reference)} was found but its platform (${platformText(own)})`;
  return notFound(`${which} does not match the specified platform (${platformText(wanted)})`);
}
