/** Whose host a host is, as far as its name tells. */
import { isIP } from "node:net";
import { inSubnet } from "./proxies.ts";

/** Second levels below which countries register names: `example.co.uk`. */
const secondLevels: readonly string[] = ["ac", "co", "com", "edu", "gov", "net", "ne", "or", "org"];

/** The part of a name that somebody has registered: `docker.io` of `auth.docker.io`. */
function siteOf(host: string): string {
  const labels = host.toLowerCase().replace(/\.$/, "").split(".");
  const [top = "", second = ""] = labels.toReversed();
  return labels.slice(top.length === 2 && secondLevels.includes(second) ? -3 : -2).join(".");
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "[::1]" || inSubnet(host, "127.0.0.0/8");

/** Hosts as URLs have them: one and the same, two below one registered name, or both this machine. */
export function isOfSameSite(one: string, other: string): boolean {
  if (one === other || (isLoopback(one) && isLoopback(other))) return true;
  const isName = (host: string): boolean => isIP(host) === 0 && !host.startsWith("[") && host.includes(".");
  return isName(one) && isName(other) && siteOf(one) === siteOf(other);
}
