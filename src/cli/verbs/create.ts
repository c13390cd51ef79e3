import type { Command } from "../command.ts";
import { createContainer } from "../create-container.ts";
import { containerFlags } from "../options/container-flags-table.ts";
import { containerRequest } from "../options/container-request.ts";

export const command: Command = {
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  args: { least: 1 },
  completes: "images",
  completesFirst: true,
  flags: containerFlags,
  interspersed: false,
  async run(context, flags, [image = "", ...words]) {
    const request = containerRequest(flags, image, words);
    const id = await createContainer(context, context.startedClient(), flags, request);
    context.out(`${id}\n`);
    return 0;
  },
};
