/** What `attach` and `start --attach` share: a terminal, a session, the exit status. */
import { parseDetachKeys } from "../base/detach-keys.ts";
import type { EngineClient } from "../client/engine-client.ts";
import type { ContainerInspectResponse } from "../spec/spec.ts";
import { registerWait } from "./register-wait.ts";
import { runSession } from "./streams/session.ts";
import { proxySignals } from "./streams/signal-proxy.ts";
import { checkTerminal, followTerminalSize, rawTerminal, terminalSize } from "./streams/terminal.ts";

export interface AttachRequest {
  readonly stdin: boolean;
  /** Empty: the default ones. */
  readonly detachKeys: string;
  readonly proxySignals: boolean;
  readonly condition: "not-running" | "next-exit" | "removed";
  /** Run after the streams are joined. */
  readonly start: (() => Promise<void>) | undefined;
}

/** Joins this process's streams to a container's that exists. @returns its exit status, or undefined when the user detached */
export async function attachContainer(
  client: EngineClient,
  container: ContainerInspectResponse,
  request: AttachRequest,
): Promise<number | undefined> {
  const id = container.Id ?? "";
  const tty = container.Config?.Tty === true;
  const { stdin, detachKeys } = request;
  checkTerminal(stdin, tty);
  const keys = parseDetachKeys(detachKeys);
  using _signals = request.proxySignals ? proxySignals(client, id) : undefined;
  const hijacked = await client.hijack(`/containers/${id}/attach`, {
    query: { stream: true, stdin, stdout: true, stderr: true, detachKeys },
  });
  const wait = await registerWait(client, id, request.condition);
  using _raw = tty && stdin ? rawTerminal() : undefined;
  const session = runSession(hijacked, { tty, stdin, stdout: true, stderr: true, detachKeys: keys });
  try {
    await request.start?.();
  } catch (error) {
    hijacked.socket.destroy();
    await session.catch(() => {});
    throw error;
  }
  const size = tty ? terminalSize() : undefined;
  // A shell draws its prompt anew when the size changes, and only then.
  if (size !== undefined && request.start === undefined)
    await client.send("POST", `/containers/${id}/resize`, { query: { h: size.rows + 1, w: size.columns + 1 } }).catch(() => {});
  using _size = tty && process.stdout.isTTY ? followTerminalSize(client, `/containers/${id}`) : undefined;
  return (await session) === "detached" ? undefined : wait();
}
