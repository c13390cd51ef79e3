/**
 * kill -9 in the middle of pull, push, load, commit or import, registry GC, one of rmi, prune and image gc, and
 * one of several platforms: once each.
 * `npm run bench -- kills` does it 100 times for all. BERTH_KILLS is the number, BERTH_KILL_SEED repeats rounds that failed.
 */
import { randomInt } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Chance } from "../kills/chance.ts";
import { platforms } from "../kills/platforms.ts";
import { removals } from "../kills/removals.ts";
import { killMany } from "../kills/scenario.ts";
import { scenarios } from "../kills/scenarios.ts";
import { Stand } from "../kills/stand.ts";

const times = Number(process.env["BERTH_KILLS"] ?? 1);
const seed = Number(process.env["BERTH_KILL_SEED"] ?? randomInt(1 << 20));
const chance = new Chance(seed);
const passedOver = [removals, platforms].flatMap((group) => {
  const one = chance.one(group);
  return group.filter((other) => other !== one);
});
const chosen = scenarios.filter((scenario) => times > 1 || !passedOver.includes(scenario));

describe(`killed, seed ${seed}`, { timeout: 300_000 + chosen.length * times * 30_000 }, () => {
  let stand: Stand;
  before(async () => {
    stand = await Stand.open(new Chance(seed));
  });
  after(() => stand[Symbol.asyncDispose]());

  for (const scenario of chosen)
    test(`at any moment of ${scenario.name}`, async (context) => {
      const { kills, late, seen } = await killMany(scenario, stand, times, seed);
      context.diagnostic(`${kills} kills, ${late} too late; ${[...seen].map(([what, count]) => `${what}: ${count}`).join("; ")}`);
    });
});
