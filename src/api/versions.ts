import { invalidParameter } from "../base/base.ts";

export const apiVersion = "1.51";
export const minimumApiVersion = "1.24";
/** skopeo and its kin load and save images (`docker-daemon:`) with this one, whatever the daemon says that it can. */
const minimumForImages = "1.22";

/** A version as one comparable number: 1.51 → 1051, as 1.5 is older than 1.24. */
function rank(version: string): number {
  const [major = "0", minor = "0"] = version.split(".");
  return (Number(major) || 0) * 1000 + (Number(minor) || 0);
}

/**
 * The minor version that a request speaks; all that are served have the major version 1.
 * @param asked of the path (`/v1.41/…`); undefined when it has none
 * @param path the rest of it
 * @throws InvalidParameter with Docker's wording for one that is not served
 */
export function negotiate(asked: string | undefined, path: string): number {
  const version = rank(asked ?? apiVersion);
  const minimum = path.startsWith("/images/") ? minimumForImages : minimumApiVersion;
  if (version < rank(minimum)) {
    throw invalidParameter(
      `client version ${asked} is too old. Minimum supported API version is ${minimumApiVersion}, please upgrade your client to a newer version`,
    );
  }
  if (version > rank(apiVersion)) {
    throw invalidParameter(`client version ${asked} is too new. Maximum supported API version is ${apiVersion}`);
  }
  return version % 1000;
}
