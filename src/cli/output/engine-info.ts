import type { SystemInfo } from "../../spec/spec.ts";

/** A size in powers of 1024, as Docker shows memory: `7.7GiB`. */
export function formatBinarySize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

type Lines = string[];

function counts(info: SystemInfo, out: Lines): void {
  out.push(`Containers: ${info.Containers ?? 0}`);
  out.push(
    ` Running: ${info.ContainersRunning ?? 0}`,
    ` Paused: ${info.ContainersPaused ?? 0}`,
    ` Stopped: ${info.ContainersStopped ?? 0}`,
  );
  out.push(`Images: ${info.Images ?? 0}`);
}

function storage(info: SystemInfo, out: Lines): void {
  if (info.ServerVersion !== undefined) out.push(`Server Version: ${info.ServerVersion}`);
  out.push(`Storage Driver: ${info.Driver ?? ""}`);
  for (const [key = "", value = ""] of info.DriverStatus ?? []) out.push(` ${key}: ${value}`);
  if ((info.LoggingDriver ?? "") !== "") out.push(`Logging Driver: ${info.LoggingDriver}`);
  if ((info.CgroupDriver ?? "") !== "") out.push(`Cgroup Driver: ${info.CgroupDriver}`);
  if ((info.CgroupVersion ?? "") !== "") out.push(`Cgroup Version: ${info.CgroupVersion}`);
}

function plugins(info: SystemInfo, out: Lines): void {
  out.push("Plugins:", ` Volume: ${(info.Plugins?.Volume ?? []).join(" ")}`, ` Network: ${(info.Plugins?.Network ?? []).join(" ")}`);
  if ((info.Plugins?.Authorization ?? []).length > 0) out.push(` Authorization: ${(info.Plugins?.Authorization ?? []).join(" ")}`);
  out.push(` Log: ${(info.Plugins?.Log ?? []).join(" ")}`);
  const cdi = info.CDISpecDirs ?? [];
  if (cdi.length > 0) out.push("CDI spec directories:", ...cdi.map((folder) => ` ${folder}`));
  out.push(`Swarm: ${info.Swarm?.LocalNodeState ?? "inactive"}`);
  const runtimes = Object.keys(info.Runtimes ?? {});
  if (runtimes.length > 0) out.push(`Runtimes: ${runtimes.sort().join(" ")}`, `Default Runtime: ${info.DefaultRuntime ?? ""}`);
}

function programs(info: SystemInfo, out: Lines): void {
  if (info.OSType !== "linux") return;
  out.push(`Init Binary: ${info.InitBinary ?? ""}`);
  for (const [name, commit] of [
    ["containerd", info.ContainerdCommit],
    ["runc", info.RuncCommit],
    ["init", info.InitCommit],
  ] as const)
    if ((commit?.ID ?? "") !== "") out.push(`${name} version: ${commit?.ID}`);
  const options = info.SecurityOptions ?? [];
  if (options.length === 0) return;
  out.push("Security Options:");
  for (const option of options) {
    const pairs = option.split(",").map((pair) => pair.split("="));
    out.push(` ${pairs.find(([key]) => key === "name")?.[1] ?? option}`);
    for (const [key = "", value = ""] of pairs) if (key !== "name") out.push(`  ${key === "profile" ? "Profile" : key}: ${value}`);
  }
}

function machine(info: SystemInfo, out: Lines): void {
  for (const [label, value] of [
    ["Kernel Version", info.KernelVersion],
    ["Operating System", info.OperatingSystem],
    ["OSType", info.OSType],
    ["Architecture", info.Architecture],
  ] as const)
    if ((value ?? "") !== "") out.push(`${label}: ${value}`);
  out.push(`CPUs: ${info.NCPU ?? 0}`, `Total Memory: ${formatBinarySize(info.MemTotal ?? 0)}`);
  if ((info.Name ?? "") !== "") out.push(`Name: ${info.Name}`);
  if ((info.ID ?? "") !== "") out.push(`ID: ${info.ID}`);
  out.push(`Docker Root Dir: ${info.DockerRootDir ?? ""}`, `Debug Mode: ${info.Debug ?? false}`);
  if (info.Debug === true)
    out.push(
      ` File Descriptors: ${info.NFd ?? 0}`,
      ` Goroutines: ${info.NGoroutines ?? 0}`,
      ` System Time: ${info.SystemTime ?? ""}`,
      ` EventsListeners: ${info.NEventsListener ?? 0}`,
    );
  for (const [label, value] of [
    ["HTTP Proxy", info.HttpProxy],
    ["HTTPS Proxy", info.HttpsProxy],
    ["No Proxy", info.NoProxy],
  ] as const)
    if ((value ?? "") !== "") out.push(`${label}: ${value}`);
}

function rest(info: SystemInfo, out: Lines): void {
  if ((info.Labels ?? []).length > 0) out.push("Labels:", ...(info.Labels ?? []).map((label) => ` ${label}`));
  out.push(`Experimental: ${info.ExperimentalBuild ?? false}`);
  const registries = info.RegistryConfig?.InsecureRegistryCIDRs ?? [];
  if (registries.length > 0) out.push("Insecure Registries:", ...registries.map((registry) => ` ${registry}`));
  const mirrors = info.RegistryConfig?.Mirrors ?? [];
  if (mirrors.length > 0) out.push("Registry Mirrors:", ...mirrors.map((mirror) => ` ${mirror}`));
  out.push(`Live Restore Enabled: ${info.LiveRestoreEnabled ?? false}`);
  if ((info.ProductLicense ?? "") !== "") out.push(`Product License: ${info.ProductLicense}`);
  if ((info.FirewallBackend?.Driver ?? "") !== "") out.push(`Firewall Backend: ${info.FirewallBackend?.Driver}`);
}

/** The server's half of `info`, one fact a line, indented by one. */
export function infoText(info: SystemInfo): string {
  const out: Lines = [];
  for (const part of [counts, storage, plugins, programs, machine, rest]) part(info, out);
  return `${out.map((line) => ` ${line}\n`).join("")}\n`;
}
