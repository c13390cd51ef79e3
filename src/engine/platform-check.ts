import { notFound } from "../base/base.ts";
import type { Image } from "../images/images.ts";
import { hostPlatform, parsePlatform, suitability } from "../images/platform.ts";
import type { Platform } from "../spec/spec.ts";

function words({ os, architecture, variant }: Partial<Platform>): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== "").join("/");
}

/**
 * Is the image for the platform that was asked for, or for this machine?
 * @returns a warning for an image of another machine that nobody asked for by name
 * @throws NotFound, which makes the CLI pull the other one
 */
export function checkPlatform(image: Image, name: string, wanted: string | undefined): string[] {
  const { os, architecture, variant } = image.config;
  const own: Partial<Platform> = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (wanted !== undefined && wanted !== "") {
    const asked = parsePlatform(wanted);
    const same = asked.os === os && asked.architecture === architecture && (asked.variant === undefined || asked.variant === variant);
    if (same) return [];
    throw notFound(
      `image with reference ${name} was found but its platform (${words(own)}) does not match the specified platform (${words(asked)})`,
    );
  }
  // An imported tar may name no machine at all.
  if (architecture === "" || suitability(own) > 0) return [];
  return [
    `The requested image's platform (${words(own)}) does not match the detected host platform (${words(hostPlatform)}) and no specific platform was requested`,
  ];
}
