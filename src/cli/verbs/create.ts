import { messageOf } from "../../base/errors.ts";
import type { ContainerCreateRequest } from "../../spec/spec.ts";
import { type Command, RunError } from "../command.ts";
import { createContainer } from "../create-container.ts";
import type { FlagValues } from "../flags/flag.ts";
import { containerFlags } from "../options/container-flags-table.ts";
import { containerRequest } from "../options/container-request.ts";

/** What was typed is refused with a pointer to the help; what the daemon refuses, without. */
function readRequest(flags: FlagValues, image: string, words: readonly string[]): ContainerCreateRequest {
  try {
    return containerRequest(flags, image, words);
  } catch (error) {
    throw new RunError(messageOf(error));
  }
}

export const command: Command = {
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  args: { least: 1 },
  completes: "images",
  completesFirst: true,
  flags: containerFlags,
  interspersed: false,
  async run(context, flags, [image = "", ...words]) {
    const request = readRequest(flags, image, words);
    const id = await createContainer(context, context.startedClient(), flags, request);
    context.out(`${id}\n`);
    return 0;
  },
};
