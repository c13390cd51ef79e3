/** Images for the API: request words to values, results to progress messages. */
import type { Readable } from "node:stream";
import {
  type Filters,
  familiarString,
  invalidParameter,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from "../base/base.ts";
import { credentialsOfHeader } from "../distribution/credentials.ts";
import type { Distribution } from "../distribution/distribution.ts";
import type { PolicyWords } from "../images/collect-policy.ts";
import { asksForAnything, type CollectPolicy, type Images, parseCollectPolicy } from "../images/images.ts";
import type { Layers } from "../layers/layers.ts";
import type {
  HistoryResponseItem,
  ImageCollection,
  ImageDeleteResponseItem,
  ImageDifference,
  ImageInspect,
  ImageLayerFile,
  ImageLayers,
  ImagePruneResponse,
  ImageSummary,
  Platform,
} from "../spec/spec.ts";
import { Counted, download } from "./download.ts";
import { type EmbeddedImage, installEmbedded } from "./embedded-image.ts";

export interface ImageBackendPorts {
  readonly images: Images;
  readonly layers: Layers;
  readonly distribution: Distribution;
  /** The administrator's, for when a request has none. */
  readonly collectPolicy: () => CollectPolicy;
  /** By name, the images that Berth carries in itself. */
  readonly embedded: Readonly<Record<string, EmbeddedImage>>;
}

type Message = Record<string, unknown>;

export class ImageBackend {
  readonly #ports: ImageBackendPorts;

  constructor(ports: ImageBackendPorts) {
    this.#ports = ports;
  }

  async list(options: { all: boolean; filters: Filters; sharedSize: boolean; manifests?: boolean }): Promise<ImageSummary[]> {
    const { images } = this.#ports;
    const summaries = images.list(options.filters, options);
    if (options.manifests !== true) return summaries;
    return await Promise.all(
      summaries.map(async (summary) => {
        const names = [...summary.RepoTags, ...summary.RepoDigests];
        return { ...summary, Manifests: await images.manifests(names.length === 0 ? [summary.Id] : names) };
      }),
    );
  }

  async inspect(reference: string, options: { manifests?: boolean; platform?: Platform } = {}): Promise<ImageInspect> {
    const { images } = this.#ports;
    const inspect = images.inspect(reference, options.platform);
    return options.manifests === true ? { ...inspect, Manifests: await images.manifests([reference]) } : inspect;
  }

  async history(reference: string, { platform }: { platform?: Platform } = {}): Promise<HistoryResponseItem[]> {
    return this.#ports.images.history(reference, platform);
  }

  layers(reference: string): Promise<ImageLayers> {
    return this.#ports.images.layers(reference);
  }

  async layerFiles(reference: string): Promise<AsyncIterable<ImageLayerFile>> {
    return this.#ports.images.layerFiles(reference);
  }

  async differences(from: string, to: string): Promise<AsyncIterable<ImageDifference>> {
    return this.#ports.images.differences(from, to);
  }

  async tag(reference: string, target: { repository: string; tag: string }): Promise<void> {
    this.#ports.images.tag(reference, targetOf(target.repository, target.tag));
  }

  remove(reference: string, options: { force: boolean; noPrune: boolean; platform?: Platform }): Promise<ImageDeleteResponseItem[]> {
    return this.#ports.images.remove(reference, options);
  }

  async pin(reference: string, pinned: boolean): Promise<void> {
    this.#ports.images.pin(reference, pinned);
  }

  /** With other words than the daemon's own, only its pins hold. */
  async collect(words: PolicyWords, options: { dryRun: boolean }): Promise<ImageCollection> {
    const configured = this.#ports.collectPolicy();
    const given = parseCollectPolicy({ ...words, pins: configured.pins ?? [] });
    const policy = asksForAnything(given)
      ? given
      : { ...configured, ...(given.recentNanos === undefined ? {} : { recentNanos: given.recentNanos }) };
    if (!asksForAnything(policy))
      throw invalidParameter("there is no policy for images: give keep-storage, min-free or unused-for, or set image-gc in daemon.json");
    return await this.#ports.images.collect(policy, options);
  }

  /** With the images, what broken-off pulls have left. */
  async prune(filters: Filters): Promise<ImagePruneResponse> {
    const pruned = await this.#ports.images.prune(filters);
    return { ...pruned, SpaceReclaimed: (pruned.SpaceReclaimed ?? 0) + (await this.#ports.distribution.prune()) };
  }

  /** @param source bytes, or the address of a server that has them */
  async *import(
    source: Readable | string,
    options: { repository: string; tag: string; message: string; changes: string[]; platform?: string },
    signal: AbortSignal,
  ): AsyncGenerator<Message> {
    const { repository, tag, message, changes, platform } = options;
    const asked = {
      ...(repository === "" ? {} : { reference: withDefaultTag(targetOf(repository, tag)) }),
      message: message === "" ? `Imported from ${typeof source === "string" ? source : "-"}` : message,
      changes,
      ...(platform === undefined ? {} : { platform }),
    };
    if (typeof source !== "string") return yield { status: await this.#ports.images.import(source, asked) };
    const found = await download(source, signal);
    yield { status: `Downloading from ${found.url.href}` };
    const bytes = new Counted(found);
    try {
      const work = this.#ports.images.import(bytes.stream, asked);
      yield* bytes.progress(work);
      yield { status: await work };
    } finally {
      // What is refused before it is read, or left by who asked for it.
      found.bytes.destroy();
    }
  }

  /** Without tag and digest: all tags. */
  pull(reference: string, options: { platform?: string; auth?: string; signal?: AbortSignal }): AsyncIterable<Message> {
    const { auth, ...rest } = options;
    const remote = this.#ports.distribution.remote(parseReference(reference), credentialsOfHeader(auth));
    return this.#ports.images.pull(remote, rest);
  }

  push(
    name: string,
    { tag, platform, auth }: { tag: string; platform?: Platform; auth?: string },
    signal: AbortSignal,
  ): AsyncIterable<Message> {
    const reference = tag === "" ? parseReference(name) : targetOf(repositoryOf(parseReference(name)), tag);
    if (reference.digest !== undefined) throw invalidParameter("cannot push a digest reference");
    if (repositoryOf(reference) === "docker.io/library/scratch") throw invalidParameter("'scratch' is a reserved name");
    const { images, distribution } = this.#ports;
    if (platform !== undefined) images.resolve(familiarString(reference), platform);
    return images.push(distribution.remote(reference, credentialsOfHeader(auth)), {
      signal,
      ...(platform === undefined ? {} : { platform }),
    });
  }

  load(source: Readable, options: { quiet: boolean; platform?: Platform }): AsyncIterable<Message> {
    return this.#ports.images.load(source, options);
  }

  save(references: readonly string[], { platform }: { platform?: Platform } = {}): Promise<Readable> {
    return this.#ports.images.save(references, platform);
  }

  installEmbedded(name: string): Promise<void> {
    return installEmbedded(this.#ports, familiarString(withDefaultTag(parseReference(name))));
  }
}

export function openImageBackend(ports: ImageBackendPorts): ImageBackend {
  return new ImageBackend(ports);
}

function targetOf(repository: string, tag: string): Reference {
  return parseReference(tag === "" ? repository : `${repository}:${tag}`);
}
