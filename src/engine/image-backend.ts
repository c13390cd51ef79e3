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
import type { Images } from "../images/images.ts";
import type { Layers } from "../layers/layers.ts";
import type {
  HistoryResponseItem,
  ImageDeleteResponseItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSummary,
  Platform,
} from "../spec/spec.ts";
import { type EmbeddedImage, installEmbedded } from "./embedded-image.ts";
import { checkPlatform } from "./platform-check.ts";

export interface ImageBackendPorts {
  readonly images: Images;
  readonly layers: Layers;
  readonly distribution: Distribution;
  /** By name, the images that Berth carries in itself. */
  readonly embedded: Readonly<Record<string, EmbeddedImage>>;
}

type Message = Record<string, unknown>;

export class ImageBackend {
  readonly #ports: ImageBackendPorts;

  constructor(ports: ImageBackendPorts) {
    this.#ports = ports;
  }

  async list(options: { all: boolean; filters: Filters; sharedSize: boolean }): Promise<ImageSummary[]> {
    return this.#ports.images.list(options.filters, options);
  }

  async inspect(reference: string): Promise<ImageInspect> {
    return this.#ports.images.inspect(reference);
  }

  async history(reference: string): Promise<HistoryResponseItem[]> {
    return this.#ports.images.history(reference);
  }

  async tag(reference: string, target: { repository: string; tag: string }): Promise<void> {
    this.#ports.images.tag(reference, targetOf(target.repository, target.tag));
  }

  remove(reference: string, options: { force: boolean; noPrune: boolean }): Promise<ImageDeleteResponseItem[]> {
    return this.#ports.images.remove(reference, options);
  }

  /** With the images, what broken-off pulls have left. */
  async prune(filters: Filters): Promise<ImagePruneResponse> {
    const pruned = await this.#ports.images.prune(filters);
    return { ...pruned, SpaceReclaimed: (pruned.SpaceReclaimed ?? 0) + (await this.#ports.distribution.prune()) };
  }

  async *import(
    source: Readable,
    options: { repository: string; tag: string; message: string; changes: string[]; platform?: string },
  ): AsyncGenerator<Message> {
    const id = await this.#ports.images.import(source, {
      ...(options.repository === "" ? {} : { reference: withDefaultTag(targetOf(options.repository, options.tag)) }),
      message: options.message === "" ? "Imported from -" : options.message,
      changes: options.changes,
      ...(options.platform === undefined ? {} : { platform: options.platform }),
    });
    yield { status: id };
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
    if (platform !== undefined) {
      const { os, architecture, variant } = platform;
      const shown = familiarString(reference);
      checkPlatform(images.resolve(shown), shown, [os, architecture, ...(variant === undefined ? [] : [variant])].join("/"));
    }
    return images.push(distribution.remote(reference, credentialsOfHeader(auth)), { signal });
  }

  load(source: Readable, options: { quiet: boolean }): AsyncIterable<Message> {
    return this.#ports.images.load(source, options);
  }

  save(references: readonly string[]): Promise<Readable> {
    return this.#ports.images.save(references);
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
