/** Volumes that are mounts, in the engine's own mount namespace, for as long as containers run with them. */
import { systemError } from "../base/base.ts";
import type { HostOp, Kernel } from "../kernel/kernel.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import { describeMount, localMount } from "./local-options.ts";

type Options = Readonly<Record<string, string>> | null;

/** Is a volume with these options to be mounted? */
export function isMounted(options: Options): boolean {
  return options?.["device"] !== undefined;
}

/** The caller sees to it that of one volume one thing is done at a time. */
export class MountedVolumes {
  readonly #kernel: Pick<Kernel, "run">;
  /** Volume → containers that run with it. */
  readonly #users = new Map<string, Set<string>>();

  constructor(kernel: Pick<Kernel, "run">) {
    this.#kernel = kernel;
  }

  has(name: string, user: string): boolean {
    return this.#users.get(name)?.has(user) === true;
  }

  /** Mounts it, if it is not. @throws System in Docker's words */
  async mount(name: string, options: Options, place: string, user: string): Promise<void> {
    const mount = await localMount(options ?? {});
    if (mount === undefined) return;
    // Asked each time: what is mounted goes with the namespace of a broker that dies.
    const op: HostOp = { op: "mount-at", place, ...mount };
    await this.#kernel.run([op]).catch((error: unknown) => {
      const failure = launchFailureOf(error);
      if (failure === undefined) throw error;
      const why = failure.message.charAt(0).toLowerCase() + failure.message.slice(1);
      // No cause: this is all that there is to say, and no failure of a launch.
      throw systemError(`error while mounting volume '${place}': failed to mount local volume: ${describeMount(mount, place)}: ${why}`);
    });
    this.adopt(name, [user]);
  }

  /** They run with it already. */
  adopt(name: string, users: Iterable<string>): void {
    this.#users.set(name, new Set([...(this.#users.get(name) ?? []), ...users]));
  }

  /** Unmounts it if nobody else runs with it. */
  async leave(name: string, place: string, user: string): Promise<void> {
    const users = this.#users.get(name);
    users?.delete(user);
    if (users?.size === 0) await this.unmount(name, place);
  }

  async unmount(name: string, place: string): Promise<void> {
    this.#users.delete(name);
    await this.#kernel.run([{ op: "unmount-at", place }]);
  }
}
