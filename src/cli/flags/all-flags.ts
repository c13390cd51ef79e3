import type { Command } from "../command.ts";
import type { FlagSpec } from "./flag.ts";

/** The verb's own flags, and those that every verb has. */
export function allFlags(command: Command): readonly FlagSpec[] {
  const flags = [...command.flags];
  if (!flags.some((flag) => flag.name === "help")) flags.push({ name: "help", type: "bool", help: "Print usage", hidden: true });
  if (flags.some((flag) => flag.name === "format"))
    flags.push({ name: "json", type: "bool", help: "The same as --format json", hidden: true });
  return flags;
}
