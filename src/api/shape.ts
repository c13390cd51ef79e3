/** What older clients are answered differently. The backends speak the newest version. */
import type { ContainerInspectResponse, ImageInspect, ImageSummary, SystemDataUsageResponse } from "../spec/spec.ts";

/** Before 1.45 the short id was one of a container's aliases. */
export function shapeContainer(container: ContainerInspectResponse, minor: number): ContainerInspectResponse {
  if (minor >= 45) return container;
  const networks = container.NetworkSettings?.Networks;
  if (networks === undefined || container.Id === undefined) return container;
  const shortId = container.Id.slice(0, 12);
  const shaped = Object.entries(networks).map(([name, endpoint]) => [
    name,
    ["bridge", "host", "none"].includes(name) ? endpoint : { ...endpoint, Aliases: [...(endpoint.Aliases ?? []), shortId] },
  ]);
  return { ...container, NetworkSettings: { ...container.NetworkSettings, Networks: Object.fromEntries(shaped) } };
}

/** Before 1.44 images had a VirtualSize, and a creation time even when none was known. */
export function shapeImage(image: ImageInspect, minor: number): object {
  if (minor >= 44) return image;
  return { ...image, Created: image.Created ?? "0001-01-01T00:00:00Z", VirtualSize: image.Size };
}

export function shapeImageSummary(image: ImageSummary, minor: number): object {
  return minor >= 44 ? image : { ...image, VirtualSize: image.Size };
}

/** Before 1.42 the build cache's size stood beside its records. */
export function shapeUsage(usage: SystemDataUsageResponse, minor: number): object {
  if (minor >= 44) return usage;
  const shaped = { ...usage, Images: usage.Images?.map((image) => shapeImageSummary(image, minor)) ?? null };
  return minor >= 42 ? shaped : { ...shaped, BuilderSize: 0 };
}
