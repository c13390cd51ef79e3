/** What a shell may offer for the last word of a command line. */
import type { EngineClient } from "../client/engine-client.ts";
import type { ContainerSummary, ImageSummary, NetworkInspect, Volume } from "../spec/spec.ts";
import type { Command, Completion, Context, Entry } from "./command.ts";
import { allFlags } from "./flags/all-flags.ts";
import type { FlagSpec } from "./flags/flag.ts";
import { globalFlags } from "./global-flags.ts";

export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

export interface Completions {
  readonly candidates: readonly Candidate[];
  /** The value goes on behind a candidate: no blank after it. */
  readonly noSpace?: boolean;
  /** Names of files are no candidates. */
  readonly noFiles: boolean;
}

const nothing: Completions = { candidates: [], noFiles: true };
const files: Completions = { candidates: [], noFiles: false };

/** A daemon that does not answer must not hold the shell up. */
const patienceMs = 2000;

const named = (values: readonly string[]): Candidate[] => values.map((value) => ({ value }));

async function containerNames(client: EngineClient, signal: AbortSignal, states: readonly string[] | undefined): Promise<string[]> {
  const all = states === undefined || states.some((state) => !["running", "paused"].includes(state));
  const containers = await client.json<ContainerSummary[]>("GET", "/containers/json", { query: { all }, signal });
  return containers
    .filter((container) => states === undefined || states.includes(container.State ?? ""))
    .flatMap((container) => (container.Names ?? []).map((name) => name.replace(/^\//, "")).filter((name) => !name.includes("/")));
}

async function namesOf(context: Context, kind: Completion): Promise<string[]> {
  const signal = AbortSignal.timeout(patienceMs);
  const client = context.client();
  switch (kind) {
    case "containers":
      return containerNames(client, signal, undefined);
    case "running":
      return containerNames(client, signal, ["running"]);
    case "paused":
      return containerNames(client, signal, ["paused"]);
    case "stopped":
      return containerNames(client, signal, ["created", "exited"]);
    case "images": {
      const images = await client.json<ImageSummary[]>("GET", "/images/json", { signal });
      return images.flatMap((image) => image.RepoTags ?? []).filter((name) => !name.startsWith("<none>"));
    }
    case "volumes": {
      const { Volumes } = await client.json<{ Volumes?: Volume[] | null }>("GET", "/volumes", { signal });
      return (Volumes ?? []).map((volume) => volume.Name);
    }
    case "networks": {
      const networks = await client.json<NetworkInspect[]>("GET", "/networks", { signal });
      return networks.map((network) => network.Name ?? "");
    }
    case "contexts": {
      const { ContextStore } = await import("./contexts/context-store.ts");
      return ["default", ...new ContextStore(context.configuration().folder).list().map((record) => record.Name)];
    }
  }
}

const signals = "HUP INT QUIT ABRT KILL USR1 USR2 ALRM TERM CONT STOP TSTP WINCH".split(" ").map((name) => `SIG${name}`);

/** Flags with few values, or with values that have names. */
const flagValues: Readonly<Record<string, Completion | readonly string[]>> = {
  context: "contexts",
  "config-from": "networks",
  from: "contexts",
  link: "containers",
  "log-driver": ["json-file", "local", "none", "journald", "syslog", "gelf", "fluentd"],
  "log-level": ["debug", "info", "warn", "error", "fatal"],
  net: "networks",
  network: "networks",
  pull: ["always", "missing", "never"],
  restart: ["always", "no", "on-failure", "unless-stopped"],
  signal: signals,
  "stop-signal": signals,
  type: ["container", "image", "network", "volume"],
  "volumes-from": "containers",
};

const starting = (candidates: readonly Candidate[], word: string): Candidate[] =>
  candidates.filter(({ value }) => value.startsWith(word)).sort((a, b) => (a.value < b.value ? -1 : 1));

async function offer(context: Context, what: Completion | readonly string[], word: string): Promise<Completions> {
  const values = typeof what === "string" ? await namesOf(context, what) : what;
  return { candidates: starting(named(values), word), noFiles: true };
}

function flagNames(flags: readonly FlagSpec[], word: string): Completions {
  const candidates = flags.filter((flag) => flag.hidden !== true).map((flag) => ({ value: `--${flag.name}`, description: flag.help }));
  return { candidates: starting(candidates, word), noFiles: true };
}

/** The flag whose value the next word is, as `word` stands before it. */
function awaiting(flags: readonly FlagSpec[], word: string): FlagSpec | undefined {
  if (!word.startsWith("-") || word.includes("=")) return undefined;
  const flag = word.startsWith("--") ? flags.find((one) => one.name === word.slice(2)) : flags.find((one) => one.short === word.at(-1));
  return flag === undefined || flag.type === "bool" ? undefined : flag;
}

/** How many arguments stand in front of the word in question. */
function countArguments(flags: readonly FlagSpec[], words: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (awaiting(flags, word) !== undefined) at++;
    else if (!word.startsWith("-")) count++;
  }
  return count;
}

async function completeArguments(context: Context, command: Command, before: readonly string[], word: string): Promise<Completions> {
  const flags = allFlags(command);
  const own = command.interspersed !== false || countArguments(flags, before) === 0;
  const flag = own ? awaiting(flags, before.at(-1) ?? "") : undefined;
  if (flag !== undefined) {
    const values = flagValues[flag.name];
    return values === undefined ? files : offer(context, values, word);
  }
  if (own && word.startsWith("-")) {
    const equals = word.indexOf("=");
    const values = equals < 0 ? undefined : flagValues[word.slice(2, equals)];
    if (values === undefined) return flagNames(flags, word);
    const found = await offer(context, values, word.slice(equals + 1));
    return { ...found, candidates: found.candidates.map(({ value }) => ({ value: `${word.slice(0, equals + 1)}${value}` })) };
  }
  const position = countArguments(flags, before);
  const { most } = command.args;
  if (most !== undefined && position >= most) return nothing;
  if (command.completesFirst === true && position > 0) return files;
  const kind = typeof command.completes === "object" ? command.completes[position] : command.completes;
  if (kind === undefined) return files;
  if (command.completesPaths !== true) return offer(context, kind, word);
  // A container's name goes on with a colon and a path; a path of this machine needs no daemon.
  const found = await offer(context, kind, word).catch(() => files);
  return { candidates: found.candidates.map(({ value }) => ({ value: `${value}:` })), noSpace: true, noFiles: false };
}

function entryNames(entries: readonly Entry[], word: string): Completions {
  const shown = entries.filter((entry) => entry.hidden !== true);
  return {
    candidates: starting(
      shown.map((entry) => ({ value: entry.name, description: entry.summary })),
      word,
    ),
    noFiles: true,
  };
}

/** Completes the last of the words behind the program's name. */
export async function complete(context: Context, commands: readonly Entry[], words: readonly string[]): Promise<Completions> {
  const before = words.slice(0, -1);
  const word = words.at(-1) ?? "";
  let entries = commands;
  let at = 0;
  for (; at < before.length; at++) {
    const given = before[at] ?? "";
    if (entries === commands && given.startsWith("-")) {
      if (awaiting(globalFlags, given) === undefined) continue;
      if (at === before.length - 1) {
        const values = flagValues[given.replace(/^-c$/, "context").replace(/^-+/, "")];
        return values === undefined ? files : offer(context, values, word);
      }
      at++;
      continue;
    }
    const entry = entries.find((one) => one.name === given || one.aliases?.includes(given) === true);
    if (entry?.load !== undefined) return completeArguments(context, (await entry.load()).command, before.slice(at + 1), word);
    if (entry?.entries === undefined) return nothing;
    entries = entry.entries;
  }
  return entries === commands && word.startsWith("-") ? flagNames(globalFlags, word) : entryNames(entries, word);
}
