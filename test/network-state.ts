/** What networks leave on a host: links, addresses, routes, firewall, forwarding. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const lines = (file: string, ...args: string[]): string[] =>
  execFileSync(file, args, { encoding: "utf8", maxBuffer: 1 << 28 })
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The ruleset with the elements of each set in order: the kernel lists them as its hash tables have them. */
function ruleset(): string[] {
  const text = lines("nft", "-s", "list", "ruleset").join("\n");
  return text
    .replace(/elements = \{([^}]*)\}/g, (_, list: string) => {
      const elements = list.split(",").map((element) => element.replace(/\s+/g, " ").trim());
      return `elements = { ${elements.sort().join(", ")} }`;
    })
    .split("\n");
}

/** As sorted lines; two states are the same when nothing was left in between. Names of veth pairs are left out: they are made up anew. */
export function networkState(): Record<string, string[]> {
  const settings = ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"];
  return {
    links: lines("ip", "-o", "link")
      .map((line) => line.split(": ")[1] ?? line)
      .sort(),
    addresses: lines("ip", "-o", "addr")
      .map((line) => line.replace(/^\d+: |\\.*$/g, "").replace(/\s+/g, " "))
      .filter((line) => !/ fe80:/.test(line))
      .sort(),
    routes: [...lines("ip", "route", "show", "table", "all"), ...lines("ip", "-6", "route", "show", "table", "all")]
      .filter((line) => !/fe80:|ff00::|^multicast|anycast/.test(line))
      .map((line) => line.replace(/ (linkdown|pref medium)/g, ""))
      .sort(),
    ruleset: ruleset(),
    settings: settings.map((name) => `${name} ${readFileSync(`/proc/sys/net/${name}`, "utf8").trim()}`),
  };
}
