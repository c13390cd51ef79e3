/** A container's processes, read from the host's /proc for `top`. Nothing is run, and nothing of the container's is read. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { bootTimeMs, parseStat, terminalName } from "./procfs.ts";

/** A process's four users, or groups. */
export interface Identities {
  readonly real: number;
  readonly effective: number;
  readonly saved: number;
  readonly fileSystem: number;
}

export interface ProcessInfo {
  readonly pid: number;
  /** Of the thread; that of the first one is the process's. */
  readonly tid: number;
  readonly ppid: number;
  /** Process group, session, and the group that its terminal listens to. */
  readonly pgid: number;
  readonly sid: number;
  readonly tpgid: number;
  readonly users: Identities;
  readonly groups: Identities;
  readonly supplementaryGroups: readonly number[];
  /** The program's name, at most 15 bytes. */
  readonly comm: string;
  /** The command line; empty for a zombie or a kernel thread. */
  readonly args: readonly string[];
  /** Only when it was asked for. */
  readonly environment: readonly string[];
  /** One letter: R, S, D, Z, T, … */
  readonly state: string;
  /** `pts/0`, or "" for none. */
  readonly tty: string;
  readonly nice: number;
  readonly priority: number;
  readonly realtimePriority: number;
  /** SCHED_OTHER, SCHED_FIFO, … */
  readonly policy: number;
  /** The CPU that it ran on last. */
  readonly processor: number;
  readonly threads: number;
  /** PF_… of the kernel. */
  readonly flags: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  /** User and system time together. */
  readonly cpuSeconds: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly virtualBytes: number;
  readonly residentBytes: number;
  readonly codeBytes: number;
  /** The kernel function that it waits in, or "". */
  readonly waitsIn: string;
  /** Masks in hexadecimal. */
  readonly signals: { readonly pending: string; readonly blocked: string; readonly ignored: string; readonly caught: string };
}

export interface ReadProcessesOptions {
  /** One entry a thread. */
  readonly threads?: boolean;
  readonly environment?: boolean;
}

/** USER_HZ, which every Linux that Berth runs on has at 100. */
const ticksPerSecond = 100;
const pageBytes = 4096;

function stringsOf(data: Buffer): string[] {
  if (data.length === 0) return [];
  const end = data.at(-1) === 0 ? data.length - 1 : data.length;
  return data.toString("utf8", 0, end).split("\0");
}

/** `Key:\tvalue` lines of /proc/PID/status. */
function parseStatus(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^(\w+):[\t ]*(.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
}

function identitiesOf(value: string | undefined): Identities {
  const [real = 0, effective = real, saved = real, fileSystem = real] = (value ?? "").split(/\s+/).map(Number);
  return { real, effective, saved, fileSystem };
}

interface RawProcess {
  readonly pid: number;
  readonly tid: number;
  readonly stat: string;
  readonly status: string;
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly waitsIn: string;
}

function parseProcess(raw: RawProcess, bootMs: number): ProcessInfo {
  const { comm, fields } = parseStat(raw.stat);
  const field = (number: number): number => Number(fields[number - 3] ?? "0"); // numbered as in proc(5)
  const status = parseStatus(raw.status);
  return {
    pid: raw.pid,
    tid: raw.tid,
    ppid: field(4),
    pgid: field(5),
    sid: field(6),
    tpgid: field(8),
    users: identitiesOf(status.get("Uid")),
    groups: identitiesOf(status.get("Gid")),
    supplementaryGroups: (status.get("Groups") ?? "").split(" ").filter(Boolean).map(Number),
    comm,
    args: raw.args,
    environment: raw.environment,
    state: fields[0] ?? "?",
    tty: terminalName(field(7)),
    nice: field(19),
    priority: field(18),
    realtimePriority: field(40),
    policy: field(41),
    processor: field(39),
    threads: field(20),
    flags: field(9),
    minorFaults: field(10),
    majorFaults: field(12),
    cpuSeconds: (field(14) + field(15)) / ticksPerSecond,
    startedAtMs: bootMs + (field(22) * 1000) / ticksPerSecond,
    virtualBytes: field(23),
    residentBytes: field(24) * pageBytes,
    codeBytes: Math.max(0, field(27) - field(26)),
    waitsIn: raw.waitsIn === "0" ? "" : raw.waitsIn,
    signals: {
      pending: status.get("SigPnd") ?? "",
      blocked: status.get("SigBlk") ?? "",
      ignored: status.get("SigIgn") ?? "",
      caught: status.get("SigCgt") ?? "",
    },
  };
}

/** Undefined when it has ended in the meantime. */
async function readProcess(pid: number, tid: number, options: ReadProcessesOptions, bootMs: number): Promise<ProcessInfo | undefined> {
  const directory = options.threads === true ? `/proc/${pid}/task/${tid}` : `/proc/${pid}`;
  try {
    const [stat, status, cmdline, waitsIn, environ] = await Promise.all([
      readFile(`${directory}/stat`, "utf8"),
      readFile(`${directory}/status`, "utf8"),
      readFile(`${directory}/cmdline`),
      readFile(`${directory}/wchan`, "utf8").catch(() => ""),
      options.environment === true ? readFile(`${directory}/environ`).catch(() => Buffer.alloc(0)) : Buffer.alloc(0),
    ]);
    return parseProcess({ pid, tid, stat, status, args: stringsOf(cmdline), environment: stringsOf(environ), waitsIn }, bootMs);
  } catch {
    return undefined;
  }
}

async function threadsOf(pid: number): Promise<number[]> {
  const names = await readdir(`/proc/${pid}/task`).catch((): string[] => []);
  return names.map(Number).sort((a, b) => a - b);
}

/** The pids in a cgroup directory and all below it. */
export async function cgroupPids(directory: string): Promise<number[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const own = await readFile(join(directory, "cgroup.procs"), "utf8").catch(() => "");
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => cgroupPids(join(directory, entry.name))));
  return [...own.split("\n").filter(Boolean).map(Number), ...below.flat()].filter((pid) => pid > 0);
}

/**
 * The processes in a container's cgroups by pid, as ps has them.
 * @param cgroups controller → directory; of v1 hierarchies any will do
 */
export async function readProcesses(
  cgroups: Readonly<Record<string, string>>,
  options: ReadProcessesOptions = {},
): Promise<readonly ProcessInfo[]> {
  const directory = cgroups[""] ?? cgroups["pids"] ?? cgroups["freezer"] ?? Object.values(cgroups)[0];
  if (directory === undefined) return [];
  const [pids, bootMs] = await Promise.all([cgroupPids(directory), bootTimeMs()]);
  const found = await Promise.all(
    [...new Set(pids)].map(async (pid) => {
      const tids = options.threads === true ? await threadsOf(pid) : [pid];
      return await Promise.all(tids.map((tid) => readProcess(pid, tid, options, bootMs)));
    }),
  );
  return found
    .flat()
    .filter((one) => one !== undefined)
    .sort((a, b) => a.pid - b.pid || a.tid - b.tid);
}

/** Names of the host's accounts by their numbers. */
export interface AccountNames {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

async function namesIn(path: string): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  for (const line of (await readFile(path, "utf8").catch(() => "")).split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    if (/^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

export async function hostAccounts(): Promise<AccountNames> {
  const [users, groups] = await Promise.all([namesIn("/etc/passwd"), namesIn("/etc/group")]);
  return { users, groups };
}
