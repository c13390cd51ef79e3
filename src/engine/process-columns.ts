import { systemError } from "../base/base.ts";
import type { ProcessInfo } from "../kernel/procfs.ts";
import type { ContainerTopResponse } from "../spec/spec.ts";

interface Moment {
  readonly nowMs: number;
  readonly memoryBytes: number;
}

export interface Column {
  readonly title: string;
  readonly show: (process: ProcessInfo, moment: Moment) => string;
}

const two = (value: number): string => String(value).padStart(2, "0");
const kib = (bytes: number): string => String(Math.floor(bytes / 1024));
const elapsed = (process: ProcessInfo, moment: Moment): number => Math.max(0, Math.floor((moment.nowMs - process.startedAtMs) / 1000));
const cpuShare = (process: ProcessInfo, moment: Moment): number => {
  const seconds = Math.max(0.01, (moment.nowMs - process.startedAtMs) / 1000);
  return Math.min(99.9, (100 * process.cpuSeconds) / seconds);
};

/** `[DD-]HH:MM:SS`. */
function clockTime(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const rest = Math.floor(seconds) % 86400;
  return `${days > 0 ? `${days}-` : ""}${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
}

/** `M:SS`, as `ps aux` has it. */
function shortTime(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${two(Math.floor(seconds) % 60)}`;
}

/** `[[DD-]HH:]MM:SS`. */
function elapsedTime(seconds: number): string {
  return seconds >= 3600 ? clockTime(seconds) : `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Today: `14:05`; this year: `Nov21`; before: the year. Local time, as ps. */
function startTime(process: ProcessInfo, moment: Moment): string {
  const start = new Date(process.startedAtMs);
  const now = new Date(moment.nowMs);
  if (start.toDateString() === now.toDateString()) return `${two(start.getHours())}:${two(start.getMinutes())}`;
  if (start.getFullYear() === now.getFullYear()) return `${months[start.getMonth()]}${two(start.getDate())}`;
  return String(start.getFullYear());
}

function longStart(process: ProcessInfo): string {
  const start = new Date(process.startedAtMs);
  const time = `${two(start.getHours())}:${two(start.getMinutes())}:${two(start.getSeconds())}`;
  return `${weekdays[start.getDay()]} ${months[start.getMonth()]} ${String(start.getDate()).padStart(2)} ${time} ${start.getFullYear()}`;
}

/** ps's process state codes: ps(1), "PROCESS STATE CODES". */
function stateCodes(process: ProcessInfo): string {
  const nice = process.nice < 0 ? "<" : process.nice > 0 ? "N" : "";
  const leader = process.sid === process.pid ? "s" : "";
  return process.state + nice + leader + (process.threads > 1 ? "l" : "") + (process.foreground ? "+" : "");
}

const commandLine = (process: ProcessInfo): string =>
  process.args.length > 0 ? process.args.join(" ") : process.state === "Z" ? `[${process.comm}] <defunct>` : `[${process.comm}]`;

const column = (title: string, show: Column["show"]): Column => ({ title, show });

/** Format words of `ps -o`, each under its usual title. */
const words: Readonly<Record<string, Column>> = {
  pid: column("PID", (p) => String(p.pid)),
  ppid: column("PPID", (p) => String(p.ppid)),
  pgid: column("PGID", (p) => String(p.pgid)),
  sid: column("SID", (p) => String(p.sid)),
  uid: column("UID", (p) => String(p.uid)),
  gid: column("GID", (p) => String(p.gid)),
  user: column("USER", (p) => p.user),
  comm: column("COMMAND", (p) => p.comm),
  args: column("COMMAND", commandLine),
  cmd: column("CMD", commandLine),
  s: column("S", (p) => p.state),
  stat: column("STAT", stateCodes),
  tty: column("TT", (p) => p.tty || "?"),
  tname: column("TTY", (p) => p.tty || "?"),
  ni: column("NI", (p) => String(p.nice)),
  pri: column("PRI", (p) => String(39 - p.priority)),
  nlwp: column("NLWP", (p) => String(p.threads)),
  c: column("C", (p, moment) => String(Math.floor(cpuShare(p, moment)))),
  pcpu: column("%CPU", (p, moment) => cpuShare(p, moment).toFixed(1)),
  pmem: column("%MEM", (p, moment) => ((100 * p.residentBytes) / moment.memoryBytes).toFixed(1)),
  vsz: column("VSZ", (p) => kib(p.virtualBytes)),
  rss: column("RSS", (p) => kib(p.residentBytes)),
  time: column("TIME", (p) => clockTime(p.cpuSeconds)),
  bsdtime: column("TIME", (p) => shortTime(p.cpuSeconds)),
  etime: column("ELAPSED", (p, moment) => elapsedTime(elapsed(p, moment))),
  etimes: column("ELAPSED", (p, moment) => String(elapsed(p, moment))),
  stime: column("STIME", startTime),
  start: column("START", startTime),
  lstart: column("STARTED", longStart),
};

const synonyms: Readonly<Record<string, string>> = {
  pgrp: "pgid",
  sess: "sid",
  session: "sid",
  euid: "uid",
  egid: "gid",
  rgid: "gid",
  ruid: "uid",
  euser: "user",
  uname: "user",
  ruser: "user",
  ucmd: "comm",
  ucomm: "comm",
  command: "args",
  state: "s",
  tt: "tty",
  nice: "ni",
  thcount: "nlwp",
  "%cpu": "pcpu",
  "%mem": "pmem",
  vsize: "vsz",
  rssize: "rss",
  rsz: "rss",
  cputime: "time",
  start_time: "stime",
  bsdstart: "start",
};

function listed(names: readonly string[]): Column[] {
  return names.map((name) => words[name]).filter((found) => found !== undefined);
}

const userColumn = column("UID", (p) => p.user);
const full: readonly Column[] = [userColumn, ...listed(["pid", "ppid", "c", "stime", "tname", "time", "cmd"])];
const bsdUser: readonly Column[] = listed(["user", "pid", "pcpu", "pmem", "vsz", "rss", "tname", "stat", "start", "bsdtime", "args"]);
const plain: readonly Column[] = [...listed(["pid", "tname", "time"]), column("CMD", (p) => p.comm)];
const bsd: readonly Column[] = listed(["pid", "tname", "stat", "bsdtime", "args"]);

/** A list as `-o` takes it: words with commas or blanks between, `word=Title` for an own title. */
function customColumns(list: string): Column[] {
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [name = "", title] = entry.split("=", 2);
      const lower = name.toLowerCase();
      const found = words[synonyms[lower] ?? lower];
      if (found === undefined) throw systemError(`ps: error: unknown user-defined format specifier ${JSON.stringify(name)}`);
      if (title !== undefined && found === words["pid"]) throw systemError('specifying "PID=*" is not allowed');
      return title === undefined ? found : { title, show: found.show };
    });
}

/**
 * The columns that ps would show for these arguments. Which processes are meant is settled already, so the
 * selecting options (`-e`, `-A`, `a`, `x`) change nothing.
 * @throws System, as Docker has it when ps fails
 */
export function parsePsArgs(args: string): readonly Column[] {
  const rest = args.split(/\s+/).filter((word) => word !== "");
  let columns: readonly Column[] | undefined;
  const custom: Column[] = [];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const unix = word.startsWith("-");
    const option = /^(-?[a-zA-Z]*?)(o)(.*)$/.exec(word);
    if (word.startsWith("--format")) {
      custom.push(...customColumns(word.includes("=") ? word.slice(word.indexOf("=") + 1) : (rest.shift() ?? "")));
    } else if (option !== null && /^-?[aAedfuxwl]*$/.test(option[1] ?? "")) {
      const list = option[3] ? option[3] : rest.shift();
      if (list === undefined) throw systemError("ps: error: format specification must follow -o");
      custom.push(...customColumns(list));
    } else if (unix ? /^-[aAedfFwHux]+$/.test(word) : /^[axuwef]+$/.test(word)) {
      const user = word.includes("u");
      columns = unix && !user ? (/[fF]/.test(word) ? full : (columns ?? plain)) : user ? bsdUser : (columns ?? bsd);
    } else {
      throw systemError(`ps: error: unsupported option ${JSON.stringify(word)}`);
    }
  }
  const chosen = custom.length > 0 ? custom : (columns ?? plain);
  if (!chosen.some((one) => one.title === "PID")) throw systemError("Couldn't find PID field in ps output");
  return chosen;
}

/** The table that `top` answers with. */
export function formatProcesses(columns: readonly Column[], processes: readonly ProcessInfo[], moment: Moment): ContainerTopResponse {
  return {
    Titles: columns.map((one) => one.title),
    Processes: processes.map((process) => columns.map((one) => one.show(process, moment))),
  };
}
