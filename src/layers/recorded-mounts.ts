/** Layer mounts for tests without a broker: remembers what to mount; `dump-tree.py` then really mounts it. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { LayerMounts } from "../kernel/kernel.ts";
import type { Dump } from "./contract.ts";

export class RecordedMounts implements LayerMounts {
  readonly #mounts = new Map<string, readonly string[]>();

  async mountErofs(key: string, index: string, devices: readonly string[]): Promise<string> {
    this.#mounts.set(key, [index, ...devices]);
    return key;
  }

  async unmount(key: string): Promise<void> {
    this.#mounts.delete(key);
  }

  async mounted(): Promise<string[]> {
    return [...this.#mounts.keys()];
  }

  async dump(lower: readonly string[], overlay: boolean, scratch: string): Promise<Dump> {
    return await dumpTree(
      lower.map((directory) => this.#mounts.get(directory) ?? directory),
      overlay,
      scratch,
    );
  }
}

/** Runs `dump-tree.py`. @param lower directories, or index and tars to mount */
export async function dumpTree(
  lower: readonly (string | readonly string[])[],
  overlay: boolean,
  scratch: string,
  command: readonly string[] = [],
): Promise<Dump> {
  const directory = join(scratch, "mounts");
  await mkdir(directory, { recursive: true });
  const [program = "python3", ...rest] = [...command, "python3", join(import.meta.dirname, "dump-tree.py")];
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile(program, rest, { maxBuffer: 2 ** 28 }, (error, stdout, stderr) =>
      error ? reject(new Error(`dump-tree.py: ${stderr}`, { cause: error })) : resolve(stdout),
    );
    child.stdin?.end(JSON.stringify({ lower, overlay, scratch: directory }));
  });
  return JSON.parse(output) as Dump;
}
