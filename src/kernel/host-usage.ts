/** Readers of /proc for `stats`: the machine's CPU time, and the traffic of a network namespace. */
import { readFile } from "node:fs/promises";

const nanosPerTick = 1e7;

export interface HostCpu {
  /** User to software interrupts, idle included, of all CPUs together: what a container's time is a share of. */
  readonly nanos: number;
  readonly online: number;
}

/** Reads /proc/stat's text: proc(5). */
export function parseHostCpu(stat: string): HostCpu {
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ") ?? [];
  const ticks = fields.slice(0, 7).reduce((sum, field) => sum + Number(field), 0);
  return { nanos: ticks * nanosPerTick, online: stat.match(/^cpu\d+ /gm)?.length ?? 0 };
}

export async function readHostCpu(): Promise<HostCpu> {
  return parseHostCpu(await readFile("/proc/stat", "utf8"));
}

/** As Docker's answer names them. */
export interface InterfaceCounters {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/**
 * Reads the text of a /proc/PID/net/dev. Without the loopback, and without the tunnels' fallback devices that the
 * kernel puts into every namespace: interfaces that are not a container's and have never carried anything.
 */
export function parseInterfaces(text: string): Record<string, InterfaceCounters> {
  const found: Record<string, InterfaceCounters> = {};
  for (const [, name = "", rest = ""] of text.matchAll(/^ *([^:\s]+): *(.*)$/gm)) {
    const [bytes = 0, packets = 0, errors = 0, dropped = 0, , , , , sent = 0, sentPackets = 0, sentErrors = 0, sentDropped = 0] = rest
      .split(/\s+/)
      .map(Number);
    if (name === "lo" || (!name.startsWith("eth") && packets + sentPackets === 0)) continue;
    found[name] = {
      rx_bytes: bytes,
      rx_packets: packets,
      rx_errors: errors,
      rx_dropped: dropped,
      tx_bytes: sent,
      tx_packets: sentPackets,
      tx_errors: sentErrors,
      tx_dropped: sentDropped,
    };
  }
  return found;
}

/** Of the network namespace that a process is in. Nothing when it has ended. */
export async function readInterfaces(pid: number): Promise<Record<string, InterfaceCounters>> {
  return parseInterfaces(await readFile(`/proc/${pid}/net/dev`, "utf8").catch(() => ""));
}
