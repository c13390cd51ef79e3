import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  conflict,
  type Digest,
  familiarString,
  formatNanos,
  isEngineError,
  messageOf,
  notFound,
  nowNanos,
  parseReference,
  type Reference,
  systemError,
  withDefaultTag,
} from "../base/base.ts";
import { isActive, mergeConfig } from "../containers/containers.ts";
import { applyChanges } from "../images/images.ts";
import type { ContainerConfig, ExecutionConfig, HistoryEntry, ImageConfiguration } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { pauseContainer, unpauseContainer } from "./pause-container.ts";

export interface CommitRequest {
  /** "": the image gets no name. */
  readonly repository: string;
  readonly tag: string;
  readonly comment: string;
  readonly author: string;
  readonly pause: boolean;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** Filled up from the container's own configuration. */
  readonly config?: ContainerConfig;
}

const imageFields = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "ArgsEscaped",
  "Healthcheck",
  "OnBuild",
  "Shell",
] as const;

/** What of a container's configuration an image has. */
function executionConfig(config: ContainerConfig): ExecutionConfig {
  const entries = imageFields.map((field) => [field, config[field]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== null)) as ExecutionConfig;
}

function referenceOf({ repository, tag }: CommitRequest): Reference | undefined {
  if (repository === "") return undefined;
  return withDefaultTag(parseReference(tag === "" ? repository : `${repository}:${tag}`));
}

/** `POST /commit`: an image of what the container has written, on top of its own. Volumes and other mounts are no part of it. */
export async function commitContainer(context: EngineContext, reference: string, request: CommitRequest): Promise<{ Id: string }> {
  const live = context.find(reference);
  const { status } = live.record.status.state;
  if (status === "dead") throw conflict(`You cannot commit container ${live.id} which is Dead`);
  if (status === "removing") throw conflict(`You cannot commit container ${live.id} which is being removed`);
  const name = referenceOf(request);
  const { config } = live.record.settings;
  const changed = applyChanges(executionConfig(request.config ?? config), request.changes);
  const merged = executionConfig(mergeConfig(changed as ContainerConfig, executionConfig(config), config.Hostname ?? ""));
  await using _held = await context.images.hold();
  // What is told is told before the processes go on, as Docker does.
  return await standingStill(context, live, request.pause, async () => {
    const layer = await readLayer(context, live).catch((error: unknown) => {
      throw live.removed ? notFound(`No such container: ${reference}`) : error;
    });
    if (live.removed) throw notFound(`No such container: ${reference}`);
    const id = await context.images.create(imageConfiguration(context, live, request, merged, layer), name, live.record.settings.imageId);
    const imageRef = name === undefined ? "" : familiarString(name);
    context.publish(live, "commit", { comment: request.comment, imageID: id, imageRef });
    return { Id: id };
  });
}

/** One that does not run is kept from starting; one that runs is paused if that is asked for, and it can be. */
async function standingStill<T>(context: EngineContext, live: LiveContainer, pause: boolean, work: () => Promise<T>): Promise<T> {
  const { state } = live.record.status;
  if (!isActive(state)) return await live.lock.run(work);
  if (!pause || state.status === "paused") return await work();
  await pauseContainer(context, live.id, true).catch(unlessEnded);
  try {
    return await work();
  } finally {
    await unpauseContainer(context, live.id).catch(unlessEnded);
  }
}

/** A container may end, or be let go on by somebody else, at any moment. */
function unlessEnded(error: unknown): void {
  if (!isEngineError(error)) throw error;
}

/** @returns undefined when the container has written nothing */
async function readLayer(context: EngineContext, live: LiveContainer): Promise<Digest | undefined> {
  const upper = join(context.statePath(live.id), "upper");
  if ((await readdir(upper)).length === 0) return undefined;
  try {
    return (await context.layers.ingestWritten((file) => context.kernel.trees.layer(upper, file))).diffId;
  } catch (error) {
    throw isEngineError(error) ? error : systemError(`cannot read the files of container ${live.id}: ${messageOf(error)}`, error);
  }
}

function imageConfiguration(
  context: EngineContext,
  live: LiveContainer,
  request: CommitRequest,
  config: ExecutionConfig,
  layer: Digest | undefined,
): ImageConfiguration {
  const { settings } = live.record;
  const parent = context.images.get(settings.imageId)?.config;
  const created = formatNanos(nowNanos());
  const said = {
    ...(request.author === "" ? {} : { author: request.author }),
    ...(request.comment === "" ? {} : { comment: request.comment }),
  };
  const step: HistoryEntry = {
    created,
    created_by: (settings.config.Cmd ?? []).join(" "),
    ...said,
    ...(layer === undefined ? { empty_layer: true } : {}),
  };
  // `container` and `container_config` are Docker's own: what the image was made of.
  const docker = { container: live.id, container_config: settings.config };
  return {
    architecture: parent?.architecture ?? "",
    ...(parent?.variant === undefined ? {} : { variant: parent.variant }),
    os: parent?.os ?? "linux",
    ...said,
    ...docker,
    created,
    config,
    rootfs: { type: "layers", diff_ids: [...settings.layers, ...(layer === undefined ? [] : [layer])] },
    history: [...(parent?.history ?? []), step],
  };
}
