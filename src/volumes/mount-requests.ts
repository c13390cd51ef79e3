/** What the user mounts, all of it: `-v`, `--mount` and `--tmpfs`. */
import { stat } from "node:fs/promises";
import { errnoOf, invalidParameter } from "../base/base.ts";
import type { HostConfig } from "../spec/spec.ts";
import { parseBind } from "./bind-text.ts";
import type { MountRequest } from "./mounts.ts";
import { cleanPath, parseMount } from "./parse-mount.ts";
import { tmpfsOptions } from "./tmpfs-options.ts";

/**
 * All that the user mounts but `Config.Volumes` and `VolumesFrom`, in the order given.
 * @param dataRoot mounts of it get a propagation of their own
 * @throws InvalidParameter `Duplicate mount point: /x` and whatever a single one says
 */
export function mountRequests(hostConfig: HostConfig, dataRoot: string): MountRequest[] {
  const volumeDriver = hostConfig.VolumeDriver ?? "";
  const requests: MountRequest[] = [
    ...(hostConfig.Binds ?? []).map((text) => parseBind(text, { volumeDriver, dataRoot })),
    ...(hostConfig.Mounts ?? []).map((mount) => parseMount(mount, dataRoot)),
  ];
  for (const [path, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    if (!path.startsWith("/")) throw invalidParameter(`invalid mount path: '${path}' mount path must be absolute`);
    const target = cleanPath(path);
    if (target === "/") throw invalidParameter("invalid specification: destination can't be '/'");
    requests.push({ type: "tmpfs", target, options: tmpfsOptions(options.split(",")), listed: false });
  }
  const seen = new Set<string>();
  for (const { target } of requests) {
    if (seen.has(target)) throw invalidParameter(`Duplicate mount point: ${target}`);
    seen.add(target);
  }
  return requests;
}

/** @throws InvalidParameter when the source of a `--mount type=bind` is missing */
export async function assertSourcesExist(requests: readonly MountRequest[]): Promise<void> {
  for (const request of requests) {
    if (request.type !== "bind" || request.createSource) continue;
    try {
      await stat(request.source);
    } catch (error) {
      const code = errnoOf(error);
      if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
      throw invalidParameter(`invalid mount config for type "bind": bind source path does not exist: ${request.source}`, error);
    }
  }
}
