import type { Context } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";

/** As the flag or the configuration has them; empty: the usual ones. */
export function detachKeysOf(context: Context, flags: FlagValues): string {
  const given = flags.string("detach-keys");
  return given === "" ? context.configuration().text("detachKeys") : given;
}
