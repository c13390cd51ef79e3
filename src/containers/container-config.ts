import { posix } from "node:path";
import { invalidParameter } from "../base/base.ts";
import type { ContainerConfig, ExecutionConfig } from "../spec/spec.ts";
import { checkHealthcheck, mergeHealthcheck } from "./health.ts";

const nameOfVariable = (entry: string): string => entry.split("=", 1)[0] ?? "";

/** The user's variables, then those of the image that the user did not set. */
function mergeEnv(user: readonly string[], image: readonly string[]): string[] {
  const named = new Set(user.map(nameOfVariable));
  return [...user, ...image.filter((entry) => !named.has(nameOfVariable(entry)))];
}

/** Entrypoint and command by Docker's rule: an own entrypoint drops the image's command. */
function mergeCommand(user: ContainerConfig, image: ExecutionConfig): { entrypoint: string[] | null; cmd: string[] | null } {
  let entrypoint: string[] | null = user.Entrypoint ?? null;
  let cmd: string[] | null = user.Cmd ?? null;
  if ((entrypoint?.length ?? 0) === 0) {
    if ((cmd?.length ?? 0) === 0) cmd = image.Cmd ?? cmd;
    if (entrypoint === null) entrypoint = image.Entrypoint ?? null;
  }
  if (entrypoint?.length === 1 && entrypoint[0] === "") entrypoint = null;
  return { entrypoint, cmd };
}

function union<T>(image: Record<string, T> | null | undefined, user: Record<string, T> | null | undefined): Record<string, T> | null {
  const merged = { ...(image ?? {}), ...(user ?? {}) };
  return Object.keys(merged).length === 0 ? null : merged;
}

function optional<T>(key: string, value: T | null | undefined): Record<string, T> {
  return value === undefined || value === null || value === "" || value === false ? {} : { [key]: value };
}

/**
 * The container's configuration: the request filled up from the image, in the order and with the null and
 * empty values that dockerd shows.
 * @throws InvalidParameter `no command specified`, and for values that Docker refuses
 */
export function mergeConfig(user: ContainerConfig, image: ExecutionConfig, hostname: string): ContainerConfig {
  const { entrypoint, cmd } = mergeCommand(user, image);
  if ((entrypoint?.length ?? 0) === 0 && (cmd?.length ?? 0) === 0) {
    throw invalidParameter("no command specified");
  }
  const ports = union(image.ExposedPorts as Record<string, unknown>, user.ExposedPorts);
  const config = {
    Hostname: user.Hostname || hostname,
    Domainname: user.Domainname ?? "",
    User: user.User || (image.User ?? ""),
    AttachStdin: user.AttachStdin ?? false,
    AttachStdout: user.AttachStdout ?? false,
    AttachStderr: user.AttachStderr ?? false,
    ...(ports === null ? {} : { ExposedPorts: ports }),
    Tty: user.Tty ?? false,
    OpenStdin: user.OpenStdin ?? false,
    StdinOnce: user.StdinOnce ?? false,
    Env: (user.Env?.length ?? 0) === 0 ? (image.Env ?? null) : mergeEnv(user.Env ?? [], image.Env ?? []),
    Cmd: cmd,
    ...optional("Healthcheck", mergeHealthcheck(user.Healthcheck, image.Healthcheck)),
    ...optional("ArgsEscaped", user.ArgsEscaped ?? image.ArgsEscaped),
    Image: user.Image ?? "",
    Volumes: union(image.Volumes as Record<string, unknown>, user.Volumes),
    WorkingDir: user.WorkingDir || (image.WorkingDir ?? ""),
    Entrypoint: entrypoint,
    ...optional("NetworkDisabled", user.NetworkDisabled),
    ...optional("MacAddress", user.MacAddress),
    OnBuild: user.OnBuild ?? null,
    Labels: { ...(image.Labels ?? {}), ...(user.Labels ?? {}) },
    ...optional("StopSignal", user.StopSignal || image.StopSignal),
    ...(typeof user.StopTimeout === "number" ? { StopTimeout: user.StopTimeout } : {}),
    ...optional("Shell", user.Shell ?? image.Shell),
  };
  return cleaned(config as unknown as ContainerConfig);
}

function cleaned(config: ContainerConfig): ContainerConfig {
  for (const entry of config.Env ?? []) {
    if (nameOfVariable(entry) === "") throw invalidParameter(`invalid environment variable: ${entry}`);
  }
  checkHealthcheck(config.Healthcheck);
  if (config.WorkingDir === undefined || config.WorkingDir === "") return config;
  if (!config.WorkingDir.startsWith("/")) {
    throw invalidParameter(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  return { ...config, WorkingDir: posix.normalize(config.WorkingDir).replace(/(?<=.)\/$/, "") };
}
