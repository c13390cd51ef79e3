/** Opens the room: see `networks.ts` for what it promises. */

import { readNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import { type Database, networkRows } from "../state/state.ts";
import { BerthNetworks } from "./attaching.ts";
import { Catalogue } from "./catalogue.ts";
import { DefaultBridge } from "./default-bridge.ts";
import { HostPorts } from "./host-ports.ts";
import type { Networks } from "./networks.ts";
import type { NetworkOptions } from "./options.ts";
import { hostHasIpv6 } from "./port-address.ts";
import type { NetworkKernel } from "./records.ts";

export type { NetworkOptions } from "./options.ts";
export type { NetworkKernel } from "./records.ts";

export interface OpenNetworks {
  readonly database: Database;
  readonly kernel: NetworkKernel;
  readonly options?: NetworkOptions;
}

/** What Linux chooses ports from for outgoing connections, when it does not say. */
const usualRange = [32768, 60999] as const;

async function portRange(): Promise<readonly [number, number]> {
  const [first = 0, last = 0] = ((await readNetworkSetting("ipv4", "ip_local_port_range")) ?? "").split(/\s+/).map(Number);
  return first > 0 && last > first ? [first, last] : usualRange;
}

/**
 * Makes or finds the default bridge and puts the firewall table in place from the recorded endpoints. Call `reconcile`
 * when it is known which containers run. @throws InvalidParameter when an option cannot be honoured
 */
export async function openNetworks({ database, kernel, options = {} }: OpenNetworks): Promise<Networks> {
  const rows = networkRows(database);
  const catalogue = new Catalogue(rows);
  const device = options.bridge ?? "berth0";
  const [range, ipv6] = await Promise.all([portRange(), hostHasIpv6()]);
  const ports = new HostPorts(range);
  if (device === "none") return new BerthNetworks({ rows, catalogue, ports, options, kernel, hostHasIpv6: ipv6 });
  const network = catalogue.builtIn("bridge");
  const bridge = await DefaultBridge.open(kernel, device, network.record.bridge, options);
  catalogue.put({ ...network, record: { driver: "bridge", bridge: bridge.record } });
  const networks = new BerthNetworks({ rows, catalogue, ports, options, kernel, bridge, hostHasIpv6: ipv6 });
  await bridge.install(networks.publishedPorts());
  return networks;
}
