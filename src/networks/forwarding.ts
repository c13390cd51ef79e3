/** The host as a router: IP forwarding, which the kernel has off until somebody needs it. */
import { listInterfaceSettings, readBootId, readNetworkSetting, writeNetworkSetting } from "../kernel/rtnetlink-settings.ts";
import { type ByFamily, type Family, families, type NetworkKernel } from "./records.ts";

const settings: Readonly<Record<Family, readonly string[]>> = { 4: ["ipv4", "ip_forward"], 6: ["ipv6", "conf", "all", "forwarding"] };

/** @returns the boot id if it is we who turned it on, now or earlier in this boot */
async function turnOn(kernel: NetworkKernel, family: Family, since: string | undefined): Promise<string | undefined> {
  const boot = await readBootId();
  const now = await readNetworkSetting(...settings[family]);
  if (now === undefined) return undefined;
  if (now === "1") return since === boot ? boot : undefined;
  if (family === 6) await keepRouters(kernel);
  await kernel.run([writeNetworkSetting(settings[family], "1")]);
  return boot;
}

/** A host that forwards IPv6 listens to routers no longer, and would lose its own way out: 2 says that it does nevertheless. */
async function keepRouters(kernel: NetworkKernel): Promise<void> {
  for (const name of await listInterfaceSettings("ipv6")) {
    const setting = ["ipv6", "conf", name, "accept_ra"];
    if ((await readNetworkSetting(...setting)) === "1") await kernel.run([writeNetworkSetting(setting, "2", true)]);
  }
}

export class Forwarding {
  readonly #kernel: NetworkKernel;
  #since: ByFamily<string>;

  /** `since`: as recorded: the boot during which we turned it on. */
  constructor(kernel: NetworkKernel, since: ByFamily<string> = {}) {
    this.#kernel = kernel;
    this.#since = since;
  }

  /** To be recorded. */
  get since(): ByFamily<string> {
    return this.#since;
  }

  /** Turned on by us: the host was no router before, so nothing but our traffic is to pass. */
  get ours(): Readonly<Record<Family, boolean>> {
    return { 4: this.#since[4] !== undefined, 6: this.#since[6] !== undefined };
  }

  async turnOn(family: Family): Promise<void> {
    const { [family]: before, ...others } = this.#since;
    const since = await turnOn(this.#kernel, family, before);
    this.#since = { ...others, ...(since === undefined ? {} : { [family]: since }) };
  }

  /** As it was before us. */
  async restore(): Promise<void> {
    for (const family of families) {
      if (this.#since[family] !== undefined) await this.#kernel.run([writeNetworkSetting(settings[family], "0", true)]);
    }
    this.#since = {};
  }
}
