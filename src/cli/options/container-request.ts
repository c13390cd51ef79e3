import { invalidParameter, messageOf } from "../../base/errors.ts";
import type { ContainerConfig, ContainerCreateRequest, EndpointSettings, HealthConfig } from "../../spec/spec.ts";
import { RunError } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { readEnvironment, readLabels } from "./files.ts";
import { hostConfig } from "./host-config.ts";
import { endpointSettings, isMac, isUserDefined, parseNetwork } from "./networks.ts";
import { parsePorts } from "./ports.ts";
import { parseVolumes } from "./volumes.ts";

/** Which of the caller's streams go to the container. */
export interface AttachedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

function attached(flags: FlagValues): AttachedStreams {
  const named = flags.list("attach");
  if (named.length > 0) {
    // Somebody who asks for interaction wants to see what is answered.
    const stdin = named.includes("stdin");
    return { stdin, stdout: named.includes("stdout"), stderr: named.includes("stderr") };
  }
  return { stdin: flags.bool("interactive"), stdout: true, stderr: true };
}

function health(flags: FlagValues): HealthConfig | undefined {
  const names = ["interval", "timeout", "start-period", "start-interval", "retries"].map((name) => `health-${name}`);
  const given = flags.string("health-cmd") !== "" || names.some((name) => flags.changed(name));
  if (flags.bool("no-healthcheck")) {
    if (given) throw invalidParameter("--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if (!given) return undefined;
  const nanos = (name: string): number => {
    const value = flags.changed(name) ? flags.number(name) : 0;
    if (value < 0) throw invalidParameter(`--${name} cannot be negative`);
    return value;
  };
  const retries = flags.number("health-retries");
  if (retries < 0) throw invalidParameter("--health-retries cannot be negative");
  const command = flags.string("health-cmd");
  return {
    ...(command === "" ? {} : { Test: ["CMD-SHELL", command] }),
    Interval: nanos("health-interval"),
    Timeout: nanos("health-timeout"),
    StartPeriod: nanos("health-start-period"),
    StartInterval: nanos("health-start-interval"),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}

/** Endpoint settings by network; the flags without a network belong to the first one. */
function endpoints(flags: FlagValues): { mode: string; settings: Record<string, EndpointSettings> } {
  const attachments = flags.list("network").map(parseNetwork);
  const first = attachments[0] ?? parseNetwork("default");
  const links = flags.list("link");
  const aliases = flags.list("network-alias");
  const clash = (flag: string, what: string): Error =>
    invalidParameter(`conflicting options: cannot specify both --${flag} and per-network ${what}`);
  if (aliases.length > 0 && first.aliases.length > 0) throw clash("network-alias", "alias");
  if (links.length > 0 && first.links.length > 0) throw clash("link", "links");
  if (flags.string("ip") !== "" && first.ipv4 !== "") throw clash("ip", "IPv4 address");
  if (flags.string("ip6") !== "" && first.ipv6 !== "") throw clash("ip6", "IPv6 address");
  if (flags.string("mac-address") !== "" && first.mac !== "") throw clash("mac-address", "MAC address");
  if (flags.list("link-local-ip").length > 0 && first.linkLocal.length > 0) throw clash("link-local-ip", "link-local IP addresses");
  first.aliases.push(...aliases);
  // On the default network a link is the container's, not the endpoint's.
  if (isUserDefined(first.target)) first.links.push(...links);
  first.ipv4 ||= flags.string("ip");
  first.ipv6 ||= flags.string("ip6");
  first.mac ||= flags.string("mac-address");
  first.linkLocal.push(...flags.list("link-local-ip"));
  const settings: Record<string, EndpointSettings> = {};
  for (const attachment of attachments.length === 0 ? [first] : attachments) {
    if (settings[attachment.target] !== undefined)
      throw invalidParameter(`network ${JSON.stringify(attachment.target)} is specified multiple times`);
    const endpoint = endpointSettings(attachment);
    // A plain name is the network mode alone; Docker's client does name the default network.
    if (attachments.length !== 1 || Object.keys(endpoint).length > 0) settings[attachment.target] = endpoint;
  }
  if (new Set(attachments.map(({ target }) => isUserDefined(target))).size > 1)
    throw invalidParameter("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  return { mode: first.target, settings };
}

function containerConfig(flags: FlagValues, image: string, command: readonly string[]): ContainerConfig {
  const streams = attached(flags);
  const detached = flags.has("detach") && flags.bool("detach");
  const healthcheck = health(flags);
  const entrypoint = flags.string("entrypoint");
  return {
    Hostname: flags.string("hostname"),
    Domainname: flags.string("domainname"),
    User: flags.string("user"),
    AttachStdin: streams.stdin && !detached,
    AttachStdout: streams.stdout && !detached,
    AttachStderr: streams.stderr && !detached,
    Tty: flags.bool("tty"),
    OpenStdin: flags.bool("interactive"),
    StdinOnce: flags.bool("interactive") && streams.stdin && !detached,
    Env: readEnvironment(flags.list("env-file"), flags.list("env")),
    ...(command.length === 0 ? {} : { Cmd: [...command] }),
    Image: image,
    WorkingDir: flags.string("workdir"),
    // An empty one takes the image's away.
    ...(flags.changed("entrypoint") ? { Entrypoint: [entrypoint] } : {}),
    Labels: readLabels(flags.list("label-file"), flags.list("label")),
    ...(flags.changed("stop-signal") ? { StopSignal: flags.string("stop-signal") } : {}),
    ...(flags.changed("stop-timeout") ? { StopTimeout: flags.number("stop-timeout") } : {}),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
  };
}

function checkTogether(flags: FlagValues): void {
  for (const name of ["cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops"])
    if (flags.changed(name))
      throw invalidParameter(`"--${name}" is only supported on a daemon running on windows, but the Berth daemon is running on linux`);
  const pull = flags.string("pull");
  if (!["", "always", "missing", "never"].includes(pull))
    throw invalidParameter(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
  const swappiness = flags.number("memory-swappiness");
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    throw invalidParameter(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  const mac = flags.string("mac-address");
  if (mac !== "" && !isMac(mac)) throw invalidParameter(`${mac} is not a valid mac address`);
  const restart = flags.string("restart");
  if (flags.bool("rm") && !["", "no"].includes(restart))
    throw invalidParameter("conflicting options: cannot specify both --restart and --rm");
}

/**
 * The request that `run` and `create` send for what was typed.
 * @throws RunError with Docker's wording: what was typed is refused with a pointer to the help, what the daemon refuses without
 */
export function containerRequest(flags: FlagValues, image: string, command: readonly string[]): ContainerCreateRequest {
  try {
    checkTogether(flags);
    const ports = parsePorts(flags.list("publish"), flags.list("expose"));
    const volumes = parseVolumes(flags.list("volume"));
    const { mode, settings } = endpoints(flags);
    return {
      ...containerConfig(flags, image, command),
      ExposedPorts: ports.exposed,
      Volumes: volumes.anonymous,
      HostConfig: hostConfig(flags, { binds: volumes.binds, bindings: ports.bindings, networkMode: mode }),
      NetworkingConfig: { EndpointsConfig: settings },
    };
  } catch (error) {
    throw new RunError(messageOf(error));
  }
}
