/**
 * kill -9 in the middle of pull, push, load, rmi, prune, commit, import and garbage collections, a few times each.
 * `npm run bench -- kills` does it 100 times each. BERTH_KILLS is the number, BERTH_KILL_SEED repeats a round that failed.
 */
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { collections } from "../kills/collections.ts";
import { loads } from "../kills/loads.ts";
import { makings } from "../kills/makings.ts";
import { pulls } from "../kills/pulls.ts";
import { pushes } from "../kills/pushes.ts";
import { removals } from "../kills/removals.ts";
import { killMany } from "../kills/scenario.ts";
import { Stand } from "../kills/stand.ts";

const times = Number(process.env["BERTH_KILLS"] ?? 1);
const seed = Number(process.env["BERTH_KILL_SEED"] ?? randomInt(1 << 20));

for (const scenario of [pulls, pushes, loads, ...removals, makings, collections])
  test(`killed at any moment of ${scenario.name}`, { timeout: 60_000 + times * 30_000 }, async (context) => {
    const { kills, late, seen } = await killMany(scenario, (chance) => Stand.open(chance, scenario.registryArgs), times, seed);
    context.diagnostic(
      `${kills} kills, ${late} too late; seed ${seed}; ${[...seen].map(([what, count]) => `${what}: ${count}`).join("; ")}`,
    );
  });
