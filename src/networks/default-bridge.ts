/** The default network on the host: bridge, addresses, firewall table, forwarding. */
import { log, messageOf } from "../base/base.ts";
import { dumpChains, type TableName } from "../kernel/nftables.ts";
import { parseChains } from "../kernel/nftables-dump.ts";
import { deleteLink } from "../kernel/rtnetlink.ts";
import { readBootId, readNetworkSetting, writeNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import { AddressPool } from "./address-pool.ts";
import { parseCidr, type Subnet } from "./addresses.ts";
import { type OpenBridge, openBridge } from "./bridge.ts";
import {
  findPublished,
  foreignForwardDrops,
  inTable,
  type NetworkRules,
  type PublishedPort,
  removeTable,
  replaceTable,
  unpublish,
} from "./firewall.ts";
import type { NetworkOptions } from "./options.ts";
import type { BridgeRecord, NetworkKernel } from "./records.ts";

export class DefaultBridge {
  readonly #kernel: NetworkKernel;
  readonly #open: OpenBridge;
  readonly #rules: NetworkRules;
  readonly table: TableName;
  readonly pool: AddressPool;
  readonly subnet: Subnet;
  readonly gateway: string;
  readonly mtu: number;
  /** The kernel has IPv6, so that it is to be turned off where a network has none. */
  readonly disableIpv6: boolean;
  #hairpin = false;

  constructor(kernel: NetworkKernel, open: OpenBridge, options: NetworkOptions, disableIpv6: boolean) {
    this.#kernel = kernel;
    this.#open = open;
    this.subnet = parseCidr(open.record.subnet).subnet;
    this.gateway = options.defaultGateway ?? open.record.address;
    this.mtu = options.mtu ?? 1500;
    this.disableIpv6 = disableIpv6;
    // A second daemon on the host has another bridge, and so another table.
    this.table = { family: "inet", name: open.record.device === "berth0" ? "berth" : `berth-${open.record.device}` };
    this.#rules = {
      bridge: open.record.device,
      subnets: [this.subnet],
      masquerade: options.ipMasq ?? true,
      sourceAddress: {},
      internal: false,
      icc: true,
      gatewayMode: { 4: "nat", 6: "nat" },
      trustedInterfaces: [],
    };
    this.pool = new AddressPool(this.subnet, {
      reserved: [open.record.address, this.gateway],
      ...(open.record.range === undefined ? {} : { range: parseCidr(open.record.range).subnet }),
    });
  }

  /** The device's index. */
  get index(): number {
    return this.#open.index;
  }

  /** The kernel shows bridged frames to the firewall, as of the last {@link refresh}. */
  get hairpin(): boolean {
    return this.#hairpin;
  }

  /** Looks again at what others may change on the host: a Docker beside us loads br_netfilter. */
  async refresh(): Promise<void> {
    this.#hairpin = (await readNetworkSetting("bridge", "bridge-nf-call-iptables")) === "1";
  }

  get record(): BridgeRecord {
    return this.#open.record;
  }

  static async open(
    kernel: NetworkKernel,
    device: string,
    record: BridgeRecord | undefined,
    options: NetworkOptions,
  ): Promise<DefaultBridge> {
    const open = await openBridge(kernel, device, record, options);
    const forwardingSince = options.ipForward === false ? undefined : await turnForwardingOn(kernel, record?.forwardingSince);
    const { forwardingSince: _, ...kept } = open.record;
    const ipv6 = (await readNetworkSetting("ipv6", "conf", "all", "disable_ipv6")) !== undefined;
    const renewed = { ...kept, ...(forwardingSince === undefined ? {} : { forwardingSince }) };
    const bridge = new DefaultBridge(kernel, { ...open, record: renewed }, options, ipv6);
    await bridge.refresh();
    return bridge;
  }

  /** Puts the whole table in place, whatever was there. */
  async install(ports: readonly PublishedPort[]): Promise<void> {
    const dropForeign = { 4: this.record.forwardingSince !== undefined, 6: false };
    await this.#kernel.netlink(12, replaceTable(this.table, { networks: [this.#rules], ports, dropForeign, publishMode: "forward" }));
    for (const chain of foreignForwardDrops(this.table, parseChains(await this.#kernel.netlink(12, dumpChains())))) {
      log.warn("another firewall drops what is forwarded unless it has a rule for it: containers may not reach other hosts", {
        table: chain.table,
        chain: chain.name,
        bridge: this.record.device,
      });
    }
  }

  /**
   * Removes an endpoint's ports from the table, if they are there. As a rule the container's monitor has done it. They come
   * and go in one transaction, so one of them tells for all; to try and fail would cost the kernel's grace period.
   */
  async unpublish(ports: readonly PublishedPort[]): Promise<void> {
    const first = ports.find(inTable);
    if (first === undefined) return;
    const present = await this.#kernel.netlink(12, findPublished(this.table, first)).then(
      () => true,
      () => false,
    );
    if (!present) return;
    await this.#kernel
      .netlink(12, unpublish(this.table, ports))
      .catch((error: unknown) => log.warn("published ports were not removed", { error: messageOf(error) }));
  }

  /** Takes down what was made. Failures are logged: whoever ends cannot do more. */
  async close(): Promise<void> {
    const steps: (() => Promise<unknown>)[] = [() => this.#kernel.netlink(12, removeTable(this.table))];
    if (this.record.made) steps.push(() => this.#kernel.netlink(0, deleteLink(this.index)));
    else steps.push(() => this.#kernel.run([writeNetworkSetting(["ipv4", "conf", this.record.device, "route_localnet"], "0", true)]));
    if (this.record.forwardingSince !== undefined) steps.push(() => this.#kernel.run([writeNetworkSetting(["ipv4", "ip_forward"], "0")]));
    for (const step of steps) await step().catch((error: unknown) => log.warn("network was not taken down", { error: messageOf(error) }));
  }
}

/** @returns the boot id if it is we who turned it on, now or earlier in this boot */
async function turnForwardingOn(kernel: NetworkKernel, since: string | undefined): Promise<string | undefined> {
  const boot = await readBootId();
  if ((await readNetworkSetting("ipv4", "ip_forward")) === "1") return since === boot ? boot : undefined;
  await kernel.run([writeNetworkSetting(["ipv4", "ip_forward"], "1")]);
  return boot;
}
