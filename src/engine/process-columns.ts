/** What ps can show of a process: its format words, each under ps's title. */
import type { AccountNames, ProcessInfo } from "../kernel/processes.ts";

export interface Moment {
  readonly nowMs: number;
  readonly memoryBytes: number;
  readonly names: AccountNames;
}

export interface Column {
  readonly title: string;
  readonly show: (process: ProcessInfo, moment: Moment) => string;
  /** A tree is drawn before it. */
  readonly command?: boolean;
}

const two = (value: number): string => String(value).padStart(2, "0");
const kib = (bytes: number): string => String(Math.floor(bytes / 1024));
const pageBytes = 4096;

function elapsed(process: ProcessInfo, moment: Moment): number {
  return Math.max(0, Math.floor((moment.nowMs - process.startedAtMs) / 1000));
}

/** Of the time since it started, in percent. */
function cpuShare(process: ProcessInfo, moment: Moment): number {
  const seconds = Math.max(0.01, (moment.nowMs - process.startedAtMs) / 1000);
  return Math.min(99.9, (100 * process.cpuSeconds) / seconds);
}

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

const clockOf = (time: Date): string => `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;

/** Within a day `14:05:09`, then `Nov 21`. */
function exactStart(process: ProcessInfo, moment: Moment): string {
  const start = new Date(process.startedAtMs);
  if (moment.nowMs - process.startedAtMs < 86_400_000) return clockOf(start);
  return `${months[start.getMonth()]} ${two(start.getDate())}`;
}

function longStart(process: ProcessInfo): string {
  const start = new Date(process.startedAtMs);
  const day = `${weekdays[start.getDay()]} ${months[start.getMonth()]} ${String(start.getDate()).padStart(2)}`;
  return `${day} ${clockOf(start)} ${start.getFullYear()}`;
}

/** ps's process state codes: ps(1), "PROCESS STATE CODES". */
function stateCodes(process: ProcessInfo): string {
  const nice = process.nice < 0 ? "<" : process.nice > 0 ? "N" : "";
  const leader = process.sid === process.pid ? "s" : "";
  const threads = process.threads > 1 ? "l" : "";
  return process.state + nice + leader + threads + (process.tpgid === process.pgid ? "+" : "");
}

function commandLine(process: ProcessInfo): string {
  const { args, comm, state, environment } = process;
  const line = args.length > 0 ? args.join(" ") : state === "Z" ? `[${comm}] <defunct>` : `[${comm}]`;
  return [line, ...environment].join(" ");
}

/** Scheduling classes by the kernel's number: sched(7). */
const classes = ["TS", "FF", "RR", "B", "ISO", "IDL", "DLN"];

const userName = (id: number, moment: Moment): string => moment.names.users.get(id) ?? String(id);
const groupName = (id: number, moment: Moment): string => moment.names.groups.get(id) ?? String(id);
const list = (values: readonly (string | number)[]): string => (values.length === 0 ? "-" : values.join(","));

type Show = Column["show"];

const shown: Readonly<Record<string, readonly [title: string, show: Show]>> = {
  pid: ["PID", (p) => String(p.pid)],
  tgid: ["TGID", (p) => String(p.pid)],
  lwp: ["LWP", (p) => String(p.tid)],
  spid: ["SPID", (p) => String(p.tid)],
  tid: ["TID", (p) => String(p.tid)],
  ppid: ["PPID", (p) => String(p.ppid)],
  pgid: ["PGID", (p) => String(p.pgid)],
  pgrp: ["PGRP", (p) => String(p.pgid)],
  sid: ["SID", (p) => String(p.sid)],
  sess: ["SESS", (p) => String(p.sid)],
  tpgid: ["TPGID", (p) => String(p.tpgid)],
  uid: ["UID", (p) => String(p.users.effective)],
  euid: ["EUID", (p) => String(p.users.effective)],
  ruid: ["RUID", (p) => String(p.users.real)],
  suid: ["SUID", (p) => String(p.users.saved)],
  fuid: ["FUID", (p) => String(p.users.fileSystem)],
  gid: ["GID", (p) => String(p.groups.effective)],
  egid: ["EGID", (p) => String(p.groups.effective)],
  rgid: ["RGID", (p) => String(p.groups.real)],
  sgid: ["SGID", (p) => String(p.groups.saved)],
  fgid: ["FGID", (p) => String(p.groups.fileSystem)],
  supgid: ["SUPGID", (p) => list(p.supplementaryGroups)],
  user: ["USER", (p, moment) => userName(p.users.effective, moment)],
  euser: ["EUSER", (p, moment) => userName(p.users.effective, moment)],
  ruser: ["RUSER", (p, moment) => userName(p.users.real, moment)],
  suser: ["SUSER", (p, moment) => userName(p.users.saved, moment)],
  fuser: ["FUSER", (p, moment) => userName(p.users.fileSystem, moment)],
  group: ["GROUP", (p, moment) => groupName(p.groups.effective, moment)],
  egroup: ["EGROUP", (p, moment) => groupName(p.groups.effective, moment)],
  rgroup: ["RGROUP", (p, moment) => groupName(p.groups.real, moment)],
  sgroup: ["SGROUP", (p, moment) => groupName(p.groups.saved, moment)],
  fgroup: ["FGROUP", (p, moment) => groupName(p.groups.fileSystem, moment)],
  supgrp: ["SUPGRP", (p, moment) => list(p.supplementaryGroups.map((id) => groupName(id, moment)))],
  comm: ["COMMAND", (p) => p.comm],
  ucmd: ["CMD", (p) => p.comm],
  fname: ["COMMAND", (p) => p.comm.slice(0, 8)],
  args: ["COMMAND", commandLine],
  cmd: ["CMD", commandLine],
  s: ["S", (p) => p.state],
  stat: ["STAT", stateCodes],
  tt: ["TT", (p) => p.tty || "?"],
  tname: ["TTY", (p) => p.tty || "?"],
  ni: ["NI", (p) => String(p.nice)],
  pri: ["PRI", (p) => String(39 - p.priority)],
  priority: ["PRI", (p) => String(p.priority)],
  opri: ["PRI", (p) => String(60 + p.priority)],
  rtprio: ["RTPRIO", (p) => (p.realtimePriority > 0 ? String(p.realtimePriority) : "-")],
  cls: ["CLS", (p) => classes[p.policy] ?? "?"],
  policy: ["POL", (p) => classes[p.policy] ?? "?"],
  sched: ["SCH", (p) => String(p.policy)],
  psr: ["PSR", (p) => String(p.processor)],
  nlwp: ["NLWP", (p) => String(p.threads)],
  thcount: ["THCNT", (p) => String(p.threads)],
  c: ["C", (p, moment) => String(Math.floor(cpuShare(p, moment)))],
  cp: ["CP", (p, moment) => String(Math.floor(10 * cpuShare(p, moment)))],
  pcpu: ["%CPU", (p, moment) => cpuShare(p, moment).toFixed(1)],
  pmem: ["%MEM", (p, moment) => ((100 * p.residentBytes) / moment.memoryBytes).toFixed(1)],
  vsz: ["VSZ", (p) => kib(p.virtualBytes)],
  rss: ["RSS", (p) => kib(p.residentBytes)],
  rsz: ["RSZ", (p) => kib(p.residentBytes)],
  sz: ["SZ", (p) => String(Math.floor(p.virtualBytes / pageBytes))],
  trs: ["TRS", (p) => kib(p.codeBytes)],
  drs: ["DRS", (p) => kib(p.virtualBytes - p.codeBytes)],
  min_flt: ["MINFL", (p) => String(p.minorFaults)],
  maj_flt: ["MAJFL", (p) => String(p.majorFaults)],
  time: ["TIME", (p) => clockTime(p.cpuSeconds)],
  times: ["TIME", (p) => String(Math.floor(p.cpuSeconds))],
  bsdtime: ["TIME", (p) => shortTime(p.cpuSeconds)],
  etime: ["ELAPSED", (p, moment) => elapsedTime(elapsed(p, moment))],
  etimes: ["ELAPSED", (p, moment) => String(elapsed(p, moment))],
  stime: ["STIME", startTime],
  start_time: ["START", startTime],
  start: ["STARTED", exactStart],
  lstart: ["STARTED", longStart],
  wchan: ["WCHAN", (p) => p.waitsIn.slice(0, 6) || "-"],
  nwchan: ["WCHAN", () => "-"],
  f: ["F", (p) => String((p.flags >> 6) & 7)],
  addr: ["ADDR", () => "-"],
  label: ["LABEL", () => "-"],
  pending: ["PENDING", (p) => p.signals.pending],
  blocked: ["BLOCKED", (p) => p.signals.blocked],
  ignored: ["IGNORED", (p) => p.signals.ignored],
  caught: ["CAUGHT", (p) => p.signals.caught],
};

const synonyms: Readonly<Record<string, string>> = {
  session: "sess",
  uname: "user",
  ucomm: "comm",
  command: "args",
  state: "s",
  tty: "tt",
  nice: "ni",
  intpri: "opri",
  class: "cls",
  util: "c",
  "%cpu": "pcpu",
  "%mem": "pmem",
  vsize: "vsz",
  rssize: "rss",
  minflt: "min_flt",
  majflt: "maj_flt",
  cputime: "time",
  cputimes: "times",
  bsdstart: "start_time",
  wname: "wchan",
  flag: "f",
  flags: "f",
  sig: "pending",
  sigmask: "blocked",
  sigignore: "ignored",
  sigcatch: "caught",
};

const commands: readonly string[] = ["comm", "ucmd", "fname", "args", "cmd"];

/** The column of a format word; undefined when there is none. */
export function columnOf(word: string): Column | undefined {
  const name = (Object.hasOwn(synonyms, word) ? synonyms[word] : undefined) ?? word;
  const found = Object.hasOwn(shown, name) ? shown[name] : undefined;
  if (found === undefined) return undefined;
  const [title, show] = found;
  return commands.includes(name) ? { title, show, command: true } : { title, show };
}

/** Columns of words that exist. */
export function columnsOf(words: string): Column[] {
  return words.split(" ").map((word) => {
    const column = columnOf(word);
    if (column === undefined) throw new Error(`there is no column ${word}`);
    return column;
  });
}
