/** `docker image inspect` and `docker history`. */
import { formatNanos, zeroTime } from "../base/base.ts";
import type { DockerImageConfig, ExecutionConfig, HistoryResponseItem, ImageInspect } from "../spec/spec.ts";
import { createdSeconds } from "./configuration.ts";
import { familiarOf } from "./resolve.ts";
import type { ImageStore, StoredImage } from "./store.ts";

export function inspectImage(store: ImageStore, image: StoredImage): ImageInspect {
  const { config, row } = image;
  const names = image.references.map(familiarOf);
  return {
    Id: image.id,
    RepoTags: names.filter((name) => !name.includes("@")),
    RepoDigests: names.filter((name) => name.includes("@")),
    Parent: row.parentId ?? "",
    Comment: config.comment || (config.history?.at(-1)?.comment ?? ""),
    ...(config.created === undefined ? {} : { Created: config.created }),
    DockerVersion: config.docker_version ?? "",
    Author: config.author ?? "",
    Config: completeConfig(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === undefined || config.variant === "" ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config["os.version"] === undefined ? {} : { OsVersion: config["os.version"] }),
    Size: image.sizeBytes,
    GraphDriver: { Data: {}, Name: store.ports.layers.driver },
    RootFS: { Type: "layers", ...(config.rootfs.diff_ids.length === 0 ? {} : { Layers: config.rootfs.diff_ids }) },
    Metadata: { LastTagTime: row.taggedNanos === undefined ? zeroTime : formatNanos(row.taggedNanos) },
  };
}

/** The members that Docker always sends, null where the image says nothing, and the others only when they say something. */
function completeConfig(config: ExecutionConfig): DockerImageConfig {
  const filled = (value: object | undefined | null): boolean => value !== undefined && value !== null && Object.keys(value).length > 0;
  return {
    Cmd: config.Cmd ?? null,
    Entrypoint: config.Entrypoint ?? null,
    Env: config.Env ?? null,
    Labels: config.Labels ?? null,
    OnBuild: config.OnBuild ?? null,
    User: config.User ?? "",
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? "",
    ...(filled(config.ExposedPorts) ? { ExposedPorts: config.ExposedPorts } : {}),
    ...(config.Healthcheck ? { Healthcheck: config.Healthcheck } : {}),
    ...(filled(config.Shell) ? { Shell: config.Shell } : {}),
    ...(config.StopSignal ? { StopSignal: config.StopSignal } : {}),
    ...(config.ArgsEscaped === true ? { ArgsEscaped: true } : {}),
  } as DockerImageConfig;
}

/** Newest step first. Only the steps that end an image that is here have its id. */
export function historyOf(store: ImageStore, image: StoredImage): HistoryResponseItem[] {
  const sizes = store.rows.layersOf(image.id).map((layer) => layer.sizeBytes);
  let layer = 0;
  const items: HistoryResponseItem[] = (image.config.history ?? []).map((entry) => ({
    Id: "<missing>",
    Created: createdSeconds(entry.created),
    CreatedBy: entry.created_by ?? "",
    // Docker sends null where there are none.
    Tags: null as unknown as string[],
    Size: entry.empty_layer === true ? 0 : (sizes[layer++] ?? 0),
    Comment: entry.comment ?? "",
  }));
  items.reverse();
  let step: StoredImage | undefined = image;
  for (const item of items) {
    if (step === undefined) break;
    item.Id = step.id;
    const tags = step.references.map(familiarOf).filter((name) => !name.includes("@"));
    if (tags.length > 0) item.Tags = tags;
    step = step.row.parentId === undefined ? undefined : store.get(step.row.parentId);
  }
  return items;
}
