/** The host's side of all networks: its firewall table, forwarding, and what its kernel can. */
import { isEngineError, log, messageOf } from "../base/base.ts";
import type { TableName } from "../kernel/nftables.ts";
import { readNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import {
  addNetwork,
  denyLinks,
  findPublished,
  inTable,
  type Link,
  type NetworkRules,
  type PublishedPort,
  removeNetwork,
  unpublish,
} from "./firewall.ts";
import { FirewallWatch } from "./firewall-watch.ts";
import { Forwarding } from "./forwarding.ts";
import type { ByFamily, Family, NetworkKernel } from "./records.ts";
import { forgetFlows } from "./stale-flows.ts";

/** What the firewall is to let through, now. */
export interface FirewallContents {
  readonly networks: readonly NetworkRules[];
  readonly ports: readonly PublishedPort[];
  readonly links: readonly Link[];
}

export class Host {
  readonly kernel: NetworkKernel;
  readonly table: TableName;
  readonly forwarding: Forwarding;
  /** The kernel has IPv6, so that it is to be turned off where a network has none. */
  readonly ipv6: boolean;
  readonly #watch: FirewallWatch;
  #hairpin = false;

  constructor(parts: {
    kernel: NetworkKernel;
    table: TableName;
    since: ByFamily<string>;
    ipv6: boolean;
    publishMode: "forward" | "input";
    contents: () => FirewallContents;
  }) {
    this.kernel = parts.kernel;
    this.table = parts.table;
    this.ipv6 = parts.ipv6;
    this.forwarding = new Forwarding(parts.kernel, parts.since);
    const { kernel, table, publishMode, contents } = parts;
    this.#watch = new FirewallWatch({
      kernel,
      table,
      state: () => ({ ...contents(), dropForeign: this.forwarding.ours, publishMode }),
    });
  }

  /** The kernel shows bridged frames to the firewall, as of the last {@link refresh}. */
  get hairpin(): boolean {
    return this.#hairpin;
  }

  /** Looks again at what others may change on the host: a Docker beside us loads br_netfilter. */
  async refresh(): Promise<void> {
    this.#hairpin = (await readNetworkSetting("bridge", "bridge-nf-call-iptables")) === "1";
  }

  async forward(family: Family): Promise<void> {
    await this.forwarding.turnOn(family);
  }

  /** Puts the whole table in place, whatever was there, and keeps it. */
  async install(): Promise<void> {
    await this.#watch.install();
    this.kernel.onFirewallChange(() => this.#watch.notice());
  }

  /** A table that somebody has taken away is made anew, with these rules or without, since they have been recorded. */
  async addRules(rules: NetworkRules): Promise<void> {
    await this.#orAnew(addNetwork(this.table, rules));
  }

  async removeRules(rules: NetworkRules): Promise<void> {
    await this.#orAnew(removeNetwork(this.table, rules));
  }

  async #orAnew(change: Uint8Array): Promise<void> {
    try {
      await this.kernel.netlink(12, change);
    } catch (error) {
      if (!(await this.#watch.look())) throw error;
    }
  }

  /**
   * Removes an endpoint's ports from the table, if they are there. As a rule the container's monitor has done it. They come
   * and go in one transaction, so one of them tells for all; to try and fail would cost the kernel's grace period.
   */
  async unpublish(ports: readonly PublishedPort[]): Promise<void> {
    await this.#unpublish(ports);
    await forgetFlows(this.kernel, ports).catch((error: unknown) => log.debug("flows were not forgotten", { error: messageOf(error) }));
  }

  async #unpublish(ports: readonly PublishedPort[]): Promise<void> {
    const first = ports.find(inTable);
    if (first === undefined) return;
    try {
      await this.kernel.netlink(12, findPublished(this.table, first));
    } catch (error) {
      if (isEngineError(error)) return;
      throw error;
    }
    await this.kernel
      .netlink(12, unpublish(this.table, ports))
      .catch((error: unknown) => log.warn("published ports were not removed", { error: messageOf(error) }));
  }

  /** As a rule the container's monitor has done it. */
  async deny(links: readonly Link[]): Promise<void> {
    if (links.length > 0) await this.kernel.netlink(12, denyLinks(this.table, links)).catch(() => undefined);
  }

  /** Leaves everything as it is, for containers that go on. */
  leave(): void {
    this.#watch.stop();
  }

  async close(): Promise<void> {
    await this.#watch.close();
    await this.forwarding.restore();
  }
}
