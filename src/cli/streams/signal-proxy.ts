import { constants } from "node:os";
import type { EngineClient } from "../../client/engine-client.ts";

/** Signals that concern this process alone, that nobody can catch, or that are the fault of the program itself. */
const kept = new Set(
  "SIGCHLD SIGPIPE SIGURG SIGKILL SIGSTOP SIGWINCH SIGPROF SIGSEGV SIGBUS SIGFPE SIGILL SIGSYS SIGTRAP SIGABRT SIGIOT SIGCLD SIGSTKFLT SIGPOLL SIGIO SIGUNUSED SIGTTIN SIGTTOU SIGTSTP SIGVTALRM".split(
    " ",
  ),
);

/** Sends the signals that reach this process to the container's; disposing ends that. */
export function proxySignals(client: EngineClient, id: string): Disposable {
  const handlers = new Map<NodeJS.Signals, () => void>();
  for (const name of Object.keys(constants.signals) as NodeJS.Signals[]) {
    if (kept.has(name)) continue;
    const handler = (): void => {
      // A container that has ended already, or not started yet, cannot be told.
      client.send("POST", `/containers/${id}/kill`, { query: { signal: name } }).catch(() => {});
    };
    try {
      process.on(name, handler);
    } catch {
      continue; // The platform does not let this one be caught.
    }
    handlers.set(name, handler);
  }
  return {
    [Symbol.dispose]: () => {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}
