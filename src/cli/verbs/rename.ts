import { messageOf } from "../../base/errors.ts";
import { type Command, ExitError } from "../command.ts";
import { containerPath } from "../object-paths.ts";

export const command: Command = {
  usage: "CONTAINER NEW_NAME",
  args: { least: 2, most: 2 },
  completes: "containers",
  flags: [],
  async run(context, _flags, [from = "", to = ""]) {
    if (from.trim() === "" || to.trim() === "") throw new ExitError(1, "Error: Neither old nor new names may be empty");
    const client = context.client();
    try {
      await client.send("POST", `${containerPath(from)}/rename`, { query: { name: to } });
    } catch (error) {
      throw new ExitError(1, `${messageOf(error)}\nError: failed to rename container named ${from}`);
    }
    return 0;
  },
};
