/** Volumes of the `local` driver, the only one. */
import { conflict, errnoText, type Filters, formatNanos, log, Mutex, newId, notFound, nowNanos, systemError } from "../base/base.ts";
import type { Events } from "../events/events.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import { treeSize } from "../kernel/tree-size.ts";
import type { Volume, VolumeCreateOptions, VolumePruneResponse } from "../spec/spec.ts";
import { type Database, VolumeRows } from "../state/state.ts";
import { VolumeDirectories } from "./directories.ts";
import { isPlain, listTest, pruneTest } from "./filters.ts";
import { checkLocalOptions } from "./local-options.ts";
import { isMounted, MountedVolumes } from "./mounted-volumes.ts";
import { checkVolumeName } from "./names.ts";
import { anonymousLabel, type VolumeSource, type Volumes } from "./volumes.ts";

export interface VolumesOptions {
  /** `<data-root>/volumes`. */
  readonly root: string;
  readonly database: Database;
  readonly kernel: Pick<Kernel, "files" | "run">;
  readonly events: Events;
  /** Containers that have a volume, running or not. */
  readonly usedBy: (volume: string) => readonly string[];
}

interface Stored {
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
}

interface Entry extends Stored {
  readonly name: string;
  readonly createdNanos: bigint;
}

const localDriver = "local";

export class LocalVolumes implements Volumes {
  readonly #options: VolumesOptions;
  readonly #rows: VolumeRows;
  readonly #directories: VolumeDirectories;
  readonly #byName = new Map<string, Entry>();
  readonly #turns = new Map<string, { readonly lock: Mutex; waiting: number }>();
  /** Volume → containers that are about to have it. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #mounts: MountedVolumes;
  /** Containers that volumes go with. */
  readonly #tied = new Set<string>();
  #pruning = false;

  constructor(options: VolumesOptions) {
    this.#options = options;
    this.#rows = new VolumeRows(options.database);
    this.#directories = new VolumeDirectories(options.root, options.kernel.files);
    this.#mounts = new MountedVolumes(options.kernel);
  }

  async open(): Promise<void> {
    const kept = new Set<string>();
    await this.#directories.prepare();
    for (const { name, createdNanos, record, removing, goesWith } of this.#rows.all()) {
      kept.add(name);
      if (removing || (goesWith !== undefined && this.#options.usedBy(name).length === 0)) {
        await this.#finishRemoval(name);
        continue;
      }
      this.#byName.set(name, { name, createdNanos, ...(JSON.parse(record) as Stored) });
      if (goesWith !== undefined) this.#rows.untie(goesWith);
    }
    await this.#directories.sweep(kept);
  }

  /** What cannot be taken away now is tried again at the next start. */
  async #finishRemoval(name: string): Promise<void> {
    try {
      this.#rows.markRemoving(name);
      await this.#directories.discard(name);
      this.#rows.remove(name);
    } catch (error) {
      log.warn("a removed volume's directory could not be taken away", { volume: name, error });
    }
  }

  /** Creation, removal and mounting of one volume take turns. */
  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(name) ?? { lock: new Mutex(), waiting: 0 };
    this.#turns.set(name, turn);
    turn.waiting++;
    try {
      return await turn.lock.run(work);
    } finally {
      turn.waiting--;
      if (turn.waiting === 0) this.#turns.delete(name);
    }
  }

  async create(request: VolumeCreateOptions, holder?: string): Promise<Volume> {
    const anonymous = (request.Name ?? "") === "";
    const name = anonymous ? newId() : (request.Name ?? "");
    const labels = anonymous ? { ...request.Labels, [anonymousLabel]: "" } : (request.Labels ?? null);
    checkVolumeName(name);
    return await this.#alone(name, async () => {
      const known = this.#byName.get(name);
      const driver = request.Driver || (known?.driver ?? localDriver);
      if (driver !== localDriver)
        throw notFound(`create ${name}: error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`);
      const goesWith = anonymous ? holder : undefined;
      const entry = known ?? (await this.#make(name, { driver, labels, options: request.DriverOpts ?? null }, goesWith));
      if (holder !== undefined) this.#hold(name, holder);
      return this.#show(entry);
    });
  }

  async #make(name: string, stored: Stored, goesWith: string | undefined): Promise<Entry> {
    checkLocalOptions(name, stored.options ?? {});
    const createdNanos = nowNanos();
    const made = await this.#directories.make(name);
    try {
      this.#rows.insert({ name, createdNanos, record: JSON.stringify(stored), goesWith });
    } catch (error) {
      await made.undo();
      throw error;
    }
    if (goesWith !== undefined) this.#tied.add(goesWith);
    const entry = { name, createdNanos, ...stored };
    this.#byName.set(name, entry);
    this.#options.events.publish("volume", "create", name, { driver: stored.driver });
    return entry;
  }

  #hold(name: string, holder: string): void {
    const holders = this.#holders.get(name) ?? new Set();
    this.#holders.set(name, holders.add(holder));
  }

  release(holder: string): void {
    for (const [name, holders] of this.#holders) {
      holders.delete(holder);
      if (holders.size === 0) this.#holders.delete(name);
    }
    if (this.#tied.delete(holder)) this.#rows.untie(holder);
  }

  tie(names: readonly string[], container: string): void {
    for (const name of names) this.#rows.tie(name, container);
    if (names.length > 0) this.#tied.add(container);
  }

  #users(name: string): string[] {
    return [...new Set([...this.#options.usedBy(name), ...(this.#holders.get(name) ?? [])])];
  }

  #find(name: string): Entry {
    const entry = this.#byName.get(name);
    if (entry === undefined) throw notFound(`get ${name}: no such volume`);
    return entry;
  }

  /** In Docker's order of fields. */
  #show({ name, createdNanos, driver, labels, options }: Entry): Volume {
    const volume = {
      CreatedAt: formatNanos((createdNanos / 1_000_000_000n) * 1_000_000_000n),
      Driver: driver,
      Labels: labels,
      Mountpoint: this.#directories.data(name),
      Name: name,
      Options: options,
      Scope: "local",
    };
    return volume as Volume;
  }

  inspect(name: string): Volume {
    return this.#show(this.#find(name));
  }

  #all(): Volume[] {
    return [...this.#byName.values()].map((entry) => this.#show(entry)).sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  list(filters: Filters): Volume[] {
    return this.#all().filter(listTest(filters, ({ Name }) => this.#users(Name).length > 0));
  }

  async remove(name: string, { force, from }: { readonly force: boolean; readonly from?: string }): Promise<void> {
    const entry = this.#byName.get(name);
    if (entry === undefined && force) return;
    this.#find(name);
    const users = this.#users(name).filter((user) => user !== from);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(", ")}]`);
    if (entry !== undefined) await this.#remove(entry);
  }

  /** Nobody finds it from the first line on; whoever makes one of that name waits for the end. */
  async #remove(entry: Entry): Promise<void> {
    const { name } = entry;
    this.#rows.markRemoving(name);
    this.#byName.delete(name);
    await this.#alone(name, async () => {
      try {
        if (isMounted(entry.options)) await this.#mounts.unmount(name, this.#directories.data(name));
        await this.#directories.discard(name);
      } catch (error) {
        this.#rows.unmarkRemoving(name);
        this.#byName.set(name, entry);
        throw systemError(`remove ${name}: ${error instanceof Error ? error.message : String(error)}`, error);
      }
      this.#rows.remove(name);
    });
    this.#options.events.publish("volume", "destroy", name, { driver: entry.driver });
  }

  async prune(filters: Filters): Promise<VolumePruneResponse> {
    const chosen = pruneTest(filters);
    if (this.#pruning) throw conflict("a prune operation is already running");
    this.#pruning = true;
    try {
      const removed: string[] = [];
      let reclaimed = 0;
      for (const volume of this.#all().filter(chosen)) {
        const size = await treeSize(this.#directories.data(volume.Name));
        const entry = this.#byName.get(volume.Name);
        if (entry === undefined || this.#users(volume.Name).length > 0) continue;
        await this.#remove(entry);
        removed.push(volume.Name);
        reclaimed += size;
      }
      this.#options.events.publish("volume", "prune", "", { reclaimed: String(reclaimed) });
      return { VolumesDeleted: removed, SpaceReclaimed: reclaimed };
    } finally {
      this.#pruning = false;
    }
  }

  async usage(): Promise<Volume[]> {
    const volumes: Volume[] = [];
    for (const volume of this.#all().filter(isPlain)) {
      const size = await treeSize(this.#directories.data(volume.Name));
      volumes.push({ ...volume, UsageData: { RefCount: this.#users(volume.Name).length, Size: size } });
    }
    return volumes;
  }

  async populate(name: string, lower: readonly string[], path: string, holder: string): Promise<"directory" | "other" | "nothing"> {
    const copy = (target: string): Promise<void> => this.#options.kernel.run([{ op: "copy-up", lower, path, target }]);
    try {
      if (!isMounted(this.#find(name).options)) {
        const alone = this.#users(name).every((user) => user === holder);
        await this.#alone(name, () => (alone ? this.#directories.fill(name, copy) : copy(this.#directories.data(name))));
        return "directory";
      }
      // Mounted only if there is something to copy.
      await copy("");
      const { path: target } = await this.attach(name, populating);
      try {
        await copy(target);
      } finally {
        await this.detach(name, populating);
      }
      return "directory";
    } catch (error) {
      const failure = launchFailureOf(error);
      if (failure?.errno === enoent) return "nothing";
      if (failure?.errno === enotdir) return "other";
      if (failure === undefined) throw error;
      throw systemError(`failed to copy files: ${path} to volume ${name}: ${errnoText(failure.errno)}`);
    }
  }

  async attach(name: string, containerId: string): Promise<VolumeSource> {
    const path = this.#directories.data(name);
    const { options } = this.#find(name);
    if (!isMounted(options)) return { path, engineOnly: false };
    await this.#alone(name, () => this.#mounts.mount(name, options, path, containerId));
    return { path, engineOnly: true };
  }

  async detach(name: string, containerId: string): Promise<void> {
    if (this.#mounts.has(name, containerId))
      await this.#alone(name, () => this.#mounts.leave(name, this.#directories.data(name), containerId));
  }

  async reconcile(running: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    for (const { name, options } of this.#byName.values()) {
      if (!isMounted(options)) continue;
      const users = running.get(name) ?? new Set();
      if (users.size > 0) this.#mounts.adopt(name, users);
      else
        await this.#mounts
          .unmount(name, this.#directories.data(name))
          .catch((error: unknown) => log.warn("a volume could not be unmounted", { volume: name, error }));
    }
  }

  close(): void {
    this.#directories.close();
  }
}

/** Who has a volume mounted while it is filled. */
const populating = "(populating)";
const enoent = 2;
const enotdir = 20;
