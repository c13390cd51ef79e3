import type { ContainerId, Digest } from "../base/base.ts";
import type { ContainerConfig, EndpointSettings, HostConfig, MountPoint, NetworkSettings } from "../spec/spec.ts";
import type { ContainerMount } from "../volumes/volumes.ts";
import type { Health } from "./health.ts";
import type { ContainerLink } from "./links.ts";
import type { ContainerState } from "./state.ts";

/**
 * What is settled when the container is created. Of `hostConfig`, `update` changes the limits and the restart policy;
 * `endpoints` change as it joins networks and leaves them.
 */
export interface ContainerSettings {
  readonly imageId: Digest;
  /** DiffIDs of the image's layers, base first, so that a start does not read the image again. */
  readonly layers: readonly Digest[];
  /** The request merged with the image's configuration, every field filled as dockerd does. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** The networks that it is to be in, by name (one that was not there yet, as it was called) → what was asked for. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** What it has mounted besides its own file system, and the same as inspect lists it. */
  readonly mounts: readonly ContainerMount[];
  readonly mountPoints: readonly MountPoint[];
  /** What is executed: entrypoint and command in one. */
  readonly path: string;
  readonly args: readonly string[];
  readonly driver: string;
}

/** What changes over the container's life. */
export interface ContainerStatus {
  readonly state: ContainerState;
  readonly restartCount: number;
  /** Someone stopped it: `unless-stopped` and `on-failure` leave it alone. */
  readonly stoppedByUser: boolean;
  /** Legacy links to others, by alias. */
  readonly links?: readonly ContainerLink[];
  /** Of a container with a health check that has been started. */
  readonly health?: Health;
  /** As the network gave it, while the container runs. */
  readonly network?: NetworkSettings;
  /** It has been started at least once, so its files (log, hosts, …) are there. */
  readonly everStarted: boolean;
}

/** One container. `store.ts` alone changes it. */
export interface ContainerRecord {
  readonly id: ContainerId;
  readonly createdNanos: bigint;
  readonly settings: ContainerSettings;
  /** Without the leading slash. */
  readonly name: string;
  readonly status: ContainerStatus;
}
