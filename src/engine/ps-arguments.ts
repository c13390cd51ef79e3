/**
 * The arguments of ps(1), as `top` takes them: System V's clusters with a dash, BSD's without, GNU's long ones. What
 * ps of procps makes of them, in its words where it refuses them. Which processes are meant, the container's, is
 * settled before: options that widen the choice change nothing, options that narrow it do.
 */
import { systemError } from "../base/base.ts";
import type { AccountNames, ProcessInfo } from "../kernel/processes.ts";
import { type Column, columnOf } from "./process-columns.ts";
import { bsdFormat, longFormat, type StandardFormat, systemFormat } from "./ps-formats.ts";

export interface PsRequest {
  readonly columns: readonly Column[];
  /** A row a thread. */
  readonly threads: boolean;
  readonly environment: boolean;
  /** Children below their parents; `marked`: with a branch before the command. */
  readonly tree: "no" | "plain" | "marked";
  readonly order: readonly { readonly column: Column; readonly descending: boolean }[];
  /** A process is shown when one of them holds, or when there is none. */
  readonly selectors: readonly ((process: ProcessInfo) => boolean)[];
}

const failed = (message: string): Error => systemError(`ps: error: ${message}`);

/** The words that are left; an option's list is the rest of its word, or the next one. */
class Words {
  readonly #left: string[];
  constructor(text: string) {
    this.#left = text.split(/\s+/).filter((word) => word !== "");
  }
  next(): string | undefined {
    return this.#left.shift();
  }
  listFor(rest: string, missing: string): string {
    const list = rest !== "" ? rest : this.#left.shift();
    if (list === undefined || list === "") throw failed(missing);
    return list;
  }
}

/** Sums up what the words say. */
class Draft {
  readonly format: StandardFormat = { letters: new Set() };
  readonly custom: Column[] = [];
  /** Of `-O`: stands between the process's number and its state. */
  readonly inserted: Column[] = [];
  bsd = false;
  bsdFormat = "";
  headless = false;
  threads = false;
  environment = false;
  tree: PsRequest["tree"] = "no";
  readonly order: { column: Column; descending: boolean }[] = [];
  readonly selectors: ((process: ProcessInfo) => boolean)[] = [];

  columns(): readonly Column[] {
    const { letters } = this.format;
    if (this.bsdFormat !== "" && (this.custom.length > 0 || [...letters].some((letter) => "fFlj".includes(letter)))) {
      throw failed("conflicting format options");
    }
    if (letters.has("y") && !letters.has("l")) throw failed("modifier -y without format -l makes no sense");
    const columns =
      this.custom.length > 0
        ? this.custom
        : this.inserted.length > 0
          ? longFormat(this.inserted)
          : this.bsd
            ? bsdFormat(this.bsdFormat, letters)
            : systemFormat(this.format);
    if (this.headless || !columns.some((column) => column.title === "PID")) throw systemError("Couldn't find PID field in ps output");
    return columns;
  }
}

/** A list as `-o` takes it: words with commas between, `word:width`, `word=Title` for an own title. */
function customColumns(list: string): Column[] {
  return list.split(",").map((entry) => {
    if (entry === "") throw failed("improper format list");
    const [, name = "", title] = /^([^=:]*)(?::\d+)?(?:=(.*))?$/.exec(entry) ?? [];
    const column = columnOf(name.toLowerCase());
    if (column === undefined) throw failed(`unknown user-defined format specifier ${JSON.stringify(name)}`);
    return title === undefined ? column : { ...column, title };
  });
}

function sortKeys(list: string): { column: Column; descending: boolean }[] {
  return list.split(",").map((key) => {
    const column = columnOf(key.replace(/^[+-]/, ""));
    if (column === undefined) throw failed("unknown sort specifier");
    return { column, descending: key.startsWith("-") };
  });
}

function numbers(list: string): number[] {
  return list.split(",").map((text) => {
    if (!/^\d+$/.test(text)) throw failed("process ID list syntax error");
    return Number(text);
  });
}

function accounts(list: string, names: ReadonlyMap<number, string>, what: string): number[] {
  return list.split(",").map((text) => {
    if (/^\d+$/.test(text)) return Number(text);
    const found = [...names].find(([, name]) => name === text);
    if (found === undefined) throw failed(`${what} name does not exist`);
    return found[0];
  });
}

type Selecting = (list: string, names: AccountNames) => (process: ProcessInfo) => boolean;

const byPid: Selecting = (list) => {
  const wanted = numbers(list);
  return (process) => wanted.includes(process.pid);
};
const byParent: Selecting = (list) => {
  const wanted = numbers(list);
  return (process) => wanted.includes(process.ppid);
};
const bySession: Selecting = (list) => {
  const wanted = numbers(list);
  return (process) => wanted.includes(process.sid);
};
const byCommand: Selecting = (list) => {
  const wanted = list.split(",");
  return (process) => wanted.includes(process.comm);
};
const byTerminal: Selecting = (list) => {
  const wanted = list.split(",").map((name) => (name === "-" || name === "?" ? "" : name.replace(/^\/dev\//, "")));
  return (process) => wanted.includes(process.tty);
};
const byUser: Selecting = (list, { users }) => {
  const wanted = accounts(list, users, "user");
  return (process) => wanted.includes(process.users.effective);
};
const byRealUser: Selecting = (list, { users }) => {
  const wanted = accounts(list, users, "user");
  return (process) => wanted.includes(process.users.real);
};
const byRealGroup: Selecting = (list, { groups }) => {
  const wanted = accounts(list, groups, "group");
  return (process) => wanted.includes(process.groups.real);
};
const byGroup: Selecting = (list, { groups }) => {
  const wanted = accounts(list, groups, "group");
  return (process) => wanted.includes(process.groups.effective);
};

const selecting: Readonly<Record<string, readonly [Selecting, missing: string]>> = {
  "-p": [byPid, "list of process IDs must follow -p"],
  "-q": [byPid, "List of process IDs must follow -q."],
  "-s": [bySession, "list of session IDs must follow -s"],
  "-g": [bySession, "list of session leaders OR effective group IDs must follow -g"],
  "-C": [byCommand, "list of command names must follow -C"],
  "-t": [byTerminal, "list of terminals (pty, tty...) must follow -t"],
  "-u": [byUser, "list of effective users must follow -u"],
  "-U": [byRealUser, "list of real users must follow -U"],
  "-G": [byRealGroup, "list of real groups must follow -G"],
  p: [byPid, "list of process IDs must follow p"],
  q: [byPid, "List of process IDs must follow q."],
  t: [byTerminal, "list of terminals (pty, tty...) must follow t"],
  U: [byUser, "list of effective users must follow U"],
  "--pid": [byPid, "list of process IDs must follow --pid"],
  "--quick-pid": [byPid, "list of process IDs must follow --quick-pid"],
  "--ppid": [byParent, "list of process IDs must follow --ppid"],
  "--sid": [bySession, "list of session IDs must follow --sid"],
  "--tty": [byTerminal, "list of terminals (pty, tty...) must follow --tty"],
  "--user": [byUser, "list of effective users must follow --user"],
  "--User": [byRealUser, "list of real users must follow --User"],
  "--group": [byGroup, "list of effective groups must follow --group"],
  "--Group": [byRealGroup, "list of real groups must follow --Group"],
};

/** They widen the choice, or are about the screen. */
const nothing: readonly string[] = ["all", "deselect", "cumulative", "headers", "heading", "context"].map((name) => `--${name}`);
const widths: readonly string[] = ["cols", "columns", "width", "rows", "lines"].map((name) => `--${name}`);
const headless: readonly string[] = ["no-headers", "no-header", "no-headings", "no-heading", "noheaders", "noheading"].map(
  (name) => `--${name}`,
);

interface Parsing {
  readonly words: Words;
  readonly draft: Draft;
  readonly names: AccountNames;
}

function select({ words, draft, names }: Parsing, option: string, rest: string): boolean {
  const found = Object.hasOwn(selecting, option) ? selecting[option] : undefined;
  if (found === undefined) return false;
  draft.selectors.push(found[0](words.listFor(rest, found[1]), names));
  return true;
}

function parseLong(parsing: Parsing, word: string): void {
  const { words, draft } = parsing;
  const [, option = "", rest = ""] = /^(--[^=]*)=?(.*)$/.exec(word) ?? [];
  if (nothing.includes(option)) return;
  if (option === "--format") draft.custom.push(...customColumns(words.listFor(rest, "format specification must follow --format")));
  else if (option === "--sort") draft.order.push(...sortKeys(words.listFor(rest, "long sort specification must follow --sort")));
  else if (option === "--forest") draft.tree = "marked";
  else if (headless.includes(option)) draft.headless = true;
  else if (widths.includes(option)) words.listFor(rest, "number of columns must follow --cols, --width, or --columns");
  else if (!select(parsing, option, rest)) throw failed("unknown gnu long option");
}

function parseSystem(parsing: Parsing, cluster: string): void {
  const { words, draft } = parsing;
  const { letters } = draft.format;
  for (let at = 0; at < cluster.length; at++) {
    const letter = cluster[at] ?? "";
    const rest = cluster.slice(at + 1);
    if (letter === "o") return void draft.custom.push(...customColumns(words.listFor(rest, "format specification must follow -o")));
    if (letter === "O") {
      if (draft.custom.length > 0) throw failed("option -O can not follow other format options");
      return void draft.inserted.push(...customColumns(words.listFor(rest, "format or sort specification must follow -O")));
    }
    if (select(parsing, `-${letter}`, rest)) return;
    if ("fFljcyPMZ".includes(letter)) letters.add(letter);
    else if (letter === "H") draft.tree = "plain";
    else if (letter === "L" || letter === "T") {
      letters.add(letter);
      draft.threads = true;
    } else if (!"AaedNw".includes(letter)) throw failed("unsupported SysV option");
  }
}

function parseBsd(parsing: Parsing, cluster: string): void {
  const { words, draft } = parsing;
  draft.bsd = true;
  if (/^\d+(,\d+)*$/.test(cluster)) return void draft.selectors.push(byPid(cluster, parsing.names));
  for (let at = 0; at < cluster.length; at++) {
    const letter = cluster[at] ?? "";
    const rest = cluster.slice(at + 1);
    if (letter === "o") return void draft.custom.push(...customColumns(words.listFor(rest, "format specification must follow o")));
    if (letter === "O")
      return void draft.inserted.push(...customColumns(words.listFor(rest, "format or sort specification must follow O")));
    if (letter === "k") return void draft.order.push(...sortKeys(words.listFor(rest, "long sort specification must follow 'k'")));
    if (select(parsing, letter, rest)) return;
    if ("uvljs".includes(letter)) {
      if (draft.bsdFormat !== "" && draft.bsdFormat !== letter) throw failed("conflicting format options");
      draft.bsdFormat = letter;
    } else if ("cnMZ".includes(letter)) draft.format.letters.add(letter);
    else if (letter === "H") draft.threads = true;
    else if (letter === "e") draft.environment = true;
    else if (letter === "f") draft.tree = "marked";
    else if (letter === "h" || letter === "L") draft.headless = true;
    else if (letter === "r") draft.selectors.push((process) => process.state === "R" || process.state === "D");
    else if (!"axgSTw".includes(letter)) throw failed("unsupported option (BSD syntax)");
  }
}

/** @param bsdOnly dashes mean nothing: what ps makes of `-aux` */
function parse(args: string, names: AccountNames, bsdOnly: boolean): Draft {
  const parsing: Parsing = { words: new Words(args), draft: new Draft(), names };
  for (let word = parsing.words.next(); word !== undefined; word = parsing.words.next()) {
    if (word === "-") throw failed("garbage option");
    if (word.startsWith("--")) parseLong(parsing, word);
    else if (word.startsWith("-") && !bsdOnly) parseSystem(parsing, word.slice(1));
    else parseBsd(parsing, word.replace(/^-/, ""));
  }
  return parsing.draft;
}

/** Docker takes ps's output apart by the column of this title: nobody else may have it. @throws System */
export function checkPsTitles(args: string): void {
  for (const [, name = "", title = ""] of ` ${args}`.matchAll(/\s+(\w*)=\s*(PID\S*)/g)) {
    if (name !== "pid") throw systemError(`specifying "${name}=${title}" is not allowed`);
  }
}

/** @throws System, as Docker has it when ps fails */
export function parsePsArguments(args: string, names: AccountNames): PsRequest {
  const draft = parseEitherWay(args, names);
  const { threads, environment, tree, order, selectors } = draft;
  return { columns: draft.columns(), threads, environment, tree, order, selectors };
}

/** What makes no sense with its dash may without. */
function parseEitherWay(args: string, names: AccountNames): Draft {
  try {
    return parse(args, names, false);
  } catch (error) {
    if (!/(^|\s)-[^-\s]/.test(args)) throw error;
    try {
      return parse(args, names, true);
    } catch {
      throw error;
    }
  }
}
