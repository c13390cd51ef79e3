import { type Command, ExitError } from "../command.ts";

/** `berth registry serve`, `gc` and `passwd` are answered by the launcher, which starts the registry's own program; this is their entry in the help. */
export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0 },
  flags: [],
  interspersed: false,
  run: async () => {
    throw new ExitError(1, "start the registry with 'berth registry serve' as the first words of the command line");
  },
};
