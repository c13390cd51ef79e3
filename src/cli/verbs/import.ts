import { createReadStream, existsSync } from "node:fs";
import { parseReference } from "../../base/reference.ts";
import { type Command, ExitError } from "../command.ts";
import { platformFlag } from "../flags/list-flags.ts";
import { type ProgressMessage, printProgress } from "../output/progress.ts";

export const command: Command = {
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  args: { least: 1 },
  flags: [
    { name: "change", short: "c", type: "list", many: true, help: "Apply a Dockerfile instruction to the image" },
    { name: "message", short: "m", type: "string", help: "Message for the image's history" },
    platformFlag,
  ],
  async run(context, flags, [source = "", name = ""]) {
    if (name !== "") parseReference(name);
    const remote = /^(https?|ftp):\/\//.test(source);
    if (!remote && source !== "-" && !existsSync(source)) throw new ExitError(1, `open ${source}: no such file or directory`);
    const client = context.startedClient();
    const messages = client.lines<ProgressMessage>("POST", "/images/create", {
      query: {
        fromSrc: remote ? source : "-",
        repo: name,
        message: flags.string("message"),
        platform: flags.string("platform").toLowerCase(),
        changes: flags.list("change"),
      },
      ...(remote ? {} : { stream: source === "-" ? process.stdin : createReadStream(source, { highWaterMark: 1 << 20 }) }),
    });
    await printProgress(messages, 1);
    return 0;
  },
};
