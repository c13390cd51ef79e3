/** The formats that ps has of its own, and how its letters change them. */

import type { ProcessInfo } from "../kernel/processes.ts";
import { type Column, columnOf, columnsOf, type Moment } from "./process-columns.ts";

export interface StandardFormat {
  /** System V's `fFljcyLPTMZ`, as far as they were given. */
  readonly letters: Set<string>;
}

const shortCommand: Column = { title: "CMD", show: (process: ProcessInfo) => process.comm, command: true };
const shortBsdCommand: Column = { title: "COMMAND", show: (process: ProcessInfo) => process.comm, command: true };

/** `-f` and its like have the name under this title. */
const namedUid: Column = { title: "UID", show: (process: ProcessInfo, moment: Moment) => columnOf("user")?.show(process, moment) ?? "" };

const labelled = (columns: readonly Column[], letters: ReadonlySet<string>): Column[] =>
  letters.has("M") || letters.has("Z") ? [...columnsOf("label"), ...columns] : [...columns];

/** Behind the column of a title, or else before the terminal. */
function insert(columns: Column[], before: readonly string[], word: string): void {
  const at = columns.findIndex((column) => before.includes(column.title));
  columns.splice(at < 0 ? columns.length : at, 0, ...columnsOf(word));
}

/** Of a process without a dash before its options: `l` → System V's long format, and so on. */
export function systemFormat({ letters }: StandardFormat): Column[] {
  const has = (letter: string): boolean => letters.has(letter);
  const full = has("f") || has("F");
  const jobs = has("j") ? "pgid sid " : "";
  const share = has("c") ? "cls pri" : "c";
  const columns = has("l")
    ? [
        ...columnsOf(has("y") ? "s" : "f s"),
        ...(full ? [namedUid] : columnsOf("uid")),
        ...columnsOf(`pid ppid ${jobs}${has("c") ? share : `${share} opri ni`} ${has("y") ? "rss" : "addr"} sz wchan`),
        ...(full ? columnsOf("stime") : []),
        ...columnsOf("tname time"),
      ]
    : full
      ? [namedUid, ...columnsOf(`pid ppid ${jobs}${share} ${has("F") ? "sz rss psr " : ""}stime tname time`)]
      : columnsOf(`pid ${jobs}${has("c") ? `${share} ` : ""}tname time`);
  const command = full ? columnsOf("cmd") : [shortCommand];
  if (has("L")) {
    insert(columns, ["C", "CLS", "TTY"], "lwp");
    const at = columns.findIndex((column) => column.title === "C");
    if (full && at >= 0) columns.splice(at + 1, 0, ...columnsOf("nlwp"));
  }
  if (has("P")) insert(columns, ["C", "CLS", "TTY"], "psr");
  if (has("T")) columns.splice(columns.findIndex((column) => column.title === "PID") + 1, 0, ...columnsOf("spid"));
  return labelled([...columns, ...command], letters);
}

const bsdFormats: Readonly<Record<string, string>> = {
  "": "pid tname stat bsdtime",
  u: "user pid pcpu pmem vsz rss tname stat start_time bsdtime",
  v: "pid tname stat bsdtime maj_flt trs drs rss pmem",
  l: "f uid pid ppid priority ni vsz rss wchan stat tname bsdtime",
  j: "ppid pid pgid sid tname tpgid stat uid bsdtime",
  s: "uid pid pending blocked ignored caught stat tname bsdtime",
};

/** @param letters `c`: the program's name alone; `n`: numbers for names */
export function bsdFormat(format: string, letters: ReadonlySet<string>): Column[] {
  const columns = columnsOf(bsdFormats[format] ?? "pid tname stat bsdtime").map((column) => {
    if (column.title !== "USER" || !letters.has("n")) return column;
    return { ...column, show: (process: ProcessInfo) => String(process.users.effective) };
  });
  return labelled([...columns, ...(letters.has("c") ? [shortBsdCommand] : columnsOf("args"))], letters);
}

/** `-O`. */
export function longFormat(inserted: readonly Column[]): Column[] {
  return [...columnsOf("pid"), ...inserted, ...columnsOf("s tname time args")];
}
