/**
 * macvlan and ipvlan on a real kernel: this file runs itself in a network namespace of its own that plays the host; more
 * namespaces play containers and another host of the LAN. What a kernel has no devices for is skipped.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { isolated } from "../../tools/isolate.mjs";
import { type Namespace, NamespaceKernel, openNamespace } from "../kernel/namespace-kernel.ts";
import { parseCidr } from "./addresses.ts";
import { defaultRoutes, loopbackUp } from "./endpoint.ts";
import { type VlanAddress, vlanIndex, vlanPlan } from "./vlan.ts";
import { readVlanOptions, type VlanMode, type VlanOptions } from "./vlan-options.ts";
import { closeParent, findParent, openParent, type Parent } from "./vlan-parent.ts";

const execute = promisify(execFile);

async function run(file: string, ...args: string[]): Promise<string> {
  return (await execute(file, args, { timeout: 20_000 })).stdout;
}

const within = (place: Namespace | undefined, file: string, ...args: string[]): Promise<string> =>
  place === undefined ? run(file, ...args) : run("nsenter", `--net=/proc/${place.pid}/ns/net`, file, ...args);

const reaches = (place: Namespace | undefined, address: string): Promise<boolean> =>
  within(place, "busybox", "ping", "-c", "1", "-W", "1", address).then(
    () => true,
    () => false,
  );

/** Whether this kernel makes such a link; tried in a namespace of its own. */
function hasKind(kind: string, ...options: string[]): boolean {
  const script = `ip link add v0 type veth peer name v1 && ip link add x ${options.join(" ")} type ${kind} ${kind === "vlan" ? "id 5" : ""}`;
  return spawnSync("unshare", ["-n", "sh", "-c", script]).status === 0;
}

interface Container {
  readonly place: Namespace;
  readonly index: number;
}

/** The host, its interface lan0, and another host of that LAN at 192.168.77.1 and fd00:77::1. */
class Lan implements AsyncDisposable {
  readonly kernel: NamespaceKernel = new NamespaceKernel();
  readonly #stack = new AsyncDisposableStack();
  readonly #before: string;
  other: Namespace | undefined;

  constructor() {
    this.#before = execFileSync("ip", ["-o", "link"], { encoding: "utf8" });
    this.#stack.use(this.kernel);
  }

  async open(): Promise<this> {
    this.other = this.#stack.use(await openNamespace());
    // Ends of equal index the kernel takes for a lone device, whose carrier may wait for a second.
    await run("ip", "link", "add", "lan0", "index", "70", "type", "veth", "peer", "name", "lan1", "netns", String(this.other.pid));
    await run("ip", "link", "set", "lan0", "up");
    await run("ip", "addr", "add", "192.168.77.2/24", "dev", "lan0");
    for (const address of ["192.168.77.1/24", "fd00:77::1/64", "10.9.9.9/32"])
      await within(this.other, "ip", "addr", "add", address, "dev", "lan1", ...(address.includes(":") ? ["nodad"] : []));
    await within(this.other, "ip", "link", "set", "lan1", "up");
    await within(this.other, "ip", "link", "set", "lo", "up");
    return this;
  }

  async start(parent: number, how: VlanMode, addresses: readonly VlanAddress[], route?: { readonly gateway?: string }): Promise<Container> {
    const place = this.#stack.use(await openNamespace());
    const index = vlanIndex();
    const last = (addresses[0]?.address ?? "0").split(/[.:]/).at(-1) ?? "0";
    const mac = `02:42:c0:a8:4d:${Number(last).toString(16).padStart(2, "0")}`;
    const plan = vlanPlan({ how, parent, name: "eth0", index, mac, addresses, ipv6: true });
    await this.kernel.launch(
      {
        ...plan,
        containerNetwork: [loopbackUp, ...plan.containerNetwork, ...defaultRoutes(route === undefined ? {} : { 4: { index, ...route } })],
      },
      place,
    );
    return { place, index };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    spawnSync("ip", ["link", "del", "lan0"]);
    await this.#stack.disposeAsync();
    assert.equal(execFileSync("ip", ["-o", "link"], { encoding: "utf8" }), this.#before, "what is left on the host");
  }
}

const four = (address: string): VlanAddress => ({ address, subnet: parseCidr("192.168.77.0/24").subnet });
const six = (address: string): VlanAddress => ({ address, subnet: parseCidr("fd00:77::/64").subnet });
const optionsOf = (driver: "macvlan" | "ipvlan", options: Record<string, string>): VlanOptions => readVlanOptions(driver, options, false);

async function parentOf(lan: Lan, driver: "macvlan" | "ipvlan", device: string): Promise<Parent & { readonly index: number }> {
  const parent = await findParent(lan.kernel, driver, { device, made: device.startsWith("dm-") });
  return { ...parent, index: await openParent(lan.kernel, parent) };
}

describe("macvlan and ipvlan on this kernel", { skip: isolated ? false : "needs root and namespaces" }, () => {
  const [macvlan, ipvlan, vlan] = [hasKind("macvlan", "link", "v0"), hasKind("ipvlan", "link", "v0"), hasKind("vlan", "link", "v0")];

  describe("macvlan", { skip: !macvlan && "this kernel has none" }, () => {
    test("containers reach each other and the LAN, and the host does not reach them", async () => {
      await using lan = await new Lan().open();
      const parent = await parentOf(lan, "macvlan", "lan0");
      assert.equal(parent.made, false);
      const { how } = optionsOf("macvlan", { parent: "lan0" });
      const route = { gateway: "192.168.77.1" };
      const one = await lan.start(parent.index, how, [four("192.168.77.10"), six("fd00:77::10")], route);
      const two = await lan.start(parent.index, how, [four("192.168.77.11")], route);
      for (const address of ["192.168.77.11", "192.168.77.1", "fd00:77::1", "10.9.9.9"])
        assert.ok(await reaches(one.place, address), address);
      for (const address of ["192.168.77.10", "192.168.77.11"]) assert.ok(await reaches(lan.other, address), address);
      assert.ok(await reaches(lan.other, "fd00:77::10"));
      assert.ok(!(await reaches(undefined, "192.168.77.10")));
      assert.ok(!(await reaches(one.place, "192.168.77.2")));
      assert.match(
        await within(one.place, "ip", "-o", "link", "show", "eth0"),
        new RegExp(`^${one.index}: eth0@.* 02:42:c0:a8:4d:0a `, "s"),
      );
      assert.equal(
        (await within(two.place, "ip", "-6", "addr")).includes("inet6 fe80"),
        false,
        "IPv6 is off where there is no such address",
      );
    });

    test("the LAN learns at once who has an address now", async () => {
      await using lan = await new Lan().open();
      const parent = await parentOf(lan, "macvlan", "lan0");
      const { how } = optionsOf("macvlan", { parent: "lan0" });
      await within(lan.other, "ip", "neigh", "replace", "192.168.77.10", "lladdr", "02:00:00:00:00:99", "dev", "lan1", "nud", "stale");
      await lan.start(parent.index, how, [four("192.168.77.10")]);
      for (let tries = 0; tries < 40; tries++) {
        if ((await within(lan.other, "ip", "neigh", "show", "192.168.77.10")).includes("02:42:c0:a8:4d:0a")) return;
        await new Promise((done) => setTimeout(done, 50));
      }
      assert.fail(await within(lan.other, "ip", "neigh"));
    });

    test("in mode private only the LAN is reached", async () => {
      await using lan = await new Lan().open();
      const parent = await parentOf(lan, "macvlan", "lan0");
      const { how } = optionsOf("macvlan", { parent: "lan0", macvlan_mode: "private" });
      const one = await lan.start(parent.index, how, [four("192.168.77.10")]);
      await lan.start(parent.index, how, [four("192.168.77.11")]);
      assert.ok(await reaches(one.place, "192.168.77.1"));
      assert.ok(!(await reaches(one.place, "192.168.77.11")));
    });

    test("passthru has room for one", async () => {
      await using lan = await new Lan().open();
      const parent = await parentOf(lan, "macvlan", "lan0");
      const { how } = optionsOf("macvlan", { parent: "lan0", macvlan_mode: "passthru" });
      const one = await lan.start(parent.index, how, [four("192.168.77.10")]);
      assert.ok(await reaches(one.place, "192.168.77.1"));
      await assert.rejects(lan.start(parent.index, how, [four("192.168.77.11")]));
    });

    test("without a parent: containers reach each other, nothing else, and nothing stays", async () => {
      await using lan = await new Lan().open();
      const device = "dm-0123456789ab";
      const parent = await parentOf(lan, "macvlan", device);
      const options = optionsOf("macvlan", {});
      const one = await lan.start(parent.index, options.how, [four("192.168.77.10")]);
      await lan.start(parent.index, options.how, [four("192.168.77.11")]);
      assert.ok(await reaches(one.place, "192.168.77.11"));
      assert.ok(!(await reaches(one.place, "192.168.77.1")));
      assert.equal(await openParent(lan.kernel, parent), parent.index, "found again");
      await closeParent(lan.kernel, parent);
      await closeParent(lan.kernel, parent);
    });

    test("parents that are not there", async () => {
      await using lan = await new Lan().open();
      for (const [device, message] of [
        ["eth9", "invalid subinterface vlan name eth9, example formatting is eth0.10"],
        ["eth9.5", "-o parent interface was not found on the host: eth9"],
        ["lan0.5.6", "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received lan0.5.6"],
        ["lan0.x", "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"],
        ["lan0.4095", "vlan id must be between 1-4094, received: 4095"],
      ] as const)
        await assert.rejects(findParent(lan.kernel, "macvlan", { device, made: false }), { code: "System", message });
      await assert.rejects(openParent(lan.kernel, { device: "eth9", made: false }), {
        message: "the requested parent interface eth9 was not found on the Docker host",
      });
      await closeParent(lan.kernel, { device: "lan0", made: false });
      assert.match(await run("ip", "link", "show", "lan0"), /lan0/);
    });

    test("a kernel without ipvlan says so when a network is made", { skip: ipvlan && "this kernel has it" }, async () => {
      await using lan = await new Lan().open();
      await assert.rejects(findParent(lan.kernel, "ipvlan", { device: "lan0", made: false }), {
        message: "failed to create the ipvlan port: operation not supported",
      });
    });

    test("a VLAN of an interface", { skip: !vlan && "this kernel has none" }, async () => {
      await using lan = await new Lan().open();
      await within(lan.other, "ip", "link", "add", "link", "lan1", "name", "lan1.50", "type", "vlan", "id", "50");
      await within(lan.other, "ip", "addr", "add", "192.168.78.1/24", "dev", "lan1.50");
      await within(lan.other, "ip", "link", "set", "lan1.50", "up");
      const parent = await parentOf(lan, "macvlan", "lan0.50");
      assert.equal(parent.made, true);
      const { how } = optionsOf("macvlan", { parent: "lan0.50" });
      const subnet = parseCidr("192.168.78.0/24").subnet;
      const one = await lan.start(parent.index, how, [{ address: "192.168.78.10", subnet }]);
      assert.ok(await reaches(one.place, "192.168.78.1"));
      assert.ok(!(await reaches(one.place, "192.168.77.1")));
      assert.deepEqual(await findParent(lan.kernel, "macvlan", { device: "lan0.50", made: true }), { device: "lan0.50", made: true });
      await closeParent(lan.kernel, parent);
      await assert.rejects(run("ip", "link", "show", "lan0.50"));
    });
  });

  describe("ipvlan", { skip: !ipvlan && "this kernel has none" }, () => {
    test("l2: containers reach each other and the LAN, with the parent's MAC address", async () => {
      await using lan = await new Lan().open();
      const parent = await parentOf(lan, "ipvlan", "lan0");
      const options = optionsOf("ipvlan", { parent: "lan0" });
      const one = await lan.start(parent.index, options.how, [four("192.168.77.10")], { gateway: "192.168.77.1" });
      await lan.start(parent.index, options.how, [four("192.168.77.11")]);
      for (const address of ["192.168.77.11", "192.168.77.1", "10.9.9.9"]) assert.ok(await reaches(one.place, address), address);
      assert.ok(!(await reaches(undefined, "192.168.77.10")));
    });

    for (const mode of ["l3", "l3s"]) {
      test(`${mode}: the default route leads out of the interface`, async () => {
        await using lan = await new Lan().open();
        const parent = await parentOf(lan, "ipvlan", "lan0");
        const options = optionsOf("ipvlan", { parent: "lan0", ipvlan_mode: mode });
        const subnet = parseCidr("10.70.0.0/24").subnet;
        assert.ok(options.routed);
        const one = await lan.start(parent.index, options.how, [{ address: "10.70.0.10", subnet }], {});
        const two = await lan.start(parent.index, options.how, [{ address: "10.70.0.11", subnet }], {});
        assert.match(await within(one.place, "ip", "route"), /^default dev eth0/);
        assert.ok(await reaches(two.place, "10.70.0.10"));
        await within(lan.other, "ip", "route", "add", "10.70.0.0/24", "via", "192.168.77.2");
        assert.ok(await reaches(one.place, "192.168.77.1"));
      });
    }

    test("flag private keeps containers apart", async () => {
      await using lan = await new Lan().open();
      const parent = await parentOf(lan, "ipvlan", "lan0");
      const { how } = optionsOf("ipvlan", { parent: "lan0", ipvlan_flag: "private" });
      const one = await lan.start(parent.index, how, [four("192.168.77.10")]);
      await lan.start(parent.index, how, [four("192.168.77.11")]);
      assert.ok(await reaches(one.place, "192.168.77.1"));
      assert.ok(!(await reaches(one.place, "192.168.77.11")));
    });
  });
});
