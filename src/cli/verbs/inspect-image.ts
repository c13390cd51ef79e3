import type { Command } from "../command.ts";
import { inspectFormatFlag, platformFlag } from "../flags/list-flags.ts";
import { inspectObjects } from "../inspect-objects.ts";
import { platformQuery } from "../options/platform.ts";

export const command: Command = {
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { least: 1 },
  completes: "images",
  flags: [inspectFormatFlag, platformFlag],
  async run(context, flags, names) {
    const client = context.client();
    const query = await platformQuery(client, "platform", [flags.string("platform")], 49);
    return inspectObjects(context, names, flags.string("format"), async (name) => ({
      kind: "image",
      json: await client.text("GET", `/images/${encodeURI(name)}/json`, { query }),
    }));
  },
};
