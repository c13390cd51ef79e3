import { invalidParameter } from "../base/errors.ts";

/**
 * Where the API has a container. A name may be given with the slash that `inspect` shows in front of it.
 * @throws InvalidParameter for no name at all
 */
export function containerPath(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "") throw invalidParameter("invalid container name or ID: value is empty");
  return `/containers/${encodeURIComponent(trimmed.replace(/^\/+/, ""))}`;
}

/** @throws InvalidParameter for no name at all */
export function volumePath(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "") throw invalidParameter("invalid volume name or ID: value is empty");
  return `/volumes/${encodeURIComponent(trimmed)}`;
}

/** @throws InvalidParameter for no name at all */
export function networkPath(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "") throw invalidParameter("invalid network name or ID: value is empty");
  return `/networks/${encodeURIComponent(trimmed)}`;
}

/** Where the API has an image; slashes in a reference stand for themselves. */
export function imagePath(name: string): string {
  return `/images/${name.split("/").map(encodeURIComponent).join("/")}`;
}
