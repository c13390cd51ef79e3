import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { unavailable } from "../base/errors.ts";
import { defaultHost } from "../client/address.ts";
import { EngineClient, isNotRunning } from "../client/engine-client.ts";

const readyWithinMs = 20_000;

/** The checkout: the bundle lies in build/dist, the source in src/cli. */
const projectRoot = (): string => resolve(dirname(process.argv[1] ?? "."), "../..");

async function answers(): Promise<boolean> {
  try {
    await new EngineClient(defaultHost).ping();
    return true;
  } catch (error) {
    if (isNotRunning(error)) return false;
    throw error;
  }
}

function tail(path: string, from: number): string {
  return readFileSync(path).subarray(from).toString().trimEnd().split("\n").slice(-20).join("\n");
}

/**
 * Starts a daemon on the default socket in the background, in a session of its own, and waits until it is
 * ready. `say` gets what is told to the user.
 * @throws Unavailable with the end of its log when it does not become ready
 */
export async function startDaemon(say: (text: string) => void): Promise<void> {
  const folder = dirname(defaultHost.slice("unix://".length));
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const log = join(folder, "berthd.log");
  const descriptor = openSync(log, "a", 0o600);
  const before = statSync(log).size;
  say(`No Berth daemon answers at ${defaultHost}: starting one in the background (log: ${log})\n`);
  const child = spawn(join(projectRoot(), "berthd"), [], { detached: true, stdio: ["ignore", descriptor, descriptor], cwd: "/" });
  let ended = false;
  child.once("exit", () => {
    ended = true;
  });
  child.once("error", () => {
    ended = true;
  });
  const until = Date.now() + readyWithinMs;
  for (;;) {
    if (await answers()) break;
    // Of two that are started at once, one ends; the other answers.
    if (ended && !(await answersSoon())) throw unavailable(`the Berth daemon did not start; the end of ${log}:\n${tail(log, before)}`);
    if (Date.now() > until)
      throw unavailable(
        `the Berth daemon did not become ready in ${readyWithinMs / 1000} seconds; the end of ${log}:\n${tail(log, before)}`,
      );
    await sleep(10);
  }
  child.unref();
}

async function answersSoon(): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    if (await answers()) return true;
    await sleep(50);
  }
  return false;
}
