import { spawnSync } from "node:child_process";
import { isatty } from "node:tty";
import { invalidParameter } from "../../base/errors.ts";
import type { EngineClient } from "../../client/engine-client.ts";

/** @throws InvalidParameter when a terminal is asked for and standard input, which is attached, is none */
export function checkTerminal(attachStdin: boolean, tty: boolean): void {
  if (attachStdin && tty && !isatty(0)) throw invalidParameter("the input device is not a TTY");
}

/** Size of the terminal behind standard output, if it is one. */
export function terminalSize(): { rows: number; columns: number } | undefined {
  const { rows, columns } = process.stdout;
  return process.stdout.isTTY && rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

/**
 * Puts the terminal into raw mode, so that every key reaches the container; disposing restores it. Node leaves
 * the processing of output on, which would add carriage returns to what the container's own terminal has
 * processed already and move full-screen programs' cursors: `stty` turns it off.
 */
export function rawTerminal(): Disposable {
  const input = process.stdin;
  if (!isatty(0)) return { [Symbol.dispose]: () => {} };
  input.setRawMode(true);
  spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
  return { [Symbol.dispose]: () => void input.setRawMode(false) };
}

/**
 * Tells the daemon the terminal's size, now and whenever it changes. Right after a start the terminal may
 * not be there yet, so the first message is repeated a few times.
 * @param path `/containers/ID` or `/exec/ID`
 */
export function followTerminalSize(client: EngineClient, path: string): Disposable {
  const send = async (): Promise<boolean> => {
    const size = terminalSize();
    if (size === undefined) return true;
    try {
      await client.send("POST", `${path}/resize`, { query: { h: size.rows, w: size.columns } });
      return true;
    } catch {
      return false;
    }
  };
  let stopped = false;
  const first = async (left: number): Promise<void> => {
    if (stopped || (await send()) || left === 0) return;
    setTimeout(() => void first(left - 1), 10 * (11 - left)).unref();
  };
  void first(10);
  const changed = (): void => void send();
  process.on("SIGWINCH", changed);
  return {
    [Symbol.dispose]: () => {
      stopped = true;
      process.off("SIGWINCH", changed);
    },
  };
}
