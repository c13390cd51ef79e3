import type { ContainerInspectResponse } from "../../spec/spec.ts";
import { attachContainer } from "../attach-container.ts";
import { type Command, ExitError } from "../command.ts";
import { containerPath } from "../object-paths.ts";
import { detachKeysOf } from "../streams/detach-keys.ts";

export const command: Command = {
  usage: "[OPTIONS] CONTAINER",
  args: { least: 1, most: 1 },
  completes: "running",
  flags: [
    { name: "detach-keys", type: "string", help: "Keys that detach from the container" },
    { name: "no-stdin", type: "bool", help: "Do not attach STDIN" },
    { name: "sig-proxy", type: "bool", help: "Pass signals on to the process", default: "true" },
  ],
  async run(context, flags, [name = ""]) {
    const client = context.client();
    const container = await client.json<ContainerInspectResponse>("GET", `${containerPath(name)}/json`);
    if (container.State?.Running !== true) throw new ExitError(1, "You cannot attach to a stopped container, start it first");
    if (container.State.Paused === true) throw new ExitError(1, "You cannot attach to a paused container, unpause it first");
    if (container.State.Restarting === true)
      throw new ExitError(1, "You cannot attach to a restarting container, wait until it is running");
    const status = await attachContainer(client, container, {
      stdin: !flags.bool("no-stdin") && container.Config?.OpenStdin === true,
      detachKeys: detachKeysOf(context, flags),
      proxySignals: flags.bool("sig-proxy") && container.Config?.Tty !== true,
      condition: "not-running",
      start: undefined,
    });
    if (status === undefined) throw new ExitError(1, "read escape sequence");
    return status;
  },
};
