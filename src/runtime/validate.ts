/** Everything that can be said of a configuration before anything is made. */
import { invalidParameter } from "../base/base.ts";
import { resolveCapabilities } from "../kernel/capabilities.ts";
import { cgroupParentPath } from "../kernel/cgroups.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import { compileSeccomp } from "../kernel/seccomp.ts";
import { parseSeccompProfile } from "../kernel/seccomp-profile.ts";
import { parseSignal } from "../kernel/signals.ts";
import type { ContainerConfig, HostConfig } from "../spec/spec.ts";
import { checkResources } from "./check-resources.ts";
import { checkDevices } from "./devices.ts";
import { checkNamespaces, ipcMode } from "./namespaces.ts";
import { securityOptions } from "./security-options.ts";
import { checkSysctl } from "./sysctls.ts";
import { resourceLimits } from "./ulimits.ts";
import { checkUserSyntax } from "./users.ts";

function checkSecurity(hostConfig: HostConfig, facts: HostFacts): string[] {
  const security = securityOptions(hostConfig, { noNewPrivileges: false });
  const capabilities = resolveCapabilities({
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    privileged: hostConfig.Privileged === true,
    known: facts.capabilities,
  });
  const isProfile = security.seccomp !== "default" && security.seccomp !== "unconfined";
  if (isProfile) {
    if (!facts.seccomp) throw invalidParameter("seccomp is not enabled in your kernel, cannot run a custom seccomp profile");
    compileSeccomp(parseSeccompProfile(security.seccomp, capabilities, facts.architecture, facts.release), facts.architecture);
  }
  if (security.apparmor !== undefined && !facts.apparmor && security.apparmor !== "unconfined" && security.apparmor !== "")
    throw invalidParameter("invalid apparmor option: AppArmor is not enabled on this system");
  return [];
}

/** At the start: Docker leaves it to the runtime. @throws InvalidParameter */
export function checkSysctls(hostConfig: HostConfig): void {
  const own = {
    ipc: ipcMode(hostConfig) !== "host",
    network: hostConfig.NetworkMode !== "host",
    uts: hostConfig.UTSMode !== "host",
  };
  for (const key of Object.keys(hostConfig.Sysctls ?? {})) checkSysctl(key, own);
}

/** What execve, the kernel's files and our frames cannot carry. */
function checkText(config: ContainerConfig): void {
  const texts = [
    ...(config.Env ?? []),
    ...(config.Cmd ?? []),
    ...(config.Entrypoint ?? []),
    config.WorkingDir ?? "",
    config.Hostname ?? "",
    config.Domainname ?? "",
  ];
  if (texts.some((text) => text.includes("\0"))) throw invalidParameter("invalid argument: a value contains a NUL byte");
  for (const entry of config.Env ?? [])
    if (entry === "" || entry.startsWith("=")) throw invalidParameter(`invalid environment variable: ${entry}`);
  if (config.WorkingDir && !config.WorkingDir.startsWith("/"))
    throw invalidParameter(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  const domain = config.Domainname ?? "";
  if (domain.length > 64) throw invalidParameter(`invalid domain name: ${JSON.stringify(domain)}: invalid argument`);
  const name = config.Hostname ?? "";
  if (name.length > 64 || /[/\s]/.test(name)) throw invalidParameter(`invalid hostname format: ${name}`);
}

/** PATH_MAX, with its NUL. */
const maxPathBytes = 4095;

/** Paths that are hidden from the container or made read-only in it. Those that are not there are passed over. */
function checkPaths(paths: readonly string[]): void {
  for (const path of paths)
    if (path.includes("\0") || Buffer.byteLength(path) > maxPathBytes) throw invalidParameter(`invalid path: ${JSON.stringify(path)}`);
}

/** Options of other systems and storage drivers. */
function checkForeign(hostConfig: HostConfig): void {
  const isolation: string = hostConfig.Isolation ?? "";
  if (isolation !== "" && isolation !== "default")
    throw invalidParameter(`Invalid isolation: ${JSON.stringify(isolation)} - linux only supports 'default'`);
  for (const option of Object.keys(hostConfig.StorageOpt ?? {})) {
    if (option.toLowerCase() !== "size") throw invalidParameter(`Unknown option ${option}`);
    throw invalidParameter("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  }
}

/** @returns warnings. @throws InvalidParameter in Docker's words */
export function validateContainer(config: ContainerConfig, hostConfig: HostConfig, facts: HostFacts): string[] {
  checkText(config);
  if (config.StopSignal) parseSignal(config.StopSignal);
  checkUserSyntax(config.User ?? "");
  checkNamespaces(hostConfig);
  cgroupParentPath(hostConfig.CgroupParent ?? "");
  checkDevices(hostConfig);
  checkForeign(hostConfig);
  checkPaths([...(hostConfig.MaskedPaths ?? []), ...(hostConfig.ReadonlyPaths ?? [])]);
  resourceLimits(hostConfig.Ulimits ?? [], []);
  return [...checkSecurity(hostConfig, facts), ...checkResources(hostConfig, facts)];
}
