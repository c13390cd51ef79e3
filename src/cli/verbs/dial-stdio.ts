import { pipeline } from "node:stream/promises";
import { dial } from "../../client/connection.ts";
import type { Command } from "../command.ts";
import { writeAll } from "../output/write.ts";

/** The other end of `ssh://`: joins standard input and output to the daemon's socket. */
export const command: Command = {
  usage: "",
  args: { least: 0, most: 0 },
  flags: [],
  async run(context) {
    const socket = await dial(context.client().address);
    const input = pipeline(process.stdin, socket, { end: true }).catch(() => {});
    try {
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        writeAll(1, chunk as Buffer);
      }
    } finally {
      // What is still to come of the input has nobody to go to.
      socket.destroy();
      process.stdin.destroy();
      await input;
    }
    return 0;
  },
};
