import { type Command, ExitError } from "../command.ts";

export const command: Command = {
  usage: "CONTAINER NEW_NAME",
  args: { least: 2, most: 2 },
  completes: "containers",
  flags: [],
  async run(context, _flags, [from = "", to = ""]) {
    if (from.trim() === "" || to.trim() === "") throw new ExitError(1, "Error: Neither old nor new names may be empty");
    await context.client().send("POST", `/containers/${encodeURIComponent(from)}/rename`, { query: { name: to } });
    return 0;
  },
};
