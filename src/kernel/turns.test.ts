import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { Turns } from "./turns.ts";

test("so many at a time, in order, also past one that fails", async () => {
  const turns = new Turns(2);
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  const work = Array.from({ length: 6 }, (_, index) =>
    turns.run(async () => {
      order.push(index);
      most = Math.max(most, ++inside);
      await tick();
      inside--;
      if (index === 1) throw new Error("one fails");
    }),
  );
  assert.deepEqual(
    (await Promise.allSettled(work)).map(({ status }) => status === "fulfilled"),
    [true, false, true, true, true, true],
  );
  assert.deepEqual([order, most, inside], [[0, 1, 2, 3, 4, 5], 2, 0]);
});
