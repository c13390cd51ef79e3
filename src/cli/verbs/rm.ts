import { isEngineError, messageOf } from "../../base/errors.ts";
import { type Command, ExitError } from "../command.ts";
import { eachTarget } from "../each-target.ts";
import { containerPath } from "../object-paths.ts";

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  completes: "containers",
  flags: [
    { name: "force", short: "f", type: "bool", help: "Remove a running container too (with SIGKILL)" },
    { name: "link", short: "l", type: "bool", help: "Remove the link of that name" },
    { name: "volumes", short: "v", type: "bool", help: "Remove its anonymous volumes" },
  ],
  async run(context, flags, names) {
    const client = context.client();
    const force = flags.bool("force");
    return eachTarget(context, names, async (given) => {
      const name = given.replace(/^\/+|\/+$/g, "");
      if (name === "") throw new ExitError(1, "container name cannot be empty");
      try {
        await client.send("DELETE", containerPath(name), {
          query: { force, v: flags.bool("volumes"), link: flags.bool("link") },
        });
        return given;
      } catch (error) {
        // Gone is what was asked for.
        if (!force || !isEngineError(error, "NotFound")) throw error;
        context.err(`${messageOf(error)}\n`);
        return undefined;
      }
    });
  },
};
