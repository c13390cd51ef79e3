import { isEngineError, messageOf } from "../../base/errors.ts";
import type { ImageDeleteResponseItem } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import { platformQuery } from "../options/platform.ts";

export const command: Command = {
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { least: 1 },
  completes: "images",
  flags: [
    { name: "force", short: "f", type: "bool", help: "Remove it though containers or names use it" },
    { name: "no-prune", type: "bool", help: "Keep its untagged parents" },
    { name: "platform", type: "strings", many: true, help: 'Remove only this platform ("os[/arch[/variant]]")' },
  ],
  async run(context, flags, names) {
    const client = context.client();
    const force = flags.bool("force");
    const platforms = await platformQuery(client, "platforms", flags.list("platform"), 50);
    const failures: string[] = [];
    let fatal = false;
    for (const name of names) {
      try {
        const removed = await client.json<ImageDeleteResponseItem[]>("DELETE", `/images/${encodeURI(name)}`, {
          query: { force, noprune: flags.bool("no-prune"), ...platforms },
        });
        for (const item of removed) context.out(item.Deleted === undefined ? `Untagged: ${item.Untagged}\n` : `Deleted: ${item.Deleted}\n`);
      } catch (error) {
        fatal ||= !isEngineError(error, "NotFound");
        failures.push(messageOf(error));
      }
    }
    if (failures.length === 0) return 0;
    if (!force || fatal) throw new ExitError(1, failures.join("\n"));
    context.err(`${failures.join("\n")}\n`);
    return 0;
  },
};
