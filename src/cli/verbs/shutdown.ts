import { isNotRunning } from "../../client/engine-client.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [{ name: "stop", type: "bool", help: "Stop all containers first" }],
  async run(context, flags) {
    const client = context.client();
    await client.send("POST", "/berth/shutdown", { query: { stop: flags.bool("stop") }, unversioned: true });
    // The daemon answers before it ends; the next command must find it gone.
    for (let tries = 0; tries < 1000; tries++) {
      try {
        await client.ping();
      } catch (error) {
        if (isNotRunning(error)) return 0;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    context.err("the daemon is still shutting down\n");
    return 1;
  },
};
