import { type ContainerId, conflict, type Digest, invalidParameter, notFound, transaction } from "../base/base.ts";
import type { HostConfig } from "../spec/spec.ts";
import { ContainerRows, type Database } from "../state/state.ts";
import type { ContainerRecord, ContainerSettings, ContainerStatus } from "./record.ts";
import { isActive } from "./state.ts";

interface Mutable {
  readonly id: ContainerId;
  readonly createdNanos: bigint;
  settings: ContainerSettings;
  name: string;
  status: ContainerStatus;
}

/**
 * All container records, in memory and in the database. A change is written in one transaction before it can
 * be seen; a write that throws changes nothing.
 */
export class ContainerStore {
  readonly #database: Database;
  readonly #rows: ContainerRows;
  /** Of records that a transaction under way has changed. */
  #before: Map<Mutable, Pick<Mutable, "settings" | "status">> | undefined;
  readonly #byId = new Map<string, Mutable>();
  readonly #byName = new Map<string, Mutable>();

  constructor(database: Database) {
    this.#database = database;
    this.#rows = new ContainerRows(database);
    for (const row of this.#rows.all()) {
      this.#keep({
        id: row.id as ContainerId,
        createdNanos: row.createdNanos,
        settings: JSON.parse(row.record) as ContainerSettings,
        name: row.name,
        status: JSON.parse(row.state) as ContainerStatus,
      });
    }
  }

  #keep(record: Mutable): void {
    this.#byId.set(record.id, record);
    this.#byName.set(record.name, record);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** In order of creation. */
  list(): IterableIterator<ContainerRecord> {
    return this.#byId.values();
  }

  get(id: string): ContainerRecord | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): ContainerRecord | undefined {
    return this.#byName.get(name);
  }

  /**
   * By full id, name (with or without its slash), link (`parent/alias`) or unique id prefix, in this order.
   * @throws NotFound, or InvalidParameter for a prefix of several
   */
  find(reference: string): ContainerRecord {
    if (reference === "") throw invalidParameter("No container name or ID supplied");
    const bare = reference.startsWith("/") ? reference.slice(1) : reference;
    const known = this.#byId.get(reference) ?? this.#byName.get(bare) ?? (bare.includes("/") ? this.#linked(bare) : undefined);
    if (known !== undefined) return known;
    let found: Mutable | undefined;
    for (const record of this.#byId.values()) {
      if (!record.id.startsWith(reference)) continue;
      if (found !== undefined) throw invalidParameter(`multiple IDs found with provided prefix: ${reference}`);
      found = record;
    }
    if (found === undefined) throw notFound(`No such container: ${reference}`);
    return found;
  }

  #linked(path: string): Mutable | undefined {
    const [parent = "", alias] = path.split("/", 2);
    const link = this.#byName.get(parent)?.status.links?.find((one) => one.alias === alias);
    return link === undefined ? undefined : this.#byId.get(link.id);
  }

  /** @throws Conflict with Docker's wording when the name is someone else's */
  assertNameFree(name: string): void {
    const owner = this.#byName.get(name);
    if (owner === undefined) return;
    throw conflict(
      `Conflict. The container name "/${name}" is already in use by container "${owner.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  /** The containers that were made of an image or have it mounted, for `rmi` and for the counts of `images`. */
  usedBy(imageId: Digest): { readonly id: ContainerId; readonly name: string; readonly running: boolean }[] {
    const uses = [];
    for (const { id, name, settings, status } of this.#byId.values()) {
      const isMounted = settings.mounts.some((mount) => mount.type === "image" && mount.imageId === imageId);
      if (settings.imageId === imageId || isMounted) uses.push({ id, name, running: isActive(status.state) });
    }
    return uses;
  }

  /** The containers that have a volume, running or not. */
  usersOf(volume: string): ContainerId[] {
    const users: ContainerId[] = [];
    for (const { id, settings } of this.#byId.values())
      if (settings.mounts.some((mount) => mount.type === "volume" && mount.name === volume)) users.push(id);
    return users;
  }

  add(record: ContainerRecord): ContainerRecord {
    this.assertNameFree(record.name);
    this.#rows.insert({
      id: record.id,
      name: record.name,
      createdNanos: record.createdNanos,
      imageId: record.settings.imageId,
      record: JSON.stringify(record.settings),
      state: JSON.stringify(record.status),
    });
    const mutable = { ...record };
    this.#keep(mutable);
    return mutable;
  }

  /** What `work` writes, here and in other rooms, a daemon that starts finds all of or nothing of; and so does this one. */
  together(work: () => void): void {
    const before = new Map<Mutable, Pick<Mutable, "settings" | "status">>();
    this.#before = before;
    try {
      transaction(this.#database, work);
    } catch (error) {
      for (const [record, parts] of before) Object.assign(record, parts);
      throw error;
    } finally {
      this.#before = undefined;
    }
  }

  update(record: ContainerRecord, change: Partial<ContainerStatus>): void {
    const own = this.#own(record);
    const status = { ...own.status, ...change };
    this.#rows.setState(own.id, JSON.stringify(status));
    own.status = status;
  }

  /** Changes what may be lost with the daemon: in memory, and in the database with the next `update`. */
  note(record: ContainerRecord, change: Pick<ContainerStatus, "health">): void {
    const own = this.#own(record);
    own.status = { ...own.status, ...change };
  }

  /** Other limits or another restart policy, of `update`. */
  configure(record: ContainerRecord, hostConfig: HostConfig): void {
    const own = this.#own(record);
    const settings = { ...own.settings, hostConfig };
    this.#rows.setRecord(own.id, JSON.stringify(settings));
    own.settings = settings;
  }

  /** Other networks, of `connect` and `disconnect`. */
  setEndpoints(record: ContainerRecord, endpoints: ContainerSettings["endpoints"]): void {
    const own = this.#own(record);
    const settings = { ...own.settings, endpoints };
    this.#rows.setRecord(own.id, JSON.stringify(settings));
    own.settings = settings;
  }

  rename(record: ContainerRecord, name: string): void {
    const own = this.#own(record);
    this.assertNameFree(name);
    this.#rows.rename(own.id, name);
    this.#byName.delete(own.name);
    own.name = name;
    this.#byName.set(name, own);
  }

  remove(record: ContainerRecord): void {
    const own = this.#own(record);
    this.#rows.remove(own.id);
    this.#byId.delete(own.id);
    this.#byName.delete(own.name);
  }

  #own(record: ContainerRecord): Mutable {
    const own = this.#byId.get(record.id);
    if (own === undefined) throw notFound(`No such container: ${record.id}`);
    if (this.#before?.has(own) === false) this.#before.set(own, { settings: own.settings, status: own.status });
    return own;
  }
}
