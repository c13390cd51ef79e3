/** Opens the room: see `networks.ts` for what it promises. */

import { log } from "../base/base.ts";
import { openResolver, type Resolver } from "../dns/dns.ts";
import type { TableName } from "../kernel/nftables.ts";
import { readNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import { type Database, networkRows } from "../state/state.ts";
import { parseCidr } from "./addresses.ts";
import { BerthNetworks } from "./berth-networks.ts";
import { readHostNetwork } from "./bridge.ts";
import { Catalogue, isBuiltIn } from "./catalogue.ts";
import { defaultNetwork } from "./default-bridge.ts";
import { Ground } from "./ground.ts";
import { Host } from "./host.ts";
import { HostPorts } from "./host-ports.ts";
import { linksOf } from "./legacy-links.ts";
import { addNames } from "./names.ts";
import { NetworkSet } from "./network-set.ts";
import type { Networks } from "./networks.ts";
import type { Addresses } from "./open-network.ts";
import type { NetworkOptions } from "./options.ts";
import { hostHasIpv6 } from "./port-address.ts";
import { claimPorts } from "./port-taking.ts";
import type { NetworkKernel } from "./records.ts";
import { portsOf, Sandboxes } from "./sandbox.ts";

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

const defaultDevice = "berth0";

/** A second daemon on the host has another bridge, and so another table; without a bridge, its networks' id tells it apart. */
function tableOf(device: string, id: string): TableName {
  return { family: "inet", name: device === defaultDevice ? "berth" : device === "none" ? `berth-${id.slice(0, 8)}` : `berth-${device}` };
}

async function layGround({ database, kernel, options = {} }: OpenNetworks): Promise<Ground> {
  const rows = networkRows(database);
  const catalogue = new Catalogue(rows);
  const sandboxes = new Sandboxes(database, rows);
  const ports = new HostPorts(await portRange());
  for (const sandbox of sandboxes.all()) claimPorts(ports, portsOf(sandbox));
  const ipv6 = (await readNetworkSetting("ipv6", "conf", "all", "disable_ipv6")) !== undefined;
  const builtIn = catalogue.builtIn("bridge");
  const table = tableOf(options.bridge ?? defaultDevice, builtIn.id);
  return new Ground(
    { rows, catalogue, sandboxes, ports, options, hostIpv6: await hostHasIpv6() },
    (ground) =>
      new Host({
        kernel,
        table,
        ipv6,
        since: builtIn.record.forwardingSince ?? {},
        publishMode: options.publishMode ?? "forward",
        contents: () => ({
          networks: ground.allOpen().flatMap((open) => (open.record.driver === "bridge" ? [ground.rulesOf(open)] : [])),
          ports: ground.sandboxes.all().flatMap(portsOf),
          links: ground.sandboxes.all().flatMap(linksOf),
        }),
      }),
  );
}

/** The default network as the flags have it, and all the others, as they were. */
async function openAll(ground: Ground, set: NetworkSet): Promise<void> {
  const { catalogue, host, options } = ground;
  const device = options.bridge ?? defaultDevice;
  const builtIn = catalogue.builtIn("bridge");
  const others = catalogue.all().filter((network) => !isBuiltIn(network.name));
  if (device === "none" && others.length === 0) return;
  const state = await readHostNetwork(host.kernel);
  if (device !== "none") {
    const taken = others.flatMap(({ record }) => record.pools.map(({ subnet }) => parseCidr(subnet).subnet));
    const record = defaultNetwork(builtIn.record, { host: state, device, options, others: taken, sources: ground.subnetSources });
    const gateways: Addresses = {
      ...(options.defaultGateway === undefined ? {} : { 4: options.defaultGateway }),
      ...(options.defaultGatewayV6 === undefined ? {} : { 6: options.defaultGatewayV6 }),
    };
    const network = { ...builtIn, record };
    catalogue.put(network);
    await set.open(network, state, gateways);
  }
  for (const network of others) {
    // One whose device cannot be had any more is shown, and can be removed; the other networks work.
    await set.open(network, state).catch((error: unknown) => log.error("a network could not be opened", { network: network.name, error }));
  }
  const record = catalogue.builtIn("bridge");
  catalogue.put({ ...record, record: { ...record.record, forwardingSince: host.forwarding.since } });
}

/** What containers have, and what is kept for them. */
function claimAddresses(ground: Ground): void {
  for (const sandbox of ground.sandboxes.all()) {
    for (const { open, endpoint } of ground.places(sandbox.endpoints)) {
      const { link } = endpoint;
      open.claim({
        ...(link?.address === undefined ? {} : { 4: link.address }),
        ...(link?.address6 === undefined ? {} : { 6: link.address6 }),
      });
    }
  }
  for (const { containerId, networkId, kept } of ground.sandboxes.kept) ground.opened(networkId)?.reserve(containerId, kept, false);
}

/**
 * Makes or finds the networks' devices and puts the firewall table in place from the recorded endpoints. Call `reconcile`
 * when it is known which containers run. @throws InvalidParameter when an option cannot be honoured
 */
export async function openNetworks(parts: OpenNetworks, resolver: Resolver = openResolver()): Promise<Networks> {
  const ground = await layGround(parts);
  const set = new NetworkSet(ground);
  await openAll(ground, set);
  claimAddresses(ground);
  await ground.host.refresh();
  if (ground.allOpen().length > 0) await ground.host.install();
  await set.finishRemovals();
  for (const sandbox of ground.sandboxes.all()) for (const place of ground.places(sandbox.endpoints)) addNames(place);
  return new BerthNetworks(ground, set, resolver);
}
