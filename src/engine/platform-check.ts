import { platformText, requirePlatform } from "../images/choose-platform.ts";
import type { Image } from "../images/images.ts";
import { hostPlatform, parsePlatform, suitability } from "../images/platform.ts";
import type { Platform } from "../spec/spec.ts";

/**
 * Is the image for the platform that was asked for, or for this machine?
 * @returns a warning for an image of another machine that nobody asked for by name
 * @throws NotFound, which makes the CLI pull the other one
 */
export function checkPlatform(image: Image, name: string, wanted: string | undefined): string[] {
  const { os, architecture, variant } = image.config;
  const own: Partial<Platform> = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (wanted !== undefined && wanted !== "") {
    requirePlatform(name, image.config, parsePlatform(wanted));
    return [];
  }
  // An imported tar may name no machine at all.
  if (architecture === "" || suitability(own) > 0) return [];
  return [
    `The requested image's platform (${platformText(own)}) does not match the detected host platform (${platformText(hostPlatform)}) and no specific platform was requested`,
  ];
}
