/** The texts of a container's /etc/hosts and /etc/resolv.conf. */
import { readFile, stat } from "node:fs/promises";
import { invalidParameter } from "../base/base.ts";
import { familyOf } from "./addresses.ts";

export interface ResolverOptions {
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
}

interface Resolver {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** Used when the host names no resolver that a container can reach, as Docker does. */
const publicServers = ["8.8.8.8", "8.8.4.4"];
/** Where systemd-resolved keeps the real resolvers when /etc/resolv.conf names only its stub. */
const resolvedFile = "/run/systemd/resolve/resolv.conf";
const stub = "127.0.0.53";

function parseResolver(text: string): Resolver {
  const words = text.split("\n").map((line) =>
    line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/),
  );
  return {
    servers: words.filter(([key]) => key === "nameserver").flatMap(([, value]) => (value === undefined ? [] : [value])),
    // The last search or domain line counts: resolv.conf(5).
    search: words.findLast(([key]) => key === "search" || key === "domain")?.slice(1) ?? [],
    options: words.filter(([key]) => key === "options").flatMap(([, ...values]) => values),
  };
}

const texts = new Map<string, { readonly version: string; readonly text: string }>();

/** A small file of the host's, read again only when it has changed; "" when there is none. */
async function readText(path: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(path, { bigint: true });
    const version = `${ino} ${mtimeNs} ${size}`;
    const known = texts.get(path);
    if (known?.version === version) return known.text;
    const text = await readFile(path, "utf8");
    texts.set(path, { version, text });
    return text;
  } catch {
    return "";
  }
}

/** The host's own resolver configuration, behind systemd-resolved's stub if that is all there is. */
export async function readHostResolver(path = "/etc/resolv.conf"): Promise<string> {
  const text = await readText(path);
  const { servers } = parseResolver(text);
  if (servers.length === 0 || servers.some((server) => server !== stub)) return text;
  const real = await readText(resolvedFile);
  return real === "" ? text : real;
}

/** Without a host that other namespaces could not reach: on its loopback, and IPv6 where the container has none. */
function reachable(server: string): boolean {
  return familyOf(server) === 4 && !server.startsWith("127.");
}

/**
 * A container's resolv.conf. What the user gives replaces the host's; `--dns-search .` stands for none.
 * `ownNetwork` false: the container shares the host's network, so every resolver of the host serves.
 * @throws InvalidParameter for a `--dns` that is no address
 */
export function resolverText(hostText: string, options: ResolverOptions, ownNetwork: boolean): string {
  for (const server of options.dns) if (familyOf(server) === undefined) throw invalidParameter(`invalid IP address: ${server}`);
  const host = parseResolver(hostText);
  const changed = options.dns.length + options.dnsOptions.length + options.dnsSearch.length > 0;
  if (!ownNetwork && !changed) return hostText;
  const inherited = ownNetwork ? host.servers.filter(reachable) : host.servers;
  const fallback = inherited.length > 0 || !ownNetwork ? inherited : publicServers;
  const servers = options.dns.length > 0 ? options.dns : fallback;
  const search =
    options.dnsSearch.length > 0 ? options.dnsSearch.filter((name) => name !== ".") : host.search.filter((name) => name !== ".");
  const settings = options.dnsOptions.length > 0 ? options.dnsOptions : host.options;
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...(settings.length > 0 ? [`options ${settings.join(" ")}`] : []),
    "",
  ].join("\n");
}

/** `name:address` pairs of `--add-host`; the address may be IPv6. `gateway`: what `host-gateway` stands for. @throws InvalidParameter */
function extraLines(extraHosts: readonly string[], gateway: string | undefined): string[] {
  return extraHosts.map((text) => {
    const [, name = "", value = ""] = /^([^:]+):(.+)$/.exec(text) ?? [];
    const plain = value.replace(/^\[(.*)\]$/, "$1");
    const address = plain === "host-gateway" ? gateway : plain;
    if (address === undefined) throw invalidParameter("unable to derive the IP value for host-gateway");
    if (name === "" || familyOf(address) === undefined) throw invalidParameter(`bad format for add-host: ${JSON.stringify(text)}`);
    return `${address}\t${name}`;
  });
}

const standardHosts = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::0\tip6-localnet",
  "ff00::0\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** `hostname`, if it has a domain, is listed whole and by its first label. */
export function hostsText(options: {
  readonly extraHosts: readonly string[];
  readonly gateway?: string;
  readonly address?: string;
  readonly hostname: string;
}): string {
  const short = options.hostname.split(".", 1)[0] ?? "";
  const names = short === options.hostname ? short : `${options.hostname} ${short}`;
  const own = options.address === undefined ? [] : [`${options.address}\t${names}`];
  return [...standardHosts, ...extraLines(options.extraHosts, options.gateway), ...own, ""].join("\n");
}

/** In the host's network: the host's own file, with what the user adds. */
export async function hostHostsText(extraHosts: readonly string[], gateway: string | undefined): Promise<string> {
  const text = await readText("/etc/hosts");
  const lines = extraLines(extraHosts, gateway);
  if (lines.length === 0) return text;
  return `${text === "" || text.endsWith("\n") ? text : `${text}\n`}${lines.join("\n")}\n`;
}

/** Checks `--add-host` and `--dns` before anything is made. @throws InvalidParameter */
export function checkNames(extraHosts: readonly string[], options: ResolverOptions): void {
  extraLines(extraHosts, "0.0.0.0");
  resolverText("", options, true);
}
