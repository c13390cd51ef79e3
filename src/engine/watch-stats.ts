import { setTimeout as sleep } from "node:timers/promises";
import { invalidParameter } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { readHostCpu } from "../kernel/host-usage.ts";
import type { ContainerStatsResponse } from "../spec/spec.ts";
import { type Sample, sampleContainer, statsOf } from "./container-stats.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { intervalMs, type StatsSampler } from "./stats-sampler.ts";

export interface StatsOptions {
  readonly stream: boolean;
  /** One sample, at once. Otherwise a single answer has the one of a second before too. */
  readonly oneShot: boolean;
}

/**
 * `GET /containers/x/stats`. Resolves when it is known that there is such a container; then an answer a second, or just one. Of a container
 * that does not run the answers are empty.
 */
export async function watchStats(
  context: EngineContext,
  reference: string,
  options: StatsOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<ContainerStatsResponse>> {
  const live = context.find(reference);
  if (options.stream && options.oneShot) throw invalidParameter("cannot have stream=true and one-shot=true");
  const ending = AbortSignal.any([signal, context.closing.signal]);
  return options.stream ? streamed(context.statsSampler, live, ending) : single(live, options, ending);
}

async function* streamed(sampler: StatsSampler, live: LiveContainer, signal: AbortSignal): AsyncGenerator<ContainerStatsResponse> {
  let before: Sample | undefined;
  for await (const sample of sampler.watch(live, signal)) {
    yield statsOf(live, sample, before);
    before = sample;
  }
}

async function* single(live: LiveContainer, options: StatsOptions, signal: AbortSignal): AsyncGenerator<ContainerStatsResponse> {
  const take = async (): Promise<Sample | undefined> => await sampleContainer(live, await readHostCpu());
  let before: Sample | undefined;
  if (!options.oneShot && isActive(live.record.status.state)) {
    before = await take();
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined); // answered at once when the daemon ends
  }
  yield statsOf(live, await take(), before);
}
