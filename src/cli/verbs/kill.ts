import type { Command } from "../command.ts";
import { eachTarget } from "../each-target.ts";

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  flags: [{ name: "signal", short: "s", type: "string", help: "Signal to send" }],
  async run(context, flags, names) {
    const client = context.client();
    return eachTarget(context, names, async (name) => {
      await client.send("POST", `/containers/${encodeURIComponent(name)}/kill`, { query: { signal: flags.string("signal") } });
      return name;
    });
  },
};
