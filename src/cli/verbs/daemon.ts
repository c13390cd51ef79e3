import { type Command, ExitError } from "../command.ts";

/** `berth daemon` is answered by the launcher, which starts `berthd` in its place; this is its entry in the help. */
export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0 },
  flags: [],
  interspersed: false,
  run: async () => {
    throw new ExitError(1, "start the daemon with the berthd program, or with 'berth daemon' as the first words of the command line");
  },
};
