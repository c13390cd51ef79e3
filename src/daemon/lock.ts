import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errnoOf } from "../base/base.ts";

/**
 * Makes this the only daemon of a data root, until it is disposed of or the process ends in whatever way.
 *
 * Node has no flock(2); a write transaction on a SQLite file of its own holds the same kind of lock, which the
 * kernel lets go of with the process.
 * @throws Error in dockerd's words when another daemon has it
 */
export function lockDataRoot(dataRoot: string): Disposable {
  const database = new DatabaseSync(join(dataRoot, "lock.db"), { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode=MEMORY; PRAGMA cache_size=-16; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw new Error(`failed to start daemon: another Berth daemon uses ${dataRoot}: timeout waiting for its lock`, { cause: error });
  }
  return { [Symbol.dispose]: () => database.close() };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

/** The pid in the file; undefined when there is none, or it is of a process that has ended. */
function runningPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8").trim());
    return Number.isInteger(pid) && pid > 0 && pid !== process.pid && isAlive(pid) ? pid : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Writes the pid file; disposing removes it. To be called with the data root's lock held.
 * @param isDaemon whether a living process is a daemon of Berth's: after a crash the pid may be another program's
 * @throws Error in dockerd's words when the file names a running daemon
 */
export async function writePidFile(path: string, isDaemon: (pid: number) => Promise<boolean>): Promise<Disposable> {
  const pid = runningPid(path);
  if (pid !== undefined && (await isDaemon(pid))) {
    throw new Error(`failed to start daemon, ensure Berth is not running or delete ${path}: process with PID ${pid} is still running`);
  }
  const descriptor = openSync(path, "w", 0o644);
  try {
    writeSync(descriptor, String(process.pid));
  } finally {
    closeSync(descriptor);
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}
