import { readdir, readFile } from "node:fs/promises";
import type { HostOp } from "./plan.ts";

/** The file of a setting below net, named by its parts: an interface's name may have dots in it. */
function pathOf(parts: readonly string[]): string {
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("/")))
    throw new RangeError(`not a setting: ${parts}`);
  return `/proc/sys/net/${parts.join("/")}`;
}

/** A setting of the network stack, or undefined where the kernel has none of that name. */
export async function readNetworkSetting(...parts: readonly string[]): Promise<string | undefined> {
  try {
    return (await readFile(pathOf(parts), "utf8")).trim();
  } catch {
    return undefined;
  }
}

/** Whose settings there are: interfaces, and `all` and `default`. */
export async function listInterfaceSettings(family: "ipv4" | "ipv6"): Promise<string[]> {
  return await readdir(`/proc/sys/net/${family}/conf`).catch(() => []);
}

/** As a host operation. `optional`: a kernel without it is fine. */
export function writeNetworkSetting(parts: readonly string[], value: string, optional = false): HostOp {
  return { op: "write", path: pathOf(parts), data: value, optional };
}

/** Whether the old iptables, which nf_tables does not show, filters here in either IP version: its table is there from its first use on. */
export async function hasLegacyFilter(): Promise<boolean> {
  const names = await Promise.all(
    ["ip_tables_names", "ip6_tables_names"].map((file) => readFile(`/proc/net/${file}`, "utf8").catch(() => "")),
  );
  return names.some((text) => text.split("\n").includes("filter"));
}

/** Another one after each boot, when all settings are the system's own again. */
export async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
