/**
 * From a container's configuration to an OCI runtime spec, as Docker's daemon writes it. Everything that has to be
 * looked up (users, devices) comes in resolved; the rest is a pure function of the request and the host's facts.
 */
import { join, normalize } from "node:path";
import { resolveCapabilities } from "../kernel/capabilities.ts";
import { cgroupParentPath } from "../kernel/cgroups.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import { defaultSeccomp } from "../kernel/seccomp-default.ts";
import { parseSeccompProfile } from "../kernel/seccomp-profile.ts";
import type { LinuxResources, LinuxSpec, Process, RuntimeSpec, SeccompProfile } from "../spec/spec.ts";
import { defaultMaskedPaths, defaultReadonlyPaths } from "./default-masks.ts";
import type { ContainerDevices } from "./devices.ts";
import { containerEnvironment } from "./environment.ts";
import { containerNamespaces } from "./namespaces.ts";
import type { RuntimeOptions, StartRequest } from "./runtime.ts";
import { type SecurityOptions, securityOptions } from "./security-options.ts";
import { containerMounts } from "./spec-mounts.ts";
import { resourceLimits } from "./ulimits.ts";
import type { ResolvedUser } from "./users.ts";

export interface SpecInput {
  readonly request: StartRequest;
  readonly options: RuntimeOptions;
  readonly facts: HostFacts;
  readonly execRoot: string;
  readonly user: ResolvedUser;
  readonly devices: ContainerDevices;
  readonly resources: LinuxResources;
  /** The profile that the daemon has loaded for containers that name none. */
  readonly apparmorProfile?: string;
}

/** Whoever leaves the usual masks in place has this machine's per-CPU ones too, of which a record knows nothing. */
function masksOf(given: readonly string[] | null | undefined, facts: HostFacts): string[] {
  const masks = given ?? defaultMaskedPaths;
  return defaultMaskedPaths.every((path) => masks.includes(path)) ? [...new Set([...masks, ...facts.thermalPaths])] : [...masks];
}

function seccompOf(
  security: SecurityOptions,
  privileged: boolean,
  capabilities: readonly string[],
  facts: HostFacts,
): SeccompProfile | undefined {
  if (security.seccomp === "unconfined" || (privileged && security.seccomp === "default")) return undefined;
  if (security.seccomp === "default") return facts.seccomp ? defaultSeccomp(capabilities, facts.architecture, facts.release) : undefined;
  return parseSeccompProfile(security.seccomp, capabilities, facts.architecture, facts.release);
}

function sysctls(request: StartRequest, facts: HostFacts): Record<string, string> {
  const result: Record<string, string> = {};
  if (request.network.namespace === "private") {
    // So that programs without capabilities can ping and listen on port 80: nobody else is in this namespace.
    if (facts.pingGroupRange) result["net.ipv4.ping_group_range"] = "0 2147483647";
    if (facts.unprivilegedPortStart) result["net.ipv4.ip_unprivileged_port_start"] = "0";
  }
  return { ...result, ...(request.hostConfig.Sysctls ?? {}) };
}

function apparmorOf(security: SecurityOptions, privileged: boolean, input: SpecInput): string | undefined {
  if (!input.facts.apparmor) return undefined;
  if (security.apparmor !== undefined && security.apparmor !== "") return security.apparmor;
  return privileged ? "unconfined" : input.apparmorProfile;
}

function processOf(input: SpecInput, security: SecurityOptions, capabilities: string[]): Process {
  const { request, user, options } = input;
  const { config, hostConfig } = request;
  const tty = config.Tty === true;
  const [rows = 0, columns = 0] = request.consoleSize ?? [];
  const limits = resourceLimits(hostConfig.Ulimits ?? [], [...(options.ulimits ?? [])]);
  const apparmor = apparmorOf(security, hostConfig.Privileged === true, input);
  return {
    ...(tty ? { terminal: true } : {}),
    ...(tty && rows > 0 && columns > 0 ? { consoleSize: { height: rows, width: columns } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: [...user.groups] },
    args: [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])],
    env: containerEnvironment({ env: config.Env ?? [], hostname: request.hostname, tty }),
    cwd: workingDirectory(config.WorkingDir),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities, inheritable: [], ambient: [] },
    ...(limits.length > 0 ? { rlimits: limits } : {}),
    noNewPrivileges: security.noNewPrivileges,
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

/** Absolute and clean; "" is the root. */
export function workingDirectory(directory: string | undefined): string {
  const clean = normalize(`/${directory ?? ""}`);
  return clean.length > 1 ? clean.replace(/\/+$/, "") : clean;
}

/** `<parent>/<id>`, below the root of each hierarchy. */
export function cgroupPath(request: StartRequest, options: RuntimeOptions): string {
  return join(cgroupParentPath(request.hostConfig.CgroupParent || options.cgroupParent || "/berth"), request.containerId);
}

function rootPropagation(mounts: RuntimeSpec["mounts"]): string | undefined {
  const words = new Set(mounts.flatMap(({ options }) => options ?? []));
  if (words.has("shared") || words.has("rshared")) return "shared";
  return words.has("slave") || words.has("rslave") ? "slave" : undefined;
}

function linuxOf(input: SpecInput, security: SecurityOptions, capabilities: readonly string[], mounts: RuntimeSpec["mounts"]): LinuxSpec {
  const { request, options, facts } = input;
  const { hostConfig } = request;
  const privileged = hostConfig.Privileged === true;
  const isOpen = privileged || security.systemPathsUnconfined;
  const masked = isOpen ? [] : masksOf(hostConfig.MaskedPaths, facts);
  const readOnly = isOpen ? [] : [...(hostConfig.ReadonlyPaths ?? defaultReadonlyPaths)];
  const propagation = rootPropagation(mounts);
  const seccomp = seccompOf(security, privileged, capabilities, facts);
  return {
    namespaces: containerNamespaces(request, options, facts.cgroups.version),
    ...(input.devices.nodes.length > 0 ? { devices: [...input.devices.nodes] } : {}),
    cgroupsPath: cgroupPath(request, options),
    resources: input.resources,
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...(seccomp === undefined ? {} : { seccomp }),
    sysctl: sysctls(request, facts),
    maskedPaths: masked,
    readonlyPaths: readOnly,
  };
}

/** Kept for exec sessions as another user, who gets these groups too. */
const groupAddAnnotation = "dev.berth.group-add";

/** `--group-add` of the container, as the user gave it. */
export function groupsAdded(spec: RuntimeSpec): string[] {
  const text = spec.annotations?.[groupAddAnnotation];
  const value: unknown = text === undefined ? [] : JSON.parse(text);
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

/** @throws InvalidParameter with Docker's wording */
export function containerSpec(input: SpecInput): RuntimeSpec {
  const { request, options, facts } = input;
  const { config, hostConfig } = request;
  const security = securityOptions(hostConfig, { noNewPrivileges: options.noNewPrivileges === true });
  const capabilities = resolveCapabilities({
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    privileged: hostConfig.Privileged === true,
    known: facts.capabilities,
  });
  const mounts = containerMounts(request, options, security, input);
  const ownUts = hostConfig.UTSMode !== "host";
  return {
    ociVersion: "1.2.0",
    process: processOf(input, security, capabilities),
    root: { path: join(request.statePath, "rootfs"), readonly: hostConfig.ReadonlyRootfs === true },
    ...(ownUts && request.hostname !== "" ? { hostname: request.hostname } : {}),
    ...(ownUts && config.Domainname ? { domainname: config.Domainname } : {}),
    mounts,
    annotations: {
      ...(hostConfig.Annotations ?? {}),
      ...(hostConfig.GroupAdd?.length ? { [groupAddAnnotation]: JSON.stringify(hostConfig.GroupAdd) } : {}),
    },
    linux: linuxOf(input, security, capabilities, mounts),
  };
}
