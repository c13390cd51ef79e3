/** Which of an index's manifests a pull takes, and which of several images that are here is meant. */
import { notFound } from "../base/base.ts";
import type { Descriptor, ImageConfiguration, ImageIndex, Platform } from "../spec/spec.ts";
import { hostPlatform, suitability } from "./platform.ts";

/** What a name without a variant means: containerd's platforms, "Normalization". */
const plainVariants: Readonly<Record<string, number>> = { amd64: 1, arm: 7, arm64: 8 };

function variantOf({ architecture = "", variant }: Partial<Platform>): number {
  const stated = /^v?(\d+)/.exec(variant ?? "")?.[1];
  return stated === undefined ? (plainVariants[architecture] ?? 0) : Number(stated);
}

/** How well an image serves who asked for `wanted`: of older variants the newest, of newer ones none. 0: not at all. */
function fitness(platform: Partial<Platform>, wanted: Platform): number {
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) return 0;
  const [own, asked] = [variantOf(platform), variantOf(wanted)];
  return own > asked ? 0 : 100 + own - asked;
}

export function platformText({ os, architecture, variant }: Partial<Platform>): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== "").join("/");
}

/**
 * The first of those that fit best. Attestations, whose platform is `unknown/unknown`, fit nobody.
 * @param wanted default: whatever runs here
 * @throws NotFound in Docker's words
 */
export function choosePlatform(index: ImageIndex, wanted: Platform | undefined): Descriptor {
  let best: { entry: Descriptor; score: number } | undefined;
  for (const entry of index.manifests) {
    const { platform } = entry;
    if (platform === undefined || platform === null) continue;
    const score = wanted === undefined ? suitability(platform) : fitness(platform, wanted);
    if (score > (best?.score ?? 0)) best = { entry, score };
  }
  // What says nothing of its platform may be an index of such.
  const chosen = best?.entry ?? index.manifests.find((entry) => !entry.platform);
  if (chosen !== undefined) return chosen;
  throw notFound(`no matching manifest for ${platformText(wanted ?? hostPlatform)} in the manifest list entries`);
}

/** False: the image is for another machine than the one that was asked for. */
export function isPlatform(own: Partial<Platform>, wanted: Platform): boolean {
  return fitness(own, wanted) > 0;
}

/**
 * Of the images under one name that which is meant: for the platform asked for, else the one that suits this machine best, else the first.
 * @throws NotFound when none is for the platform asked for
 */
export function chooseImage<T extends { readonly config: ImageConfiguration }>(
  name: string,
  images: readonly [T, ...T[]],
  wanted: Platform | undefined,
): T {
  const [first, ...others] = images;
  if (others.length === 0) {
    requirePlatform(name, first.config, wanted);
    return first;
  }
  const scoreOf = ({ config }: T): number => (wanted === undefined ? suitability(config) : fitness(config, wanted));
  let best = { image: first, score: scoreOf(first) };
  for (const image of others) if (scoreOf(image) > best.score) best = { image, score: scoreOf(image) };
  if (wanted === undefined || best.score > 0) return best.image;
  throw notFound(`image with reference ${name} was found but does not provide the specified platform (${platformText(wanted)})`);
}

/** @throws NotFound when the image that goes by this name is for another platform than the one asked for */
export function requirePlatform(name: string, config: ImageConfiguration, wanted: Platform | undefined): void {
  if (wanted === undefined || isPlatform(config, wanted)) return;
  throw notFound(
    `image with reference ${name} was found but its platform (${platformText(config)}) does not match the specified platform (${platformText(wanted)})`,
  );
}
