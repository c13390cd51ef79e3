import type { Command, Entry } from "./command.ts";
import type { FlagSpec } from "./flags/flag.ts";
import { flagHelp } from "./flags/flag-help.ts";

export const program = "berth";

const columns = (): number => (process.stdout.columns ?? 80) - 1;

/** `Usage:  berth ps [OPTIONS]` without the heading. */
export function usageLine(path: readonly string[], command: Command | undefined): string {
  const words = [program, ...path].join(" ");
  return command === undefined ? words : `${words}${command.usage === "" ? "" : ` ${command.usage}`}`;
}

export function commandHelp(path: readonly string[], entry: Entry, command: Command): string {
  let text = `Usage:  ${usageLine(path, command)}\n\n${entry.summary}\n`;
  if (command.details !== undefined) text += `\n${command.details.join("\n")}\n`;
  if ((entry.paths ?? []).length > 1) text += `\nAliases:\n  ${(entry.paths ?? []).map((one) => `${program} ${one}`).join(", ")}\n`;
  const flags = command.flags.filter((flag) => flag.hidden !== true && flag.name !== "help");
  if (flags.length > 0) text += `\nOptions:\n${flagHelp(command.usage.includes("[ARG...]") ? command.flags : flags, columns())}\n`;
  return text;
}

function listing(entries: readonly Entry[], width: number): string {
  const shown = entries.filter((entry) => entry.hidden !== true);
  return shown.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}\n`).join("");
}

export function groupHelp(path: readonly string[], entry: Entry): string {
  const entries = [...(entry.entries ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  const width = Math.max(...entries.map((one) => one.name.length), 10);
  const usage = `Usage:  ${[program, ...path].join(" ")} COMMAND\n\n${entry.summary}\n\nCommands:\n`;
  return `${usage}${listing(entries, width)}\nRun '${[program, ...path].join(" ")} COMMAND --help' for more information on a command.\n`;
}

export function rootHelp(entries: readonly Entry[], flags: readonly FlagSpec[]): string {
  const common = entries.filter((entry) => entry.common === true);
  const groups = entries.filter((entry) => entry.entries !== undefined);
  groups.sort((a, b) => (a.name < b.name ? -1 : 1));
  const rest = entries.filter((entry) => entry.common !== true && entry.entries === undefined);
  rest.sort((a, b) => (a.name < b.name ? -1 : 1));
  const width = 10;
  return [
    `Usage:  ${program} [OPTIONS] COMMAND\n\nA container engine that takes Docker's place\n`,
    `Common Commands:\n${listing(common, width)}`,
    `Management Commands:\n${listing(groups, width)}`,
    `Commands:\n${listing(rest, width)}`,
    `Global Options:\n${flagHelp(flags, columns())}\n`,
    `Run '${program} COMMAND --help' for more information on a command.\n`,
  ].join("\n");
}
