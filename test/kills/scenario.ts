/** Kills in the middle of an operation, at a moment that chance chooses, and looks at what is left; again and again. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Chance } from "./chance.ts";
import type { Stand, Victims } from "./stand.ts";

export interface Scenario {
  readonly name: string;
  readonly victims: readonly Victims[];
  /** After all rounds. */
  end?(stand: Stand): Promise<void>;
  /** Makes ready, and says what is to be interrupted; `begin` fails when it is. */
  round(
    stand: Stand,
    chance: Chance,
    number: number,
  ): Promise<{
    begin(): Promise<unknown>;
    /** After the restart. @param completed the client was told that all is done */
    after(completed: boolean): Promise<void>;
  }>;
}

export interface Tally {
  readonly name: string;
  /** Rounds in which the operation was not over when it was killed. */
  kills: number;
  /** Rounds in which it was over: killed all the same. */
  late: number;
  /** What the rounds found, as the scenario counts it. */
  readonly seen: Map<string, number>;
}

let current: Tally | undefined;

/** Counts what a round has found, for the report. */
export function note(what: string): void {
  current?.seen.set(what, (current.seen.get(what) ?? 0) + 1);
}

/** How long an operation is taken to last before one was seen to its end. */
const firstGuessMs = 300;

/** @param times how many kills are to hit the operation */
export async function killMany(scenario: Scenario, stand: Stand, times: number, seed: number): Promise<Tally> {
  const tally: Tally = { name: scenario.name, kills: 0, late: 0, seen: new Map() };
  current = tally;
  let usualMs = firstGuessMs;
  for (let number = 0; tally.kills < times; number++) {
    assert.ok(tally.late <= 2 * times + 10, `${scenario.name}: the kills come too late`);
    // Each round has chances of its own: what one takes does not change the next.
    const chance = new Chance(seed * 1_000_003 + number);
    const victims = chance.one(scenario.victims);
    const delayMs = chance.next() * usualMs;
    try {
      const { begin, after } = await scenario.round(stand, chance, number);
      const started = performance.now();
      let tookMs: number | undefined;
      const work = begin().then(
        () => {
          tookMs = performance.now() - started;
        },
        () => undefined,
      );
      // A timer is too coarse for the shortest ones.
      await (delayMs < 2 ? new Promise((resolve) => setImmediate(resolve)) : sleep(delayMs));
      const completed = tookMs !== undefined;
      await stand.strike(victims);
      await stand.recover(victims);
      await work;
      if (completed) {
        tally.late++;
        usualMs = Math.max(1, Math.min(usualMs * 0.95, tookMs ?? usualMs));
      } else {
        tally.kills++;
        if (delayMs > 0.8 * usualMs) usualMs *= 1.1;
      }
      await after(completed);
    } catch (error) {
      const where = `${scenario.name}, seed ${seed}, round ${number}: ${victims} killed after ${delayMs.toFixed(1)} of ${usualMs.toFixed(1)} ms`;
      throw new Error(`${where}\n${stand.daemon.log.slice(-3000)}`, { cause: error });
    }
  }
  await scenario.end?.(stand);
  return tally;
}
