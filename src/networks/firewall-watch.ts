/**
 * Keeps the firewall's table as it is to be while others work on theirs: `nft flush ruleset` and reloads of firewalls take ours away or
 * put an old copy in its place, and Docker or ufw change what becomes of forwarded packets.
 *
 * Life cycle: `install` puts the table in place. From then on the network room adds and removes elements itself, and {@link notice} is
 * called whenever the kernel tells that tables, chains or rules have changed (ours or anybody's). A look costs three questions; only when
 * the table is not the one that was made here is it made anew, from the room's own state. `close` takes away what was made;
 * `stop` leaves it for containers that go on.
 */
import { log, Mutex, messageOf } from "../base/base.ts";
import { dumpRules, getTable, type TableName } from "../kernel/nftables.ts";
import { parseRules, parseTable } from "../kernel/nftables-dump.ts";
import { type FirewallState, removeTable, replaceTable } from "./firewall.ts";
import { type FoundNeighbours, findNeighbours, letMarkPass, removeMarkRules } from "./firewall-neighbours.ts";
import type { NetworkKernel } from "./records.ts";

/** Whoever changes tables makes many changes in a row: they are looked at together. */
const restMs = 100;

/** What our table looked like right after it was made. Elements are not counted. */
interface Print {
  readonly handle: bigint;
  readonly parts: number;
  readonly rules: number;
}

interface WatchOptions {
  readonly kernel: Pick<NetworkKernel, "netlink">;
  readonly table: TableName;
  /** What is to be in the table now; asked whenever it is made anew. */
  readonly state: () => FirewallState;
}

export class FirewallWatch {
  readonly #options: WatchOptions;
  readonly #turn = new Mutex();
  readonly #told = new Set<string>();
  #print: Print | undefined;
  #neighbours: FoundNeighbours | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Puts the whole table in place, whatever was there. */
  install(): Promise<void> {
    return this.#turn.run(() => this.#install());
  }

  /** Something has changed in the kernel's tables. */
  notice(): void {
    if (this.#closed || this.#print === undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.look().catch((error: unknown) => log.warn("the firewall was not looked at", { error: messageOf(error) }));
    }, restMs).unref();
  }

  /** Looks now, and repairs what is not as it is to be. @returns whether the table was made anew */
  look(): Promise<boolean> {
    return this.#turn.run(async () => {
      if (this.#closed || this.#print === undefined) return false;
      const { kernel, table } = this.#options;
      const found = await findNeighbours(kernel, table);
      const known = this.#neighbours;
      const whole = samePrint(this.#print, await this.#readPrint());
      if (!whole) log.warn("somebody has changed the firewall's table: it is made anew", { table: table.name });
      if (!whole || known?.mark !== found.mark || known.docker !== found.docker) {
        await this.#install(found);
        return true;
      }
      this.#neighbours = found;
      await this.#settleNeighbours(found);
      return false;
    });
  }

  /** Takes the table away, and our rules from the tables of others. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#turn.run(async () => {
      this.#closed = true;
      const { kernel, table } = this.#options;
      await removeMarkRules(kernel, table.name);
      // Somebody may have been faster.
      if ((await this.#readPrint()) !== undefined) await kernel.netlink(12, removeTable(table));
    });
  }

  /** Stops looking, and leaves everything where it is: the daemon ends, its containers go on. */
  stop(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #install(found?: FoundNeighbours): Promise<void> {
    const { kernel, table, state } = this.#options;
    const neighbours = found ?? (await findNeighbours(kernel, table));
    this.#neighbours = neighbours;
    await kernel.netlink(12, replaceTable(table, state(), neighbours));
    this.#print = (await this.#readPrint()) ?? nothing;
    await this.#settleNeighbours(neighbours);
  }

  async #settleNeighbours(found: FoundNeighbours): Promise<void> {
    const { kernel, table: own } = this.#options;
    await letMarkPass(kernel, found.shared, own.name);
    for (const { table, name } of [...found.unshared, ...(found.legacy ? [legacyChain] : [])]) {
      if (this.#told.has(`${table} ${name}`)) continue;
      this.#told.add(`${table} ${name}`);
      log.warn("another firewall may drop what containers send and get, unless it has a rule for their bridges", { table, chain: name });
    }
  }

  async #readPrint(): Promise<Print | undefined> {
    const { kernel, table } = this.#options;
    const found = await kernel.netlink(12, getTable(table)).then(parseTable, () => undefined);
    if (found === undefined) return undefined;
    return { ...found, rules: parseRules(await kernel.netlink(12, dumpRules(table))).length };
  }
}

const legacyChain = { table: "iptables-legacy", name: "FORWARD" };

/** Taken away before it could be looked at: the next look finds another one. */
const nothing: Print = { handle: 0n, parts: 0, rules: 0 };

const samePrint = (a: Print | undefined, b: Print | undefined): boolean =>
  a !== undefined && b !== undefined && a.handle === b.handle && a.parts === b.parts && a.rules === b.rules;
