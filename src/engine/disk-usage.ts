import type { ContainerSummary, ImageSummary, SystemDataUsageResponse, Volume } from "../spec/spec.ts";

export type UsagePart = "container" | "image" | "volume" | "build-cache";

export interface UsagePorts {
  /** All but steps of other images, with SharedSize and Containers; sizes are those on the disk. */
  readonly imagesWithSharedSize: () => Promise<ImageSummary[]>;
  /** Bytes of all layers as they lie on the disk, each counted once. */
  readonly storedBytes: () => number;
  /** All containers, with their sizes if asked for. */
  readonly containers: (options: { size: boolean }) => Promise<ContainerSummary[]>;
  /** All volumes with their UsageData. */
  readonly volumes: () => Promise<Volume[]>;
}

/** The answer of `GET /system/df`: null for what was not asked for. */
export async function diskUsage(ports: UsagePorts, parts: ReadonlySet<UsagePart>): Promise<SystemDataUsageResponse> {
  const [withContainers, withImages] = [parts.has("container"), parts.has("image")];
  const [containers, images, volumes] = await Promise.all([
    withContainers ? ports.containers({ size: true }) : [],
    withImages ? ports.imagesWithSharedSize() : [],
    parts.has("volume") ? ports.volumes() : [],
  ]);
  const usage = {
    LayersSize: withImages ? ports.storedBytes() : 0,
    Images: withImages ? images : null,
    Containers: withContainers ? containers : null,
    Volumes: parts.has("volume") ? volumes : null,
    BuildCache: parts.has("build-cache") ? [] : null,
  };
  return usage as SystemDataUsageResponse;
}
