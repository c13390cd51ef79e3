import type { Command } from "../command.ts";
import { eachTarget } from "../each-target.ts";
import { stopFlags, stopQuery } from "../flags/stop-flags.ts";

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  flags: stopFlags,
  async run(context, flags, names) {
    const client = context.client();
    const query = stopQuery(flags);
    if (flags.changed("time")) context.out("Flag --time has been deprecated, use --timeout instead\n");
    return eachTarget(context, names, async (name) => {
      await client.send("POST", `/containers/${encodeURIComponent(name)}/restart`, { query });
      return name;
    });
  },
};
