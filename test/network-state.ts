/** What networks leave on a host, beyond what `hostState` has: routes and the firewall's rules. */
import { execFileSync } from "node:child_process";

const lines = (file: string, ...args: string[]): string[] =>
  execFileSync(file, args, { encoding: "utf8", maxBuffer: 1 << 28 })
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The elements of each set in order: the kernel lists them as its hash tables have them. */
function ruleset(): string[] {
  const text = lines("nft", "-s", "list", "ruleset").join("\n");
  return text
    .replace(/elements = \{([^}]*)\}/g, (_, list: string) => {
      const elements = list.split(",").map((element) => element.replace(/\s+/g, " ").trim());
      return `elements = { ${elements.sort().join(", ")} }`;
    })
    .split("\n");
}

/** Two states are the same when nothing was left in between. */
export function networkState(): Record<string, string[]> {
  return {
    // What comes by itself with a link is left out.
    routes: [...lines("ip", "route", "show", "table", "all"), ...lines("ip", "-6", "route", "show", "table", "all")]
      .filter((line) => !/fe80:|ff00::|^multicast|anycast/.test(line))
      .map((line) => line.replace(/ (linkdown|pref medium)/g, ""))
      .sort(),
    ruleset: ruleset(),
  };
}
