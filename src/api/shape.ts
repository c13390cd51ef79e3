/** What older clients are answered differently. The backends speak the newest version. */
import type {
  ContainerInspectResponse,
  ContainerSummary,
  ImageInspect,
  ImageSummary,
  SystemDataUsageResponse,
  SystemInfo,
} from "../spec/spec.ts";

/** Before 1.45 the short id and the host name were among a container's aliases. */
export function shapeContainer(container: ContainerInspectResponse, minor: number): ContainerInspectResponse {
  if (minor >= 45) return container;
  const networks = container.NetworkSettings?.Networks;
  if (networks === undefined || container.Id === undefined) return container;
  const names = [container.Id.slice(0, 12), container.Config?.Hostname ?? ""].filter((name) => name !== "");
  const shaped = Object.entries(networks).map(([name, endpoint]) => [
    name,
    ["bridge", "host", "none"].includes(name) ? endpoint : { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...names])] },
  ]);
  return { ...container, NetworkSettings: { ...container.NetworkSettings, Networks: Object.fromEntries(shaped) } };
}

/** Before 1.46 lists did not tell a container's annotations. */
export function shapeContainerSummary(container: ContainerSummary, minor: number): ContainerSummary {
  if (minor >= 46 || container.HostConfig?.Annotations === undefined) return container;
  const { Annotations: _, ...host } = container.HostConfig;
  return { ...container, HostConfig: host };
}

/** A container's configuration where nothing is set, as images carried it. */
const blankConfig = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: "",
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
} as const;

/** The members of a container's configuration, in dockerd's order, with those that mean nothing for an image. */
function asContainerConfig(config: NonNullable<ImageInspect["Config"]>): object {
  const { User, ExposedPorts, Env, Cmd, Healthcheck, ArgsEscaped, Volumes, WorkingDir, Entrypoint, ...rest } = config;
  const { OnBuild, Labels, ...optional } = rest;
  return {
    Hostname: "",
    Domainname: "",
    User,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(ExposedPorts === undefined ? {} : { ExposedPorts }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env,
    Cmd,
    ...(Healthcheck === undefined ? {} : { Healthcheck }),
    ...(ArgsEscaped === undefined ? {} : { ArgsEscaped }),
    Image: "",
    Volumes,
    WorkingDir,
    Entrypoint,
    OnBuild,
    Labels,
    ...optional,
  };
}

/**
 * Before 1.50 an image's configuration had the fields that only containers have, before 1.45 there was that of the
 * container that it was made from, before 1.44 a VirtualSize, and a creation time even when none was known.
 */
export function shapeImage(image: ImageInspect, minor: number): object {
  if (minor >= 50) return image;
  return {
    ...image,
    ...(image.Config === undefined ? {} : { Config: asContainerConfig(image.Config) }),
    ...(minor >= 45 ? {} : { ContainerConfig: blankConfig }),
    ...(minor >= 44 ? {} : { Created: image.Created ?? "0001-01-01T00:00:00Z", VirtualSize: image.Size }),
  };
}

/** Before 1.44 images had a VirtualSize, and before 1.43 one without any name was called `<none>`. */
export function shapeImageSummary(image: ImageSummary, minor: number): object {
  if (minor >= 44) return image;
  const isNameless = minor < 43 && image.RepoTags.length === 0 && image.RepoDigests.length === 0;
  return { ...image, ...(isNameless ? { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] } : {}), VirtualSize: image.Size };
}

/** Fields came with 1.46 (Containerd), 1.49 (FirewallBackend) and 1.50 (DiscoveredDevices), and others went. */
export function shapeInfo(info: SystemInfo, minor: number): object {
  if (minor >= 50) return info;
  const { FirewallBackend, DiscoveredDevices: _, Containerd, ...rest } = info as SystemInfo & Record<string, unknown>;
  const commit = (known: { ID?: string } | undefined): object => ({ ID: known?.ID ?? "", Expected: known?.ID ?? "" });
  const older = {
    ContainerdCommit: commit(info.ContainerdCommit),
    RuncCommit: commit(info.RuncCommit),
    InitCommit: commit(info.InitCommit),
    RegistryConfig: { AllowNondistributableArtifactsCIDRs: [], AllowNondistributableArtifactsHostnames: [], ...info.RegistryConfig },
  };
  return {
    ...rest,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    ...(minor >= 49 ? { FirewallBackend } : older),
    ...(minor >= 46 && Containerd !== undefined ? { Containerd } : {}),
    // Before 1.25 security options were names alone.
    ...(minor >= 25 ? {} : { SecurityOptions: info.SecurityOptions?.map((option) => option.replace(/^name=([^,]*).*$/, "$1")) }),
  };
}

/** Before 1.42 the build cache's size stood beside its records. */
export function shapeUsage(usage: SystemDataUsageResponse, minor: number): object {
  if (minor >= 44) return usage;
  const shaped = { ...usage, Images: usage.Images?.map((image) => shapeImageSummary(image, minor)) ?? null };
  return minor >= 42 ? shaped : { ...shaped, BuilderSize: 0 };
}
