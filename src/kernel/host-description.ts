/** What `docker info` tells of the machine. Read when it is asked for: an administrator may have changed it. */
import { readFile, statfs } from "node:fs/promises";
import { release } from "node:os";
import { memoryInfo } from "./procfs.ts";

export interface HostDescription {
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly operatingSystem: string;
  /** `12`; "" when the system has no number. */
  readonly osVersion: string;
  readonly kernelVersion: string;
  readonly ipv4Forwarding: boolean;
  readonly memoryBytes: number;
}

const text = async (path: string): Promise<string> => (await readFile(path, "utf8").catch(() => "")).trim();

/** `KEY="value"` lines, as os-release(5) has them. */
function parseRelease(source: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of source.split("\n")) {
    const match = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (match !== null) fields.set(match[1] ?? "", (match[3] ?? "").replaceAll(/\\(.)/g, "$1"));
  }
  return fields;
}

export async function describeHost(): Promise<HostDescription> {
  const fields = parseRelease((await text("/etc/os-release")) || (await text("/usr/lib/os-release")));
  const memory = await memoryInfo();
  return {
    operatingSystem: fields.get("PRETTY_NAME") ?? fields.get("NAME") ?? "Linux",
    osVersion: fields.get("VERSION_ID") ?? "",
    kernelVersion: release(),
    ipv4Forwarding: (await text("/proc/sys/net/ipv4/ip_forward")) === "1",
    memoryBytes: memory.get("MemTotal") ?? 0,
  };
}

/** statfs(2) magic numbers (linux/magic.h), with Docker's names. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: "extfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs",
  2035054128: "overlayfs",
  801189825: "zfs",
  4076150800: "f2fs",
  26985: "nfs",
};

export async function fileSystemOf(path: string): Promise<string> {
  return fileSystems[(await statfs(path)).type] ?? "<unknown>";
}
