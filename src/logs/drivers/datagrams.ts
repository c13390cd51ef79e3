import { setTimeout as sleep } from "node:timers/promises";
import type { LogPorts } from "../driver.ts";

/** A receiver whose queue is full is asked again after this, and each time after twice as long. */
const [firstPauseMs, longestPauseMs] = [1, 20];
/** Small beside what a request may carry. */
const batchBytes = 1 << 20;

/** Sends datagrams to a unix socket, in order, as fast as the receiver takes them. @param signal ends it, and it fails */
export async function sendAllDatagrams(
  ports: LogPorts,
  path: string,
  datagrams: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = firstPauseMs;
  for (let at = 0; at < datagrams.length; ) {
    signal.throwIfAborted();
    let end = at;
    for (let bytes = 0; end < datagrams.length && (end === at || bytes < batchBytes); end++) bytes += datagrams[end]?.length ?? 0;
    const taken = await ports.sendDatagrams(path, datagrams.slice(at, end));
    at += taken;
    if (taken > 0 || end === at) pauseMs = firstPauseMs;
    else pauseMs = await sleep(pauseMs, Math.min(2 * pauseMs, longestPauseMs));
  }
}
