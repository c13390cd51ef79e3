import type { ContainerWaitResponse } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { eachTarget } from "../each-target.ts";

export const command: Command = {
  usage: "CONTAINER [CONTAINER...]",
  args: { least: 1 },
  flags: [],
  async run(context, _flags, names) {
    const client = context.client();
    return eachTarget(context, names, async (name) => {
      const result = await client.json<ContainerWaitResponse>("POST", `/containers/${encodeURIComponent(name)}/wait`);
      return String(result.StatusCode);
    });
  },
};
