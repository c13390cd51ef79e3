/** Reading resolv.conf(5). */
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";

export interface ResolvConf {
  readonly servers: readonly string[];
  /** `nameserver` lines that name no address. */
  readonly invalidServers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** Lines that are none of these, as they are. */
  readonly other: readonly string[];
}

export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  const invalidServers: string[] = [];
  const options: string[] = [];
  const other: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [key = "", ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (key === "" || key.startsWith("#") || key.startsWith(";")) continue;
    if (key === "nameserver") {
      if (first !== undefined) (isIP(first) === 0 ? invalidServers : servers).push(first);
    } else if (key === "options") {
      options.push(...values);
    } else if (key === "search" || key === "domain") {
      // The last one counts.
      if (first !== undefined) search = values;
    } else {
      other.push(line);
    }
  }
  return { servers, invalidServers, search, options, other };
}

/** Asked where the host names no resolver, as Docker does. */
const publicServers = ["8.8.8.8", "8.8.4.4"];
/** How long what was read is believed without a look at the file. */
const freshMs = 1000;

/** The host's resolvers, read again when the file has changed. */
export function hostServersFile(path = "/etc/resolv.conf"): () => Promise<readonly string[]> {
  let servers: readonly string[] = publicServers;
  let version = "";
  let lookedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - lookedAt < freshMs) return servers;
    const { ino, mtimeNs, size } = await stat(path, { bigint: true }).catch(() => ({ ino: 0n, mtimeNs: 0n, size: 0n }));
    const found = `${ino} ${mtimeNs} ${size}`;
    if (found !== version) {
      const text = await readFile(path, "utf8").catch(() => "");
      const listed = parseResolvConf(text).servers;
      servers = listed.length > 0 ? listed : publicServers;
      version = found;
    }
    lookedAt = performance.now();
    return servers;
  };
}
