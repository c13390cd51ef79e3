/**
 * The /dev/shm that containers with one IPC namespace have in common: a file system of its own in the engine's mount
 * namespace. It is as large as was asked for, and goes without anybody walking through what containers have put there.
 */
import { access, mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/base.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { HostConfig } from "../spec/spec.ts";
import type { RuntimeOptions } from "./runtime.ts";

const defaultBytes = 64 * 2 ** 20;

/** MS_NOSUID | MS_NODEV | MS_NOEXEC. */
const plainFiles = 0xe;

export function shmBytes(hostConfig: HostConfig, options: RuntimeOptions): number {
  return hostConfig.ShmSize || options.shmSizeBytes || defaultBytes;
}

/** Where that of a container is mounted. */
export function sharedShmPath(execRoot: string, containerId: string): string {
  return join(execRoot, "shm", containerId);
}

/** Empty, whatever an earlier run has left. */
export async function makeSharedMemory(kernel: Pick<Kernel, "run">, place: string, sizeBytes: number): Promise<void> {
  await dropSharedMemory(kernel, place);
  await mkdir(place, { mode: 0o700 });
  const data = `mode=1777,size=${sizeBytes}`;
  await kernel.run([{ op: "mount-at", place, device: "shm", type: "tmpfs", flags: plainFiles, data }]);
}

/** Containers that still have it mounted keep it. */
export async function dropSharedMemory(kernel: Pick<Kernel, "run">, place: string): Promise<void> {
  try {
    await access(place);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  await kernel.run([{ op: "unmount-at", place }]);
  await rmdir(place);
}
