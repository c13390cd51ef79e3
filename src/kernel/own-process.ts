import { readdir, readFile } from "node:fs/promises";

export interface OwnProcess {
  readonly openFiles: number;
  /** Limit of open files. */
  readonly maxFiles: number;
  readonly virtualBytes: number;
}

/** The daemon's own process, from /proc/self. */
export async function ownProcess(): Promise<OwnProcess> {
  const [files, limits, status] = await Promise.all([
    readdir("/proc/self/fd"),
    readFile("/proc/self/limits", "utf8"),
    readFile("/proc/self/status", "utf8"),
  ]);
  return {
    // The directory that was read is open too.
    openFiles: files.length - 1,
    maxFiles: Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0),
    virtualBytes: Number(/^VmSize:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024,
  };
}
