/** `system df`: how much space each kind of object takes, and how much of it could be had back. */

import { humanDuration } from "../../base/duration.ts";
import { formatSize } from "../../base/units.ts";
import type { BuildCache, ContainerSummary, ImageSummary, SystemDataUsageResponse, Volume } from "../../spec/spec.ts";
import { Computed } from "../template/template.ts";
import { containerShape } from "./containers.ts";
import { formatList, type ListShape } from "./format-list.ts";
import { imageShape, type NamedImage, namedImages } from "./images.ts";
import { volumeShape } from "./volumes.ts";

export interface UsageLine {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly sizeBytes: number;
  readonly reclaimableBytes: number;
  /** The reclaimable part in percent is shown where it says something. */
  readonly percent: boolean;
}

const sum = <Item>(items: readonly Item[], size: (item: Item) => number): number =>
  items.reduce((total, item) => total + Math.max(size(item), 0), 0);

function imagesLine({ Images, LayersSize = 0 }: SystemDataUsageResponse): UsageLine {
  const images = Images ?? [];
  const used = sum(
    images.filter((image) => image.Containers > 0),
    (image) => (image.Size === -1 || image.SharedSize === -1 ? 0 : image.Size - image.SharedSize),
  );
  const active = images.filter((image) => image.Containers > 0).length;
  return { type: "Images", total: images.length, active, sizeBytes: LayersSize, reclaimableBytes: LayersSize - used, percent: true };
}

const isActive = (container: ContainerSummary): boolean =>
  ["running", "paused", "restarting"].includes((container.State ?? "").toLowerCase());

function containersLine({ Containers }: SystemDataUsageResponse): UsageLine {
  const containers = Containers ?? [];
  const own = (container: ContainerSummary): number => container.SizeRw ?? 0;
  const idle = containers.filter((container) => !isActive(container));
  return {
    type: "Containers",
    total: containers.length,
    active: containers.length - idle.length,
    sizeBytes: sum(containers, own),
    reclaimableBytes: sum(idle, own),
    percent: true,
  };
}

function volumesLine({ Volumes }: SystemDataUsageResponse): UsageLine {
  const volumes = Volumes ?? [];
  const size = (volume: Volume): number => volume.UsageData?.Size ?? 0;
  const idle = volumes.filter((volume) => (volume.UsageData?.RefCount ?? 0) === 0);
  return {
    type: "Local Volumes",
    total: volumes.length,
    active: volumes.filter((volume) => (volume.UsageData?.RefCount ?? 0) > 0).length,
    sizeBytes: sum(volumes, size),
    reclaimableBytes: sum(idle, size),
    percent: true,
  };
}

function cacheLine({ BuildCache: given }: SystemDataUsageResponse): UsageLine {
  const records = given ?? [];
  const own = (record: BuildCache): number => (record.Shared === true ? 0 : (record.Size ?? 0));
  const used = records.filter((record) => record.InUse === true);
  const size = sum(records, own);
  return {
    type: "Build Cache",
    total: records.length,
    active: used.length,
    sizeBytes: size,
    reclaimableBytes: size - sum(used, own),
    percent: false,
  };
}

export const usageLines = (usage: SystemDataUsageResponse): UsageLine[] => [
  imagesLine(usage),
  containersLine(usage),
  volumesLine(usage),
  cacheLine(usage),
];

export const usageShape: ListShape<UsageLine> = {
  typeName: "formatter.diskUsageContext",
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
  quiet: "",
  headers: { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" },
  fields: (line) => ({
    Active: () => String(line.active),
    Reclaimable: () => {
      const text = formatSize(line.reclaimableBytes, 4);
      return line.percent && line.sizeBytes > 0 ? `${text} (${Math.trunc((line.reclaimableBytes * 100) / line.sizeBytes)}%)` : text;
    },
    Size: () => formatSize(line.sizeBytes, 4),
    TotalCount: () => String(line.total),
    Type: () => line.type,
  }),
};

const cacheShape: ListShape<BuildCache> = {
  typeName: "formatter.buildCacheContext",
  table: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
  quiet: "{{.ID}}",
  headers: {
    ID: "CACHE ID",
    Parent: "PARENT",
    CacheType: "CACHE TYPE",
    Size: "SIZE",
    CreatedSince: "CREATED",
    LastUsedSince: "LAST USED",
    UsageCount: "USAGE",
    Shared: "SHARED",
    Description: "DESCRIPTION",
    InUse: "IN USE",
  },
  fields: (record, truncate) => {
    const since = (time: string | null | undefined): string =>
      time === undefined || time === null || time === "" ? "" : `${humanDuration((Date.now() - Date.parse(time)) / 1000)} ago`;
    return {
      CacheType: () => record.Type ?? "",
      CreatedAt: () => record.CreatedAt ?? "",
      CreatedSince: () => since(record.CreatedAt),
      Description: () => record.Description ?? "",
      ID: () => `${truncate ? (record.ID ?? "").slice(0, 12) : (record.ID ?? "")}${record.InUse === true ? "*" : ""}`,
      InUse: () => String(record.InUse ?? false),
      LastUsedAt: () => record.LastUsedAt ?? "",
      LastUsedSince: () => since(record.LastUsedAt),
      Parent: () => record.Parent ?? "",
      Shared: () => String(record.Shared ?? false),
      Size: () => formatSize(record.Size ?? 0),
      UsageCount: () => String(record.UsageCount ?? 0),
    };
  },
};

/** An image by its first name only: each is counted once. */
function namedOnce(image: ImageSummary): NamedImage {
  const [first] = image.RepoTags ?? [];
  const [named] = first === undefined ? [] : namedImages([{ ...image, RepoTags: [first], RepoDigests: [] }], false);
  return { image, repository: named?.repository ?? "<none>", tag: named?.tag ?? "<none>", digest: "" };
}

/** Inside of `df` the columns of sizes count what an image has alone and what it shares. */
const imageUsageShape: ListShape<NamedImage> = {
  ...imageShape,
  table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
};

const containerUsageShape: ListShape<ContainerSummary> = {
  ...containerShape,
  table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
};

const volumeUsageShape: ListShape<Volume> = { ...volumeShape, table: "{{.Name}}\t{{.Links}}\t{{.Size}}" };

/** The four tables of `system df -v`. */
export function verboseUsage(usage: SystemDataUsageResponse): string {
  // What a container has of its image is counted there.
  const containers = (usage.Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 }));
  const print = <Item>(shape: ListShape<Item>, items: readonly Item[]): string =>
    formatList(shape, items, { format: "", quiet: false, truncate: true });
  return [
    `Images space usage:\n\n${print(imageUsageShape, (usage.Images ?? []).map(namedOnce))}`,
    `Containers space usage:\n\n${print(containerUsageShape, containers)}`,
    `Local Volumes space usage:\n\n${print(volumeUsageShape, usage.Volumes ?? [])}`,
    `Build cache usage: ${formatSize(cacheLine(usage).sizeBytes, 4)}\n\n${print(cacheShape, usage.BuildCache ?? [])}`,
  ].join("\n");
}

/** All of it as one value, for `system df -v --format`. */
export function verboseView(usage: SystemDataUsageResponse): Computed {
  const view = <Item>(shape: ListShape<Item>, items: readonly Item[]): Computed[] =>
    items.map((item) => new Computed(shape.typeName, shape.fields(item, false)));
  const fields = {
    Images: view(imageShape, (usage.Images ?? []).map(namedOnce)),
    Containers: view(containerShape, usage.Containers ?? []),
    Volumes: view(volumeShape, usage.Volumes ?? []),
    BuildCache: view(cacheShape, usage.BuildCache ?? []),
  };
  const getters = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, () => value]));
  return new Computed("formatter.diskUsageContext", getters, fields);
}
