import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { zeroTime } from "../base/base.ts";
import type { ContainerRecord } from "../containers/containers.ts";
import type { RunningContainer } from "../runtime/runtime.ts";
import { LiveContainer } from "./live-container.ts";
import { StatsSampler } from "./stats-sampler.ts";

/** A container that is this process, in a group that is a directory. */
function liveIn(directory: string): LiveContainer {
  const live = new LiveContainer({
    settings: { hostConfig: { NetworkMode: "bridge" } },
    status: { state: { status: "running", pid: process.pid, startedAt: zeroTime, finishedAt: zeroTime } },
  } as unknown as ContainerRecord);
  const running = { cgroups: { "": directory } } as unknown as RunningContainer;
  live.run = { running, exited: new Promise(() => undefined), finished: new Promise(() => undefined), killed: false };
  return live;
}

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

describe("sampling", () => {
  test("one timer while someone watches, the newest sample for who is late, an end for who goes", async () => {
    const directory = await mkdtemp(join(tmpdir(), "berth-test-sampler-"));
    const uses = (microseconds: number): Promise<void> => writeFile(join(directory, "cpu.stat"), `usage_usec ${microseconds}\n`);
    try {
      await uses(1);
      const sampler = new StatsSampler();
      const live = liveIn(directory);
      const before = timers();
      const [quick, late] = [new AbortController(), new AbortController()];
      const first = sampler.watch(live, quick.signal);
      const second = sampler.watch(live, late.signal);
      const next = async (watch: AsyncGenerator<Awaited<ReturnType<typeof first.next>>["value"]>): Promise<number | undefined> =>
        (await watch.next()).value?.usage.cpu?.total;
      const sees = async (nanos: number): Promise<void> => {
        while ((await next(first)) !== nanos);
      };
      assert.deepEqual([await next(first), await next(second)], [1000, 1000], "at once");
      assert.equal(timers(), before + 1);
      await uses(2);
      await sees(2000);
      await uses(3);
      await sees(3000);
      assert.equal(await next(second), 3000, "those in between are dropped");
      quick.abort();
      assert.equal((await first.next()).done, true);
      assert.equal(timers(), before + 1);
      live.removed = true;
      assert.equal((await second.next()).done, true, "a container that is removed ends its streams");
      assert.equal(timers(), before, "nobody watches");
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
