/**
 * A flow of UDP is tracked for as long as packets come, and goes on to where its first packet went: past a port that has been
 * published since, or into a container that the port no longer leads to. So the flows to a port are forgotten whenever
 * it comes or goes; their next packet is the first of a new one. TCP's connections end by themselves.
 */
import { deleteFlow, deleteFlows, dumpFlows, type FlowFilter, parseFlows } from "../kernel/conntrack.ts";
import type { PublishedPort } from "./firewall.ts";
import type { NetworkKernel } from "./records.ts";

/** Each filter goes through the kernel's whole table. From this many on, the table is read once and looked through here. */
const manyPorts = 64;
const anyAddresses = ["0.0.0.0", "::"];

function filterOf(port: PublishedPort): FlowFilter {
  const family = port.hostAddress.includes(":") ? 6 : 4;
  const any = anyAddresses.includes(port.hostAddress);
  return { family, ...(any ? {} : { destination: port.hostAddress }), destinationPort: port.hostPort };
}

/** The same as messages for a plan, behind those that change the table. Empty where there are so many that {@link forgetFlows} is better. */
export function flowDeletions(ports: readonly PublishedPort[]): Uint8Array[] {
  const filters = filtersOf(ports);
  return filters.length < manyPorts ? filters.map(deleteFlows) : [];
}

const filtersOf = (ports: readonly PublishedPort[]): FlowFilter[] =>
  ports.filter((port) => port.protocol === "udp" && port.routed !== true).map(filterOf);

/** Call it when the firewall's table has been changed, for ports that have been published or taken back. */
export async function forgetFlows(kernel: Pick<NetworkKernel, "netlink">, ports: readonly PublishedPort[]): Promise<void> {
  const filters = filtersOf(ports);
  if (filters.length < manyPorts && (await deletedAtOnce(kernel, filters))) return;
  for (const family of [4, 6] as const) {
    const wanted = filters.filter((filter) => filter.family === family);
    if (wanted.length === 0) continue;
    const byPort = Map.groupBy(wanted, (filter) => filter.destinationPort);
    const [only] = wanted;
    const flows = parseFlows(await kernel.netlink(12, dumpFlows(wanted.length === 1 && only !== undefined ? only : { family })));
    for (const flow of flows) {
      const found = byPort.get(flow.destinationPort);
      if (found?.some(({ destination }) => destination === undefined || destination === flow.destination) !== true) continue;
      // One that has ended meanwhile is refused.
      await kernel.netlink(12, deleteFlow(flow)).catch(() => undefined);
    }
  }
}

/** @returns false when the kernel is too old for that */
async function deletedAtOnce(kernel: Pick<NetworkKernel, "netlink">, filters: readonly FlowFilter[]): Promise<boolean> {
  try {
    for (const filter of filters) await kernel.netlink(12, deleteFlows(filter));
    return true;
  } catch {
    return false;
  }
}
