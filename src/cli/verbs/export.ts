import type { Command } from "../command.ts";
import { containerPath } from "../object-paths.ts";
import { checkArchivePath, writeArchive } from "../output/archive-file.ts";

export const command: Command = {
  usage: "[OPTIONS] CONTAINER",
  args: { least: 1, most: 1 },
  completes: "containers",
  flags: [{ name: "output", short: "o", type: "string", help: "Write to a file, instead of STDOUT" }],
  async run(context, flags, [name = ""]) {
    const path = flags.string("output");
    checkArchivePath(path, "failed to export container");
    const response = await context.client().call("GET", `${containerPath(name)}/export`);
    await writeArchive(path, response.body);
    return 0;
  },
};
