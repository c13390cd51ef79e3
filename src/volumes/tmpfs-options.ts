/** The words that `--tmpfs` and tmpfs mounts take. */
import { invalidParameter } from "../base/base.ts";
import { propagations } from "./mounts.ts";

const defaults = ["noexec", "nosuid", "nodev"];
const opposite: Readonly<Record<string, string>> = {
  exec: "noexec",
  suid: "nosuid",
  dev: "nodev",
  ro: "rw",
  sync: "async",
  atime: "noatime",
};
const flags = new Set<string>([
  ...Object.entries(opposite).flat(),
  ...propagations,
  "diratime",
  "nodiratime",
  "relatime",
  "norelatime",
  "strictatime",
  "nostrictatime",
  "tmpcopyup",
  "notmpcopyup",
]);
const data = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]);

/** Docker's defaults with the user's words in their place. @throws InvalidParameter */
export function tmpfsOptions(words: readonly string[]): string[] {
  const kept = new Map(defaults.map((word) => [word, word]));
  for (const word of words.filter(Boolean)) {
    const [key = "", ...rest] = word.split("=");
    const isData = rest.length > 0 && data.has(key);
    if (!isData && !flags.has(word))
      throw invalidParameter(
        `invalid tmpfs option [${[key, ...(rest.length > 0 ? [rest.join("=")] : [])].map((part) => JSON.stringify(part)).join(" ")}]`,
      );
    const contrary =
      (Object.hasOwn(opposite, word) ? opposite[word] : undefined) ?? Object.keys(opposite).find((other) => opposite[other] === word);
    if (contrary !== undefined) kept.delete(contrary);
    if (isData) kept.delete(key);
    kept.set(isData ? key : word, word);
  }
  return [...kept.values()];
}
