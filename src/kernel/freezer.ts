/**
 * The freezer: stops all processes of a container where they are, and lets them go on. v1 has a hierarchy for it
 * (`freezer.state`), v2 a file in every group (`cgroup.freeze`).
 *
 * A process frozen by v1 takes no signal, not even SIGKILL, until it is let go; one frozen by v2 can be killed.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, systemError } from "../base/base.ts";

/** Controller → directory; on v2 the one directory stands under "": `cgroupDirectories`. */
export type Cgroups = Readonly<Record<string, string>>;

interface Switch {
  readonly path: string;
  readonly freeze: string;
  readonly thaw: string;
  /** Have all processes stopped? */
  readonly settled: () => Promise<boolean>;
}

/** Undefined where there is no freezer. */
function switchOf(cgroups: Cgroups): Switch | undefined {
  const unified = cgroups[""];
  if (unified !== undefined) {
    const events = join(unified, "cgroup.events");
    return {
      path: join(unified, "cgroup.freeze"),
      freeze: "1",
      thaw: "0",
      settled: async () => /^frozen 1$/m.test(await readFile(events, "utf8")),
    };
  }
  const directory = cgroups["freezer"];
  if (directory === undefined) return undefined;
  const path = join(directory, "freezer.state");
  return { path, freeze: "FROZEN", thaw: "THAWED", settled: async () => (await readFile(path, "utf8")).trim() === "FROZEN" };
}

const patienceMs = 5000;

/**
 * Stops all processes; resolves when the last one stands.
 * @throws System when they cannot be stopped: they go on then
 */
export async function freeze(cgroups: Cgroups): Promise<void> {
  const own = switchOf(cgroups);
  if (own === undefined) throw systemError("the freezer cgroup is not mounted");
  const end = Date.now() + patienceMs;
  await writeFile(own.path, own.freeze);
  for (let tries = 0; !(await own.settled()); tries++) {
    if (Date.now() > end) {
      await thaw(cgroups);
      throw systemError("unable to freeze");
    }
    await sleep(tries < 20 ? 1 : 20);
    // v1 does not stop those that are just being forked: asked again, it looks again.
    await writeFile(own.path, own.freeze);
  }
}

/** Lets all processes go on. A container that is gone is fine. */
export async function thaw(cgroups: Cgroups): Promise<void> {
  const own = switchOf(cgroups);
  if (own === undefined) return;
  await writeFile(own.path, own.thaw).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENODEV") throw error;
  });
}

/** Whether the container has been frozen, or is on the way to it. */
export async function isFrozen(cgroups: Cgroups): Promise<boolean> {
  const own = switchOf(cgroups);
  if (own === undefined) return false;
  const state = await readFile(own.path, "utf8").catch(() => own.thaw);
  return state.trim() !== own.thaw;
}
