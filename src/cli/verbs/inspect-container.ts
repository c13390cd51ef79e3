import type { Command } from "../command.ts";
import { inspectFormatFlag } from "../flags/list-flags.ts";
import { inspectObjects } from "../inspect-objects.ts";
import { containerPath } from "../object-paths.ts";

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  completes: "containers",
  flags: [inspectFormatFlag, { name: "size", short: "s", type: "bool", help: "Show the sizes of files" }],
  async run(context, flags, names) {
    const client = context.client();
    const query = { size: flags.bool("size") };
    return inspectObjects(context, names, flags.string("format"), async (name) => ({
      kind: "container",
      json: await client.text("GET", `${containerPath(name)}/json`, { query }),
    }));
  },
};
