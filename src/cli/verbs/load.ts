import { createReadStream, existsSync } from "node:fs";
import { type Command, ExitError } from "../command.ts";
import { platformFlag } from "../flags/list-flags.ts";
import { platformQuery } from "../options/platform.ts";
import { type ProgressMessage, printProgress } from "../output/progress.ts";

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [
    { name: "input", short: "i", type: "string", help: "Read from a tar archive instead of STDIN" },
    { ...platformFlag, help: 'Load only this platform ("os[/arch[/variant]]")' },
    { name: "quiet", short: "q", type: "bool", help: "Show no progress" },
  ],
  async run(context, flags) {
    const path = flags.string("input");
    if (path === "" && process.stdin.isTTY) throw new ExitError(1, "requested load from stdin, but stdin is empty");
    if (path !== "" && !existsSync(path)) throw new ExitError(1, `open ${path}: no such file or directory`);
    const client = context.startedClient();
    const platform = await platformQuery(client, "platform", [flags.string("platform")], 48);
    const quiet = flags.bool("quiet") || !process.stdout.isTTY;
    const messages = client.lines<ProgressMessage>("POST", "/images/load", {
      query: { quiet, ...platform },
      stream: path === "" ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 }),
    });
    await printProgress(messages, 1);
    return 0;
  },
};
