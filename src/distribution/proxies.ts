/** Which proxy leads to a host: Go's golang.org/x/net/http/httpproxy, as Docker applies it. */
import { BlockList, isIP } from "node:net";

export interface ProxySettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
}

export function proxiesOfEnvironment(environment: NodeJS.ProcessEnv = process.env): ProxySettings {
  const value = (name: string): string => environment[name] ?? environment[name.toLowerCase()] ?? "";
  return { httpProxy: value("HTTP_PROXY"), httpsProxy: value("HTTPS_PROXY"), noProxy: value("NO_PROXY") };
}

/** The proxy's URL for `url`, or undefined for none. The loopback is never asked for by way of a proxy. */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
  const proxy = url.protocol === "https:" ? settings.httpsProxy : settings.httpProxy;
  if (proxy === undefined || proxy === "" || !usesProxy(url, settings.noProxy ?? "")) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function usesProxy(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  if (host === "localhost" || inSubnet(host, "127.0.0.0/8") || host === "::1") return false;
  return !noProxy.split(",").some((entry) => matches(entry.trim().toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  if (entry.includes("/")) return inSubnet(host, entry);
  const [, name = entry, wanted] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
  if (wanted !== undefined && wanted !== port) return false;
  const bare = name.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0) return bare === host;
  // `example.com` and its subdomains; `.example.com` and `*.example.com` the subdomains only.
  const suffix = bare.replace(/^\*/, "");
  return suffix.startsWith(".") ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

/** True when `address` is an IP address in `subnet` (CIDR); false for anything that is neither. */
export function inSubnet(address: string, subnet: string): boolean {
  const [network = "", bits = ""] = subnet.split("/");
  const family = isIP(network);
  if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, Number(bits), type);
  return list.check(address, type);
}
