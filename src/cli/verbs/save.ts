import type { Command } from "../command.ts";
import { platformFlag } from "../flags/list-flags.ts";
import { platformQuery } from "../options/platform.ts";
import { checkArchivePath, writeArchive } from "../output/archive-file.ts";

export const command: Command = {
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { least: 1 },
  completes: "images",
  flags: [
    { name: "output", short: "o", type: "string", help: "Write to a file instead of STDOUT" },
    { ...platformFlag, help: 'Save only this platform ("os[/arch[/variant]]")' },
  ],
  async run(context, flags, names) {
    const path = flags.string("output");
    checkArchivePath(path, "failed to save image");
    const client = context.client();
    const platform = await platformQuery(client, "platform", [flags.string("platform")], 48);
    const response = await client.call("GET", "/images/get", { query: { names, ...platform } });
    await writeArchive(path, response.body);
    return 0;
  },
};
