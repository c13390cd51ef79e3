import { messageOf } from "../../base/errors.ts";
import type { ContainerInspectResponse } from "../../spec/spec.ts";
import { attachContainer } from "../attach-container.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { containerPath } from "../object-paths.ts";
import { detachKeysOf } from "../streams/detach-keys.ts";

async function startAll(context: Context, names: readonly string[]): Promise<number> {
  const client = context.client();
  const failed: string[] = [];
  for (const name of names) {
    try {
      await client.send("POST", `${containerPath(name)}/start`);
      context.out(`${name}\n`);
    } catch (error) {
      context.err(`${messageOf(error)}\n`);
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new ExitError(1, `Error: failed to start containers: ${failed.join(", ")}`);
  return 0;
}

async function startAttached(context: Context, flags: FlagValues, name: string): Promise<number> {
  const client = context.client();
  const container = await client.json<ContainerInspectResponse>("GET", `${containerPath(name)}/json`);
  const status = await attachContainer(client, container, {
    stdin: flags.bool("interactive") && container.Config?.OpenStdin === true,
    detachKeys: detachKeysOf(context, flags),
    proxySignals: container.Config?.Tty !== true,
    condition: container.HostConfig?.AutoRemove === true ? "removed" : "next-exit",
    start: () => client.send("POST", `/containers/${container.Id}/start`),
  });
  return status ?? 0;
}

export const command: Command = {
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { least: 1 },
  completes: "stopped",
  flags: [
    { name: "attach", short: "a", type: "bool", help: "Attach STDOUT and STDERR, and pass signals on" },
    { name: "detach-keys", type: "string", help: "Keys that detach from the container" },
    { name: "interactive", short: "i", type: "bool", help: "Attach STDIN" },
  ],
  async run(context, flags, names) {
    if (!flags.bool("attach") && !flags.bool("interactive")) return startAll(context, names);
    if (names.length > 1) throw new ExitError(1, "you cannot start and attach multiple containers at once");
    return startAttached(context, flags, names[0] ?? "");
  },
};
