import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import {
  type ContainerId,
  familiarString,
  invalidParameter,
  isEngineError,
  newId,
  notFound,
  nowNanos,
  parseReference,
  shortId,
  withDefaultTag,
} from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import { type ContainerRecord, checkName, completeHostConfig, generateName, mergeConfig, newState } from "../containers/containers.ts";
import type { Image } from "../images/images.ts";
import { parsePlatform } from "../images/platform.ts";
import { parseSignal } from "../kernel/signals.ts";
import { checkLogConfig } from "../logs/driver.ts";
import type { AttachRequest } from "../networks/networks.ts";
import type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  EndpointSettings,
  HostConfig,
  MountPoint,
} from "../spec/spec.ts";
import { type ContainerMount, inspectMounts } from "../volumes/volumes.ts";
import { resolveLinks } from "./container-links.ts";
import type { EngineContext } from "./context.ts";
import { createMounts, dropMounts } from "./create-mounts.ts";
import { discardState } from "./discard-state.ts";
import { checkJoining, checkTogether } from "./network-conflicts.ts";
import { askedOf, nameOf, networkRequest } from "./network-request.ts";
import { checkPlatform } from "./platform-check.ts";

/** The image that a container is made of. @throws NotFound in the words that make the CLI pull it */
function resolveImage(context: EngineContext, name: string, platform: string | undefined): Image {
  let image: Image;
  try {
    image = context.images.resolve(name);
  } catch (error) {
    if (!isEngineError(error, "NotFound")) throw error;
    throw notFound(`No such image: ${imageNameFor(name)}`, error);
  }
  return platform === undefined || platform === "" ? image : context.images.resolve(name, parsePlatform(platform));
}

function imageNameFor(name: string): string {
  try {
    return familiarString(withDefaultTag(parseReference(name)));
  } catch {
    return name;
  }
}

/** `NetworkMode` and friends may name a container; written down by its id, so that a rename does not break it. */
function resolveContainerModes(context: EngineContext, host: HostConfig): HostConfig {
  const resolved: Record<string, unknown> = {};
  for (const key of ["NetworkMode", "IpcMode", "PidMode"] as const) {
    const match = /^container:(.*)$/.exec(host[key] ?? "");
    if (match === null) continue;
    if (match[1] === "" && key === "NetworkMode")
      throw invalidParameter("Invalid network mode: invalid container format container:<name|id>");
    if (match[1] === "") throw invalidParameter(`invalid ${key === "IpcMode" ? "IPC" : "PID"} mode: ${host[key]}`);
    try {
      resolved[key] = `container:${context.store.find(match[1] ?? "").id}`;
    } catch (error) {
      if (!isEngineError(error, "NotFound")) throw error;
      // The start will look for the network's container again. A 404 would make clients pull the image.
      if (key !== "NetworkMode") throw invalidParameter(error.message, error);
    }
  }
  return { ...host, ...resolved };
}

/** The host name: the user's, else the id's start; with the host's network the host's own. */
function hostnameFor(id: ContainerId, request: ContainerCreateRequest): string {
  if (request.HostConfig?.NetworkMode === "host" || request.HostConfig?.UTSMode === "host") return hostname();
  return shortId(id);
}

const joining = /^container:/;

/** @throws InvalidParameter in Docker's words for options that exclude each other */
function checkConflicts(context: EngineContext, request: ContainerCreateRequest, host: HostConfig): void {
  const mode = host.NetworkMode ?? "";
  if (joining.test(mode)) {
    if ((request.Hostname ?? "") !== "") throw conflictingOptions("hostname and the network mode");
    if ((host.Dns?.length ?? 0) > 0) throw conflictingOptions("dns and the network mode");
    if ((host.ExtraHosts?.length ?? 0) > 0) throw conflictingOptions("custom host-to-IP mapping and the network mode");
    if (Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts === true)
      throw conflictingOptions("port publishing and the container type network mode");
    if (Object.keys(request.ExposedPorts ?? {}).length > 0) throw conflictingOptions("port exposing and the container type network mode");
  }
  if (host.Runtime !== context.defaults.runtime) throw invalidParameter(`unknown or invalid runtime name: ${host.Runtime}`);
  if (host.UTSMode === "host" && (request.Hostname ?? "") !== "") throw conflictingOptions("hostname and the UTS mode");
}

function conflictingOptions(what: string): Error {
  return invalidParameter(`conflicting options: ${what}`);
}

function configOf(request: ContainerCreateRequest): ContainerConfig {
  const { HostConfig: _host, NetworkingConfig: _networking, ...config } = request;
  return config;
}

/** The networks that it is to be in, each by its name: those that are named, else the mode's. */
function endpointsOf(context: EngineContext, request: ContainerCreateRequest, mode: string): Record<string, EndpointSettings> {
  const given = Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {});
  if (joining.test(mode)) for (const [name, endpoint] of given) checkJoining(name, endpoint ?? {});
  if (joining.test(mode) || request.NetworkDisabled === true) return {};
  const asked = given.map(([name, endpoint]) => [nameOf(context, name === "default" ? "bridge" : name), askedOf(endpoint ?? {})] as const);
  const endpoints = Object.fromEntries(asked.length === 0 ? [[nameOf(context, mode), {}]] : asked);
  checkTogether(mode, Object.keys(endpoints));
  return endpoints;
}

/**
 * `POST /containers/create`: merges the request with the image, checks everything that can be checked, makes
 * the container's directory and its record. Directories are made first: a record is never without them, and
 * a directory without a record is swept at the next start.
 */
export async function createContainer(
  context: EngineContext,
  request: ContainerCreateRequest,
  options: { readonly name?: string; readonly platform?: string },
): Promise<ContainerCreateResponse> {
  const wanted = options.name === undefined || options.name === "" ? undefined : checkName(options.name);
  if (wanted !== undefined) context.store.assertNameFree(wanted);
  if ((request.Image ?? "") === "" && request.Image !== undefined) throw invalidParameter("no command specified");
  const { record, warnings } = prepare(context, request, wanted, options.platform);
  const { id, settings } = record;
  const mounts = await createMounts(context, { id, ...settings });
  try {
    await createWithMounts(context, request, wanted, {
      ...record,
      settings: { ...settings, mounts, mountPoints: listed(context, mounts) },
    });
  } catch (error) {
    await dropMounts(context, id, mounts);
    throw error;
  }
  context.publish(context.liveOf(id), "create");
  return { Id: id, Warnings: warnings };
}

function listed(context: EngineContext, mounts: readonly ContainerMount[]): MountPoint[] {
  return inspectMounts(mounts, (volume) => context.volumes.inspect(volume).Mountpoint);
}

/** Makes the directory, then the record. */
async function createWithMounts(
  context: EngineContext,
  request: ContainerCreateRequest,
  wanted: string | undefined,
  record: ContainerRecord,
): Promise<void> {
  const statePath = context.statePath(record.id);
  await mkdir(statePath, { mode: 0o710 });
  await Promise.all([mkdir(join(statePath, "upper"), { mode: 0o755 }), mkdir(join(statePath, "work"), { mode: 0o700 })]);
  failpoint("create.directories");
  // The image may have been removed, and the name taken, while the directories were made: then they are trash.
  try {
    if (context.images.get(record.settings.imageId) === undefined) throw notFound(`No such image: ${imageNameFor(request.Image ?? "")}`);
    context.images.used(record.settings.imageId);
    context.store.add(wanted === undefined ? { ...record, name: freeName(context) } : record);
  } catch (error) {
    context.inBackground("discarding a container's directory", discardState(context, record.id));
    throw error;
  }
  context.networks.reserve(networkRequest(context, context.liveOf(record.id).record));
  failpoint("create.written");
  // From here on the record says what it has.
  if (record.settings.mounts.length > 0) context.volumes.release(record.id);
}

function freeName(context: EngineContext): string {
  return generateName((name) => context.store.byName(name) !== undefined);
}

function prepare(
  context: EngineContext,
  request: ContainerCreateRequest,
  name: string | undefined,
  platform: string | undefined,
): { record: ContainerRecord; warnings: string[] } {
  const image = resolveImage(context, request.Image ?? "", platform);
  const id = newId<"ContainerId">();
  const hostConfig = resolveContainerModes(context, completeHostConfig(request.HostConfig ?? {}, context.defaults));
  checkConflicts(context, request, hostConfig);
  const links = resolveLinks(context, hostConfig);
  const mode = hostConfig.NetworkMode ?? "";
  const endpoints = endpointsOf(context, request, mode);
  const MacAddress = endpoints[nameOf(context, mode)]?.MacAddress ?? "";
  const config = mergeConfig({ ...configOf(request), MacAddress }, image.config.config ?? {}, hostnameFor(id, request));
  if (config.StopSignal) parseSignal(config.StopSignal);
  checkLogConfig(hostConfig.LogConfig?.Type ?? "", hostConfig.LogConfig?.Config ?? {});
  const warnings = [...checkPlatform(image, request.Image ?? "", platform), ...context.runtime.validate(config, hostConfig)];
  if (hostConfig.NetworkMode === "host" && Object.keys(hostConfig.PortBindings ?? {}).length > 0)
    warnings.push("Published ports are discarded when using host network mode");
  const argv = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const record: ContainerRecord = {
    id,
    createdNanos: nowNanos(),
    name: name ?? "",
    settings: {
      imageId: image.id,
      layers: image.config.rootfs.diff_ids,
      config,
      // The links are the container's state: they can be removed, and what they lead to renamed.
      hostConfig: hostConfig.Links === null ? hostConfig : { ...hostConfig, Links: null as unknown as string[] },
      endpoints,
      mounts: [],
      mountPoints: [],
      path: argv[0] ?? "",
      args: argv.slice(1),
      driver: context.layers.driver,
    },
    status: { state: newState, restartCount: 0, stoppedByUser: false, everStarted: false, ...(links === undefined ? {} : { links }) },
  };
  checkNetworks(context, networkRequest(context, record));
  return { record, warnings };
}

/** A network that is not there is the start's error, as with Docker: to clients a 404 at the creation means the image. */
function checkNetworks(context: EngineContext, request: AttachRequest): void {
  try {
    context.networks.validate(request);
  } catch (error) {
    if (!isEngineError(error, "NotFound")) throw error;
  }
}
