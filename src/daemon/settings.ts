/** What an administrator can set, by flags and daemon.json in dockerd's names: read, merged and checked. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { isLevel, type Level, type LogFormat, messageOf, parseBytes, parseDuration } from "../base/base.ts";
import { type CollectPolicy, parseCollectPolicy } from "../images/images.ts";
import { checkLogConfig, logDrivers } from "../logs/driver.ts";
import { type ImagePolicy, parsePolicy } from "../trust/trust.ts";
import { readConfigFile } from "./config-file.ts";
import { flags } from "./flag-table.ts";
import {
  type AddressPool,
  type BridgeAddresses6,
  checkBridgeAddresses6,
  type DefaultNetworkOptions,
  parseDefaultNetworkOptions,
  parsePool,
} from "./network-flags.ts";
import { parseFlags, UsageError, type Value, type Values } from "./parse-flags.ts";

export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/** Everything that an administrator can set, checked. */
export interface Settings {
  readonly hosts: readonly string[];
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  readonly configFile: string;
  readonly group: string | undefined;
  readonly logLevel: Level;
  readonly logFormat: LogFormat;
  readonly debug: boolean;
  readonly storageDriver: "erofs" | "overlay2" | undefined;
  readonly cgroupParent: string | undefined;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly labels: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly tokenServers: readonly string[];
  /** daemon.json's `mirrors`: URLs by the host of a registry. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  readonly proxies: ProxySettings;
  readonly shutdownTimeoutSeconds: number;
  /** `--metrics-addr`, as it was given. */
  readonly metricsAddress: string | undefined;
  /** `--registry`, as it was given. */
  readonly registryAddress: string | undefined;
  readonly imageCollection: { readonly policy: CollectPolicy; readonly intervalMs: number };
  /** daemon.json's `image-policy`. */
  readonly imagePolicy: ImagePolicy;
  readonly transfers: TransferLimits;
  /** daemon.json's `features`. */
  readonly features: Readonly<Record<string, boolean>>;
  readonly tls: TlsSettings | undefined;
  readonly network: NetworkSettings;
  readonly containers: ContainerDefaults;
}

/** In place of the environment's. */
export interface ProxySettings {
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly noProxy: string | undefined;
}

export interface TransferLimits {
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  readonly maxDownloadAttempts: number;
}

export interface TlsSettings {
  readonly verify: boolean;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface NetworkSettings extends BridgeAddresses6 {
  readonly bridge: string | undefined;
  readonly bip: string | undefined;
  readonly fixedCidr: string | undefined;
  readonly defaultGateway: string | undefined;
  readonly mtu: number | undefined;
  readonly addressPools: readonly AddressPool[];
  readonly defaultNetworkOptions: DefaultNetworkOptions;
  readonly ipv6: boolean;
  readonly icc: boolean;
  readonly allowDirectRouting: boolean;
  readonly ipForward: boolean;
  readonly ipMasq: boolean;
  readonly publishAddress: string | undefined;
  readonly defaultPublishAddress: string | undefined;
  readonly publishMode: "forward" | "input" | undefined;
  readonly hostGateways: readonly string[] | undefined;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
}

/** What containers get that do not say otherwise. */
export interface ContainerDefaults {
  readonly init: boolean;
  readonly shmSizeBytes: number | undefined;
  readonly noNewPrivileges: boolean;
  readonly pidsLimit: number | undefined;
  /** Microseconds, of all containers together. */
  readonly realtimePeriod: number | undefined;
  readonly realtimeRuntime: number | undefined;
  readonly cgroupNamespace: "private" | "host" | undefined;
  readonly ulimits: readonly Ulimit[];
}

export type Command = { readonly run: "help" | "version" } | { readonly run: "validate" | "daemon"; readonly settings: Settings };

/** What dockerd calls them when they are wrong. */
const numberNames: Readonly<Record<string, string>> = {
  mtu: "default MTU",
  "max-concurrent-downloads": "max concurrent downloads",
  "max-concurrent-uploads": "max concurrent uploads",
  "max-download-attempts": "max download attempts",
};

/** Reads a merged source of values by kind. */
class Reader {
  readonly #values: Values;

  constructor(values: Values) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#values.get(name);
    return typeof value === "boolean" ? value : fallback;
  }

  number(name: string): number | undefined {
    const value = this.#values.get(name);
    if (typeof value !== "number") return undefined;
    if (value < 0) throw new Error(`invalid ${numberNames[name] ?? name}: ${value}`);
    return value;
  }

  list(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }

  map(name: string): Readonly<Record<string, string>> {
    const value = this.#values.get(name);
    return typeof value === "object" && !Array.isArray(value) ? (value as Readonly<Record<string, string>>) : {};
  }

  path(name: string, fallback: string): string {
    const path = this.text(name) ?? fallback;
    return isAbsolute(path) ? path : resolve(path);
  }
}

function words(value: Value): readonly string[] {
  if (Array.isArray(value)) return value as readonly string[];
  if (typeof value === "object") return Object.entries(value).map(([key, entry]) => `${key}=${entry}`);
  return [String(value)];
}

/** @throws Error naming the first setting that cannot be honoured */
function refuseUnsupported(values: Values): void {
  for (const flag of flags) {
    const value = values.get(flag.name);
    if (value === undefined || flag.refuse === undefined) continue;
    for (const word of words(value)) {
      const why = flag.refuse(word);
      if (why !== undefined) throw new Error(`--${flag.name}=${word} cannot be honoured: ${why}`);
    }
  }
}

function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null) throw new Error(`invalid ulimit argument: ${text}`);
  const [, Name = "", soft = "", hard = soft] = match;
  if (Number(hard) !== -1 && (Number(soft) > Number(hard) || Number(soft) === -1)) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name, Soft: Number(soft), Hard: Number(hard) };
}

function parseLevel(reader: Reader): Level {
  if (reader.flag("debug", false)) return "debug";
  const given = reader.text("log-level") ?? "info";
  const text = ({ warning: "warn", trace: "debug", panic: "fatal" } as const)[given] ?? given;
  if (!isLevel(text)) throw new Error(`unable to parse logging level: ${text}`);
  return text;
}

function parseFormat(reader: Reader): LogFormat {
  const text = reader.text("log-format") ?? "text";
  if (text !== "text" && text !== "json") throw new Error(`unknown log format: ${text}`);
  return text;
}

function transfersOf(reader: Reader): TransferLimits {
  return {
    maxConcurrentDownloads: reader.number("max-concurrent-downloads") || 3,
    maxConcurrentUploads: reader.number("max-concurrent-uploads") || 5,
    maxDownloadAttempts: reader.number("max-download-attempts") || 5,
  };
}

/** @throws Error in dockerd's words */
function checkMirrors(mirrors: readonly string[]): readonly string[] {
  for (const mirror of mirrors) {
    if (!URL.canParse(mirror)) throw new Error(`invalid mirror: ${JSON.stringify(mirror)} is not a valid URI`);
    const { protocol, search, hash, username } = new URL(mirror);
    if (protocol !== "http:" && protocol !== "https:")
      throw new Error(`invalid mirror: unsupported scheme ${JSON.stringify(protocol.slice(0, -1))} in ${JSON.stringify(mirror)}`);
    if (search !== "" || hash !== "") throw new Error(`invalid mirror: unexpected query or fragment in ${JSON.stringify(mirror)}`);
    if (username !== "") throw new Error(`invalid mirror: username/password not allowed in URI ${JSON.stringify(mirror)}`);
  }
  return mirrors;
}

function mirrorsOf(reader: Reader): Readonly<Record<string, readonly string[]>> {
  const pairs = reader.list("mirrors").map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)] as const);
  checkMirrors(pairs.map(([, url]) => url));
  const byHost = Map.groupBy(pairs, ([host]) => host);
  return Object.fromEntries([...byHost].map(([host, found]) => [host, found.map(([, url]) => url)]));
}

function imageCollectionOf(reader: Reader): Settings["imageCollection"] {
  const word = (name: string): string => reader.text(`image-gc-${name}`) ?? "";
  const policy = parseCollectPolicy({
    "keep-storage": word("keep-storage"),
    "min-free": word("min-free"),
    "unused-for": word("unused-for"),
    pins: reader.list("image-gc-pin"),
  });
  const interval = parseDuration(word("interval") || "10m");
  if (interval === undefined || interval < 1e9) throw new Error(`invalid image-gc-interval: ${word("interval")}`);
  return { policy, intervalMs: Math.min(interval / 1e6, 2 ** 31 - 1) };
}

/** @throws Error that names what is wrong */
function imagePolicyOf(reader: Reader): ImagePolicy {
  return parsePolicy(JSON.parse(reader.text("image-policy") ?? "{}"), (path) => readFileSync(path, "utf8"));
}

function parseLabels(labels: readonly string[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const label of labels) {
    const mark = label.indexOf("=");
    if (mark === -1) throw new Error(`bad attribute format: ${label}`);
    const [key, value] = [label.slice(0, mark), label.slice(mark + 1)];
    const before = seen.get(key);
    if (before !== undefined && before !== value) throw new Error(`conflict labels for ${key}=${value} and ${key}=${before}`);
    seen.set(key, value);
  }
  return [...seen].map(([key, value]) => `${key}=${value}`);
}

function tlsOf(reader: Reader): TlsSettings | undefined {
  const verify = reader.flag("tlsverify", false);
  if (!verify && !reader.flag("tls", false)) return undefined;
  const folder = process.env["DOCKER_CERT_PATH"] ?? join(homedir(), ".docker");
  return {
    verify,
    ca: reader.path("tlscacert", join(folder, "ca.pem")),
    cert: reader.path("tlscert", join(folder, "cert.pem")),
    key: reader.path("tlskey", join(folder, "key.pem")),
  };
}

function parseHostGateways(entries: readonly string[]): string[] {
  const addresses = entries.flatMap((entry) => entry.split(","));
  const wrong = addresses.find((address) => isIP(address) === 0);
  if (wrong !== undefined) throw new Error(`invalid argument ${JSON.stringify(wrong)} for "--host-gateway-ip": is not an ip address`);
  for (const family of [4, 6]) {
    if (addresses.filter((address) => isIP(address) === family).length > 1)
      throw new Error(`--host-gateway-ip: only one IPv${family} host gateway IP address can be specified`);
  }
  return addresses;
}

function networkOf(reader: Reader): NetworkSettings {
  const addresses6 = {
    bip6: reader.text("bip6"),
    fixedCidrV6: reader.text("fixed-cidr-v6"),
    defaultGatewayV6: reader.text("default-gateway-v6"),
  };
  checkBridgeAddresses6(addresses6);
  const hostGateways = parseHostGateways(reader.list("host-gateway-ip"));
  return {
    bridge: reader.text("bridge"),
    bip: reader.text("bip"),
    fixedCidr: reader.text("fixed-cidr"),
    defaultGateway: reader.text("default-gateway"),
    mtu: reader.number("mtu") || undefined,
    addressPools: reader.list("default-address-pool").map(parsePool),
    defaultNetworkOptions: parseDefaultNetworkOptions(reader.list("default-network-opt")),
    ipv6: reader.flag("ipv6", false),
    icc: reader.flag("icc", true),
    allowDirectRouting: reader.flag("allow-direct-routing", false),
    ...addresses6,
    ipForward: reader.flag("ip-forward", true),
    ipMasq: reader.flag("ip-masq", true),
    publishAddress: reader.text("ip"),
    defaultPublishAddress: reader.text("default-publish-address"),
    publishMode: reader.text("publish-mode") as "forward" | "input" | undefined,
    hostGateways: hostGateways.length > 0 ? hostGateways : undefined,
    dns: reader.list("dns"),
    dnsOptions: reader.list("dns-opt"),
    dnsSearch: reader.list("dns-search"),
  };
}

function containersOf(reader: Reader): ContainerDefaults {
  const shmSize = reader.text("default-shm-size");
  return {
    init: reader.flag("init", false),
    shmSizeBytes: shmSize === undefined ? undefined : parseBytes(shmSize),
    noNewPrivileges: reader.flag("no-new-privileges", false),
    pidsLimit: reader.number("default-pids-limit"),
    realtimePeriod: reader.number("cpu-rt-period"),
    realtimeRuntime: reader.number("cpu-rt-runtime"),
    cgroupNamespace: reader.text("default-cgroupns-mode") as "private" | "host" | undefined,
    ulimits: reader.list("default-ulimit").map(parseUlimit),
  };
}

/** As Docker has it, options that a driver needs may be missing here: containers can bring them. */
function logOf(reader: Reader): { readonly logDriver: string; readonly logOptions: Readonly<Record<string, string>> } {
  const logDriver = reader.text("log-driver") ?? "json-file";
  const logOptions = reader.map("log-opt");
  try {
    if (Object.keys(logOptions).length > 0 || !logDrivers.includes(logDriver)) checkLogConfig(logDriver, logOptions);
  } catch (error) {
    throw new Error(`failed to set log opts: ${messageOf(error)}`, { cause: error });
  }
  return { logDriver, logOptions };
}

const socketOfDocker = "unix:///var/run/docker.sock";

function hostsOf(reader: Reader, execRoot: string): readonly string[] {
  const given = reader.list("host").map((host) => (host === "" ? `unix://${execRoot}/berth.sock` : host));
  const hosts = given.length > 0 ? given : [`unix://${execRoot}/berth.sock`];
  return [...new Set(reader.flag("docker-socket", false) ? [...hosts, socketOfDocker] : hosts)];
}

function settingsOf(values: Values, configFile: string): Settings {
  refuseUnsupported(values);
  const reader = new Reader(values);
  const execRoot = reader.path("exec-root", "/run/berth");
  return {
    hosts: hostsOf(reader, execRoot),
    dataRoot: reader.path("data-root", "/var/lib/berth"),
    execRoot,
    pidFile: reader.path("pidfile", join(execRoot, "berthd.pid")),
    configFile,
    group: reader.text("group"),
    logLevel: parseLevel(reader),
    logFormat: parseFormat(reader),
    debug: reader.flag("debug", false),
    storageDriver: reader.text("storage-driver") as "erofs" | "overlay2" | undefined,
    cgroupParent: reader.text("cgroup-parent"),
    ...logOf(reader),
    labels: parseLabels(reader.list("label")),
    insecureRegistries: reader.list("insecure-registry"),
    registryMirrors: checkMirrors(reader.list("registry-mirror")),
    tokenServers: reader.list("token-server"),
    mirrors: mirrorsOf(reader),
    proxies: { httpProxy: reader.text("http-proxy"), httpsProxy: reader.text("https-proxy"), noProxy: reader.text("no-proxy") },
    shutdownTimeoutSeconds: reader.number("shutdown-timeout") ?? 15,
    metricsAddress: reader.text("metrics-addr"),
    registryAddress: reader.text("registry"),
    imageCollection: imageCollectionOf(reader),
    imagePolicy: imagePolicyOf(reader),
    transfers: transfersOf(reader),
    features: Object.fromEntries(Object.entries(reader.map("features")).map(([name, value]) => [name, value === "true"])),
    tls: tlsOf(reader),
    network: networkOf(reader),
    containers: containersOf(reader),
  };
}

const defaultConfigFile = "/etc/berth/daemon.json";

/**
 * What the command line asks for.
 * @throws UsageError for a command line that dockerd would not take either; Error for settings that are wrong
 */
export function readCommand(args: readonly string[]): Command {
  const given = parseFlags(args);
  if (given.get("help") === true) return { run: "help" };
  if (given.get("version") === true) return { run: "version" };
  const { settings } = readSettings(given);
  return { run: given.get("validate") === true ? "validate" : "daemon", settings };
}

function readSettings(given: Values): { readonly settings: Settings; readonly inFile: ReadonlySet<string> } {
  const named = given.get("config-file");
  const configFile = typeof named === "string" ? resolve(named) : defaultConfigFile;
  const fromFile = readConfigFile(configFile, named !== undefined, given);
  return { settings: settingsOf(new Map([...fromFile, ...given]), configFile), inFile: new Set(fromFile.keys()) };
}

/**
 * The settings after a SIGHUP: the configuration file is read again, and what dockerd takes over while it runs is taken
 * over. What the file does not name stays as it is, but for the limits of transfers, which go back to their defaults.
 * @throws Error when the file is wrong; nothing changes then
 */
export function reloadSettings(args: readonly string[], current: Settings): Settings {
  const { settings: next, inFile } = readSettings(parseFlags(args));
  const has = (name: string): boolean => inFile.has(name);
  const verbosity = has("debug") || has("log-level") ? { debug: next.debug, logLevel: next.logLevel } : {};
  return {
    ...current,
    ...verbosity,
    transfers: next.transfers,
    ...(has("label") ? { labels: next.labels } : {}),
    ...(has("insecure-registry") ? { insecureRegistries: next.insecureRegistries } : {}),
    ...(has("registry-mirror") ? { registryMirrors: next.registryMirrors } : {}),
    ...(has("token-server") ? { tokenServers: next.tokenServers } : {}),
    ...(has("mirrors") ? { mirrors: next.mirrors } : {}),
    ...(has("image-gc") ? { imageCollection: next.imageCollection } : {}),
    ...(has("image-policy") ? { imagePolicy: next.imagePolicy } : {}),
    ...(has("shutdown-timeout") ? { shutdownTimeoutSeconds: next.shutdownTimeoutSeconds } : {}),
    ...(has("features") ? { features: next.features } : {}),
    containers: {
      ...current.containers,
      ...(has("default-shm-size") ? { shmSizeBytes: next.containers.shmSizeBytes } : {}),
      ...(has("default-cgroupns-mode") ? { cgroupNamespace: next.containers.cgroupNamespace } : {}),
    },
  };
}

/** The attributes of the event `daemon reload`, dockerd's. */
export function reloadAttributes(settings: Settings, cgroupNamespace: "private" | "host"): Readonly<Record<string, string>> {
  const features = Object.entries(settings.features).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    debug: String(settings.debug),
    "default-cgroupns-mode": cgroupNamespace,
    "default-ipc-mode": "private",
    "default-runtime": "runc",
    "default-shm-size": String(settings.containers.shmSizeBytes ?? 64 * 1024 * 1024),
    features: `map[${features.map(([name, value]) => `${name}:${value}`).join(" ")}]`,
    "insecure-registries": JSON.stringify(settings.insecureRegistries),
    labels: JSON.stringify(settings.labels),
    "live-restore": "true",
    "max-concurrent-downloads": String(settings.transfers.maxConcurrentDownloads),
    "max-concurrent-uploads": String(settings.transfers.maxConcurrentUploads),
    "max-download-attempts": String(settings.transfers.maxDownloadAttempts),
    "network-diagnostic-port": "0",
    "registry-mirrors": JSON.stringify(settings.registryMirrors),
    runtimes: "runc:runc",
    "shutdown-timeout": String(settings.shutdownTimeoutSeconds),
  };
}

/** What to print of a failure of {@link readCommand}, and the exit code. */
export function explainRefusal(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof UsageError) return { text: `${error.message}\nSee 'berthd --help'.`, exitCode: 125 };
  return { text: messageOf(error), exitCode: 1 };
}
