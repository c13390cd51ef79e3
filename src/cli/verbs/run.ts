import { parseDetachKeys } from "../../base/detach-keys.ts";
import { invalidParameter, isEngineError, messageOf } from "../../base/errors.ts";
import type { EngineClient, Hijacked } from "../../client/engine-client.ts";
import type { ContainerCreateRequest } from "../../spec/spec.ts";
import { type Command, type Context, ExitError, RunError } from "../command.ts";
import { createContainer } from "../create-container.ts";
import type { FlagSpec, FlagValues } from "../flags/flag.ts";
import { containerFlags } from "../options/container-flags-table.ts";
import { containerRequest } from "../options/container-request.ts";
import { registerWait } from "../register-wait.ts";
import { detachKeysOf } from "../streams/detach-keys.ts";
import { runSession, type SessionEnd } from "../streams/session.ts";
import { proxySignals } from "../streams/signal-proxy.ts";
import { checkTerminal, followTerminalSize, rawTerminal, terminalSize } from "../streams/terminal.ts";

const runFlags: readonly FlagSpec[] = [
  ...containerFlags,
  { name: "detach", short: "d", type: "bool", help: "Run in the background and print the container's ID" },
  { name: "detach-keys", type: "string", help: "Keys that detach from the container" },
  { name: "sig-proxy", type: "bool", help: "Pass signals on to the process", default: "true" },
];

/** Exit status of a container that could not be started: what a shell would say of the command. */
function startFailureStatus(message: string): number {
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(message)) return 127;
  return /permission denied|is a directory/.test(message) ? 126 : 125;
}

class Run {
  readonly #context: Context;
  readonly #client: EngineClient;
  readonly #flags: FlagValues;
  readonly #request: ContainerCreateRequest;

  constructor(context: Context, client: EngineClient, flags: FlagValues, request: ContainerCreateRequest) {
    this.#context = context;
    this.#client = client;
    this.#flags = flags;
    this.#request = request;
  }

  async #start(id: string): Promise<void> {
    try {
      await this.#client.send("POST", `/containers/${id}/start`);
    } catch (error) {
      throw new RunError(messageOf(error), startFailureStatus(messageOf(error)));
    }
  }

  async detached(): Promise<number> {
    const id = await createContainer(this.#context, this.#client, this.#flags, this.#request);
    // The id comes first: somebody whose container does not start wants to look at it.
    this.#context.out(`${id}\n`);
    await this.#start(id);
    return 0;
  }

  #session(hijacked: Hijacked, keys: string): Promise<SessionEnd> {
    const request = this.#request;
    return runSession(hijacked, {
      tty: request.Tty === true,
      stdin: request.AttachStdin === true,
      stdout: request.AttachStdout === true,
      stderr: request.AttachStderr === true,
      detachKeys: parseDetachKeys(keys),
    });
  }

  async attached(): Promise<number> {
    const { AttachStdin: stdin = false, AttachStdout: stdout = false, AttachStderr: stderr = false, Tty: tty = false } = this.#request;
    const client = this.#client;
    const keys = detachKeysOf(this.#context, this.#flags);
    const id = await createContainer(this.#context, client, this.#flags, this.#request);
    using _signals = this.#flags.bool("sig-proxy") ? proxySignals(client, id) : undefined;
    if (!stdout && !stderr) this.#context.out(`${id}\n`);
    const hijacked = await client.hijack(`/containers/${id}/attach`, {
      query: { stream: true, stdin, stdout, stderr, detachKeys: keys },
    });
    const wait = await registerWait(client, id, this.#flags.bool("rm") ? "removed" : "next-exit");
    using _raw = tty && stdin ? rawTerminal() : undefined;
    const session = this.#session(hijacked, keys);
    try {
      await this.#start(id);
    } catch (error) {
      hijacked.socket.destroy();
      await session.catch(() => {});
      // The daemon removes it: the caller finds nothing of it left.
      if (this.#flags.bool("rm")) await wait().catch(() => {});
      throw error;
    }
    using _size = tty && process.stdout.isTTY ? followTerminalSize(client, `/containers/${id}`) : undefined;
    if ((await session) === "detached") return 0;
    return wait();
  }
}

export const command: Command = {
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  args: { least: 1 },
  completes: "images",
  completesFirst: true,
  flags: runFlags,
  interspersed: false,
  async run(context, flags, [image = "", ...words]) {
    const detach = flags.bool("detach");
    if (detach && flags.list("attach").length > 0) throw invalidParameter("conflicting options: cannot specify both --attach and --detach");
    const request = containerRequest(flags, image, words);
    if (!detach) checkTerminal(request.AttachStdin === true, request.Tty === true);
    try {
      parseDetachKeys(flags.string("detach-keys"));
      const size = request.Tty === true ? terminalSize() : undefined;
      if (size !== undefined) request.HostConfig = { ...request.HostConfig, ConsoleSize: [size.rows, size.columns] };
      const run = new Run(context, context.startedClient(), flags, request);
      const attach = request.AttachStdin === true || request.AttachStdout === true || request.AttachStderr === true;
      return await (detach || !attach ? run.detached() : run.attached());
    } catch (error) {
      if (isEngineError(error) || (error instanceof ExitError && error.status === 1)) throw new RunError(messageOf(error));
      throw error;
    }
  },
};
