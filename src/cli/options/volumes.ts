import { resolve } from "node:path";

const options = /^(rw|ro|z|Z|nocopy|[r]?shared|[r]?slave|[r]?private|volume-nocopy|delegated|cached|consistent)$/;

/**
 * Sorts `-v` values: `source:target[:options]` is a bind, a lone path an anonymous volume. A relative source
 * is made absolute; a plain name stays a volume's.
 * @throws Error with Docker's wording
 */
export function parseVolumes(values: readonly string[]): { binds: string[]; anonymous: Record<string, Record<string, never>> } {
  const binds: string[] = [];
  const anonymous: Record<string, Record<string, never>> = {};
  for (const value of values) {
    const parts = value.split(":");
    if (value === "") throw new Error("invalid empty volume spec");
    if (parts.some((part) => part === "")) throw new Error(`invalid spec: ${value}: empty section between colons`);
    if (parts.length > 3) throw new Error(`invalid spec: ${value}: too many colons`);
    const [source = "", target, mode] = parts;
    if (target === undefined) {
      anonymous[source] = {};
      continue;
    }
    if (mode !== undefined && !mode.split(",").every((one) => options.test(one))) {
      binds.push(value); // The daemon says what is wrong with it.
      continue;
    }
    const path = source === "." || source === ".." || /^\.{1,2}\//.test(source) ? resolve(source) : source;
    binds.push([path, ...parts.slice(1)].join(":"));
  }
  return { binds, anonymous };
}
