import type { FilesystemChange } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import { containerPath } from "../object-paths.ts";

const letters = ["C", "A", "D"];

export const command: Command = {
  usage: "CONTAINER",
  args: { least: 1, most: 1 },
  completes: "containers",
  flags: [],
  async run(context, _flags, [name = ""]) {
    if (name === "") throw new ExitError(1, "Container name cannot be empty");
    const changes = await context.client().json<FilesystemChange[] | null>("GET", `${containerPath(name)}/changes`);
    context.out((changes ?? []).map(({ Kind, Path }) => `${letters[Kind] ?? ""} ${Path}\n`).join(""));
    return 0;
  },
};
