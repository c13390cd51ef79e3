/** Verbs that do one thing to each of the containers named, all at once, and print the names of those that did it. */
import type { Query } from "../../client/engine-client.ts";
import type { ContainerWaitResponse } from "../../spec/spec.ts";
import type { Command, Completion } from "../command.ts";
import { eachTarget } from "../each-target.ts";
import type { FlagSpec, FlagValues } from "../flags/flag.ts";
import { stopFlags, stopQuery } from "../flags/stop-flags.ts";
import { containerPath } from "../object-paths.ts";

function action(
  name: string,
  completes: Completion,
  flags: readonly FlagSpec[] = [],
  queryOf: (flags: FlagValues) => Query = () => ({}),
): Command {
  return {
    usage: `${flags.length > 0 ? "[OPTIONS] " : ""}CONTAINER [CONTAINER...]`,
    args: { least: 1 },
    completes,
    flags,
    async run(context, values, names) {
      const client = context.client();
      const query = queryOf(values);
      if (values.has("time") && values.changed("time")) context.out("Flag --time has been deprecated, use --timeout instead\n");
      return eachTarget(context, names, async (container) => {
        await client.send("POST", `${containerPath(container)}/${name}`, { query });
        return container;
      });
    },
  };
}

const signalFlag: FlagSpec = { name: "signal", short: "s", type: "string", help: "Signal to send" };

export const pause: Command = action("pause", "running");
export const unpause: Command = action("unpause", "paused");
export const stop: Command = action("stop", "running", stopFlags, stopQuery);
export const restart: Command = action("restart", "containers", stopFlags, stopQuery);
export const kill: Command = action("kill", "running", [signalFlag], (flags) => ({ signal: flags.string("signal") }));

export const wait: Command = {
  usage: "CONTAINER [CONTAINER...]",
  args: { least: 1 },
  completes: "running",
  flags: [],
  async run(context, _flags, names) {
    const client = context.client();
    return eachTarget(context, names, async (name) => {
      const result = await client.json<ContainerWaitResponse>("POST", `${containerPath(name)}/wait`);
      return String(result.StatusCode);
    });
  },
};
