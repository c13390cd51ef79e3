/** The Dockerfile instructions that `import --change` and `commit --change` take, applied to a configuration. */

import { constants } from "node:os";
import { posix } from "node:path";
import { invalidParameter } from "../base/base.ts";
import type { ExecutionConfig } from "../spec/spec.ts";
import { type Environment, expandWord, splitWords } from "./dockerfile-words.ts";
import { parseHealthcheck } from "./healthcheck-instruction.ts";

/** What the instructions work on; `commandSet` says that a CMD was among them. */
interface Draft {
  readonly config: ExecutionConfig;
  commandSet: boolean;
}

type Instruction = (draft: Draft, text: string, keyword: string) => void;

/**
 * @param config is left as it is
 * @param changes one or more lines each
 * @throws InvalidParameter with Docker's wording
 */
export function applyChanges(config: ExecutionConfig, changes: readonly string[]): ExecutionConfig {
  const draft: Draft = { config: structuredClone(config), commandSet: false };
  const lines = logicalLines(changes.join("\n"));
  if (lines.length === 0 && changes.length > 0) throw invalidParameter("file with no instructions");
  for (const line of lines) {
    const [, keyword = "", text = ""] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
    const instruction = instructions[keyword.toUpperCase()];
    if (instruction === undefined) throw invalidParameter(`${keyword} is not a valid change command`);
    instruction(draft, text, keyword.toUpperCase());
  }
  return draft.config;
}

/** Lines joined at a trailing backslash, without comments and empty ones. */
function logicalLines(text: string): string[] {
  const kept = text.split(/\r?\n/).filter((line) => !/^\s*(#|$)/.test(line));
  return kept
    .join("\n")
    .replace(/\\[ \t]*\n/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const instructions: Readonly<Record<string, Instruction>> = {
  CMD(draft, text) {
    draft.config.Cmd = commandOf(draft, text);
    draft.commandSet = true;
  },
  ENTRYPOINT(draft, text) {
    draft.config.Entrypoint = commandOf(draft, text);
    // A command that came with the image was meant for its entrypoint.
    if (!draft.commandSet) draft.config.Cmd = null;
  },
  ENV(draft, text, keyword) {
    for (const [name, value] of namesAndValues(draft, text, keyword)) {
      const env = (draft.config.Env ?? []).filter((entry) => !entry.startsWith(`${name}=`));
      const at = (draft.config.Env ?? []).findIndex((entry) => entry.startsWith(`${name}=`));
      env.splice(at < 0 ? env.length : at, 0, `${name}=${value}`);
      draft.config.Env = env;
    }
  },
  EXPOSE(draft, text, keyword) {
    const ports = wordsOf(draft, text);
    if (ports.length === 0) throw invalidParameter(`${keyword} requires at least one argument`);
    draft.config.ExposedPorts = { ...draft.config.ExposedPorts, ...emptySet(ports.flatMap(portRange)) };
  },
  HEALTHCHECK(draft, text) {
    draft.config.Healthcheck = parseHealthcheck(text);
  },
  LABEL(draft, text, keyword) {
    draft.config.Labels = { ...draft.config.Labels, ...Object.fromEntries(namesAndValues(draft, text, keyword)) };
  },
  ONBUILD(draft, text, keyword) {
    const trigger = /^\S*/.exec(text)?.[0].toUpperCase() ?? "";
    if (trigger === "") throw invalidParameter(`${keyword} requires at least one argument`);
    if (trigger === "ONBUILD") throw invalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === "FROM" || trigger === "MAINTAINER") throw invalidParameter(`${trigger} isn't allowed as an ONBUILD trigger`);
    draft.config.OnBuild = [...(draft.config.OnBuild ?? []), text];
  },
  STOPSIGNAL(draft, text, keyword) {
    const signal = oneWord(draft, text, keyword);
    const name = signal.toUpperCase().replace(/^(SIG)?/, "SIG");
    const isNumber = /^\d+$/.test(signal) && Number(signal) > 0 && Number(signal) <= 64;
    if (!isNumber && !(name in constants.signals) && !/^SIGRTM(IN|AX)([+-]\d+)?$/.test(name))
      throw invalidParameter(`invalid signal: ${signal}`);
    draft.config.StopSignal = signal;
  },
  USER(draft, text, keyword) {
    draft.config.User = oneWord(draft, text, keyword);
  },
  VOLUME(draft, text, keyword) {
    const volumes = jsonWords(text)?.map((word) => expandWord(word, environmentOf(draft))) ?? wordsOf(draft, text);
    if (volumes.length === 0) throw invalidParameter(`${keyword} requires at least one argument`);
    if (volumes.some((volume) => volume.trim() === "")) throw invalidParameter("VOLUME specified can not be an empty string");
    draft.config.Volumes = { ...draft.config.Volumes, ...emptySet(volumes) };
  },
  WORKDIR(draft, text, keyword) {
    if (text === "") throw invalidParameter(`${keyword} requires exactly one argument`);
    draft.config.WorkingDir = posix.resolve("/", draft.config.WorkingDir ?? "", expandWord(text, environmentOf(draft)));
  },
};

function environmentOf(draft: Draft): Environment {
  return Object.fromEntries(
    (draft.config.Env ?? []).map((entry) => {
      const equals = entry.indexOf("=");
      return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function wordsOf(draft: Draft, text: string): string[] {
  return splitWords(text).map((word) => expandWord(word, environmentOf(draft)));
}

function oneWord(draft: Draft, text: string, keyword: string): string {
  const words = wordsOf(draft, text);
  const [word] = words;
  if (word === undefined || words.length !== 1) throw invalidParameter(`${keyword} requires exactly one argument`);
  return word;
}

/** The list of a JSON-form instruction; undefined when the text is in shell form. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

function commandOf(draft: Draft, text: string): string[] {
  return jsonWords(text) ?? (text === "" ? [] : [...(draft.config.Shell ?? ["/bin/sh", "-c"]), text]);
}

/** `a=b c="d e"`, or the old form `a b c`, which is one name and the rest of the line. */
function namesAndValues(draft: Draft, text: string, keyword: string): [string, string][] {
  const words = splitWords(text);
  const [first] = words;
  if (first === undefined) throw invalidParameter(`${keyword} requires at least one argument`);
  const environment = environmentOf(draft);
  if (!first.includes("=")) {
    const value = text.slice(first.length).trim();
    if (value === "") throw invalidParameter(`${keyword} must have two arguments`);
    return [[expandWord(first, environment), expandWord(value, environment)]];
  }
  return words.map((word): [string, string] => {
    const equals = word.indexOf("=");
    if (equals < 0) throw invalidParameter(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    const name = expandWord(word.slice(0, equals), environment);
    if (name === "") throw invalidParameter(`${keyword} names can not be blank`);
    return [name, expandWord(word.slice(equals + 1), environment)];
  });
}

/** `80`, `80/udp`, `8000-8010/tcp` → each port with its protocol. */
function portRange(text: string): string[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > 65535 || last < first) throw invalidParameter(`invalid containerPort: ${text}`);
  return Array.from({ length: last - first + 1 }, (_, offset) => `${first + offset}/${(match[3] ?? "tcp").toLowerCase()}`);
}

function emptySet(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
