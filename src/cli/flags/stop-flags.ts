import type { Query } from "../../client/engine-client.ts";
import { ExitError } from "../command.ts";
import type { FlagSpec, FlagValues } from "./flag.ts";

/** The flags that `stop` and `restart` share. */
export const stopFlags: readonly FlagSpec[] = [
  { name: "signal", short: "s", type: "string", help: "Signal that asks the container to end" },
  { name: "time", type: "int", help: "Seconds to wait before it is killed", default: "0", hidden: true },
  { name: "timeout", short: "t", type: "int", help: "Seconds to wait before it is killed (-1: for ever)", default: "0" },
];

export function stopQuery(flags: FlagValues): Query {
  if (flags.changed("time") && flags.changed("timeout"))
    throw new ExitError(1, "conflicting options: cannot specify both --timeout and --time");
  const name = flags.changed("time") ? "time" : "timeout";
  return { signal: flags.string("signal"), t: flags.changed(name) ? flags.number(name) : undefined };
}
