/** Readers of the host's /proc: the processes of a container for `top`, and what `info` tells of the machine. */
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";

export interface ProcessInfo {
  readonly pid: number;
  readonly ppid: number;
  /** Process group and session. */
  readonly pgid: number;
  readonly sid: number;
  readonly uid: number;
  /** The host's name of `uid`, or the number. */
  readonly user: string;
  readonly gid: number;
  /** The program's name, at most 15 bytes. */
  readonly comm: string;
  /** The command line; empty for a zombie or a kernel thread. */
  readonly args: readonly string[];
  /** One letter: R, S, D, Z, T, … */
  readonly state: string;
  /** `pts/0`, or "" for none. */
  readonly tty: string;
  /** Is it in its terminal's foreground process group? */
  readonly foreground: boolean;
  readonly nice: number;
  readonly priority: number;
  readonly threads: number;
  /** User and system time together. */
  readonly cpuSeconds: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly virtualBytes: number;
  readonly residentBytes: number;
}

/** USER_HZ, which every Linux that Berth runs on has at 100. */
const ticksPerSecond = 100;
const pageBytes = 4096;

/** Fields of /proc/PID/stat behind the name, which may hold blanks and brackets itself: proc(5). */
export function parseStat(text: string): { comm: string; fields: readonly string[] } {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  return {
    comm: text.slice(open + 1, close),
    fields: text
      .slice(close + 2)
      .trim()
      .split(" "),
  };
}

/** `pts/3`, `tty1`, `ttyS0` of a terminal's device number. */
export function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (device === 0) return "";
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  if (major === 5 && minor === 1) return "console";
  return `${major}:${minor}`;
}

function argumentsOf(cmdline: Buffer): string[] {
  if (cmdline.length === 0) return [];
  const end = cmdline.at(-1) === 0 ? cmdline.length - 1 : cmdline.length;
  return cmdline.toString("utf8", 0, end).split("\0");
}

/** The time the machine started, milliseconds since 1970. */
export async function bootTimeMs(): Promise<number> {
  const match = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"));
  return Number(match?.[1] ?? "0") * 1000;
}

async function hostUsers(): Promise<Map<number, string>> {
  const users = new Map<number, string>();
  for (const line of (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n")) {
    const [name = "", , uid = ""] = line.split(":");
    if (/^\d+$/.test(uid) && !users.has(Number(uid))) users.set(Number(uid), name);
  }
  return users;
}

async function readProcess(pid: number, bootMs: number, users: ReadonlyMap<number, string>): Promise<ProcessInfo | undefined> {
  const directory = `/proc/${pid}`;
  try {
    const [statText, cmdline, owner] = await Promise.all([
      readFile(`${directory}/stat`, "utf8"),
      readFile(`${directory}/cmdline`),
      stat(directory),
    ]);
    const { comm, fields } = parseStat(statText);
    const field = (number: number): number => Number(fields[number - 3] ?? "0"); // numbered as in proc(5)
    return {
      pid,
      ppid: field(4),
      pgid: field(5),
      sid: field(6),
      uid: owner.uid,
      user: users.get(owner.uid) ?? String(owner.uid),
      gid: owner.gid,
      comm,
      args: argumentsOf(cmdline),
      state: fields[0] ?? "?",
      tty: terminalName(field(7)),
      foreground: field(8) === field(5),
      nice: field(19),
      priority: field(18),
      threads: field(20),
      cpuSeconds: (field(14) + field(15)) / ticksPerSecond,
      startedAtMs: bootMs + (field(22) * 1000) / ticksPerSecond,
      virtualBytes: field(23),
      residentBytes: field(24) * pageBytes,
    };
  } catch {
    return undefined; // it has ended in the meantime
  }
}

/** The pids in a cgroup directory and all below it. */
export async function cgroupPids(directory: string): Promise<number[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const own = await readFile(join(directory, "cgroup.procs"), "utf8").catch(() => "");
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => cgroupPids(join(directory, entry.name))));
  return [...own.split("\n").filter(Boolean).map(Number), ...below.flat()].filter((pid) => pid > 0);
}

/**
 * The processes in a container's cgroups, first come first.
 * @param cgroups controller → directory; of v1 hierarchies any will do
 */
export async function readProcesses(cgroups: Readonly<Record<string, string>>): Promise<readonly ProcessInfo[]> {
  const directory = cgroups[""] ?? cgroups["pids"] ?? cgroups["freezer"] ?? Object.values(cgroups)[0];
  if (directory === undefined) return [];
  const [pids, bootMs, users] = await Promise.all([cgroupPids(directory), bootTimeMs(), hostUsers()]);
  const found = await Promise.all([...new Set(pids)].map((pid) => readProcess(pid, bootMs, users)));
  return found.filter((one) => one !== undefined).sort((a, b) => a.startedAtMs - b.startedAtMs || a.pid - b.pid);
}

/** `Key: value` lines of /proc/meminfo in bytes. */
export async function memoryInfo(): Promise<ReadonlyMap<string, number>> {
  const result = new Map<string, number>();
  for (const [, key = "", value = "", unit] of (await readFile("/proc/meminfo", "utf8")).matchAll(/^([^:]+):\s+(\d+)( kB)?$/gm))
    result.set(key, Number(value) * (unit === undefined ? 1 : 1024));
  return result;
}

/** The identity of a process's namespace, e.g. `pid:[4026531836]`; undefined when it has ended. */
export async function namespaceOf(pid: number, name: string): Promise<string | undefined> {
  return await readlink(`/proc/${pid}/ns/${name}`).catch(() => undefined);
}
