import { parseDetachKeys } from "../../base/detach-keys.ts";
import { messageOf } from "../../base/errors.ts";
import type { ExecInspectResponse } from "../../spec/spec.ts";
import type { Command, Context } from "../command.ts";
import { ExitError } from "../command.ts";
import { checkEnvironment } from "../flags/check-option.ts";
import type { FlagSpec, FlagValues } from "../flags/flag.ts";
import { containerPath } from "../object-paths.ts";
import { readEnvironment } from "../options/files.ts";
import { detachKeysOf } from "../streams/detach-keys.ts";
import { runSession } from "../streams/session.ts";
import { checkTerminal, followTerminalSize, rawTerminal, terminalSize } from "../streams/terminal.ts";

const execFlags: readonly FlagSpec[] = [
  { name: "detach", short: "d", type: "bool", help: "Run in the background" },
  { name: "detach-keys", type: "string", help: "Keys that detach from the command" },
  { name: "env", short: "e", type: "list", many: true, help: "Set environment variables", check: checkEnvironment },
  { name: "env-file", type: "list", many: true, help: "Read environment variables from a file" },
  { name: "interactive", short: "i", type: "bool", help: "Keep STDIN open even if not attached" },
  { name: "privileged", type: "bool", help: "Give the command all privileges" },
  { name: "tty", short: "t", type: "bool", help: "Allocate a terminal" },
  { name: "user", short: "u", type: "string", help: "User name or UID (<name|uid>[:<group|gid>])" },
  { name: "workdir", short: "w", type: "string", help: "Working directory inside the container" },
];

function environmentOf(flags: FlagValues): string[] {
  try {
    return readEnvironment(flags.list("env-file"), flags.list("env"));
  } catch (error) {
    throw new ExitError(1, messageOf(error));
  }
}

async function attached(context: Context, flags: FlagValues, id: string): Promise<number> {
  const client = context.client();
  const tty = flags.bool("tty");
  const stdin = flags.bool("interactive");
  const keys = detachKeysOf(context, flags);
  const size = tty ? terminalSize() : undefined;
  const hijacked = await client.hijack(`/exec/${id}/start`, {
    json: { Detach: false, Tty: tty, ...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] }) },
  });
  using _raw = tty && stdin ? rawTerminal() : undefined;
  using _size = tty && process.stdout.isTTY ? followTerminalSize(client, `/exec/${id}`) : undefined;
  const end = await runSession(hijacked, {
    tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: parseDetachKeys(keys),
  });
  if (end === "detached") throw new ExitError(1, "read escape sequence");
  return (await client.json<ExecInspectResponse>("GET", `/exec/${id}/json`)).ExitCode ?? 0;
}

export const command: Command = {
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  args: { least: 2 },
  completes: "running",
  completesFirst: true,
  flags: execFlags,
  interspersed: false,
  async run(context, flags, [container = "", ...words]) {
    const client = context.client();
    const detach = flags.bool("detach");
    const tty = flags.bool("tty");
    if (!detach) checkTerminal(flags.bool("interactive"), tty);
    const size = tty && !detach ? terminalSize() : undefined;
    const { Id } = await client.json<{ Id: string }>("POST", `${containerPath(container)}/exec`, {
      json: {
        User: flags.string("user"),
        Privileged: flags.bool("privileged"),
        Tty: tty,
        ...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] }),
        AttachStdin: !detach && flags.bool("interactive"),
        AttachStdout: !detach,
        AttachStderr: !detach,
        DetachKeys: detachKeysOf(context, flags),
        Env: environmentOf(flags),
        WorkingDir: flags.string("workdir"),
        Cmd: words,
      },
    });
    if (!detach) return attached(context, flags, Id);
    await client.send("POST", `/exec/${Id}/start`, { json: { Detach: true, Tty: tty } });
    return 0;
  },
};
