/** What needs no kernel: a daemon without a default bridge, and the networks `host`, `none` and `container:`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { type ContainerId, newId } from "../base/base.ts";
import { openDatabase } from "../state/state.ts";
import type { AttachRequest, Networks } from "./networks.ts";
import { openNetworks } from "./open.ts";

const untouched = (): never => assert.fail("the kernel is not asked");

function open(database = openDatabase(":memory:")): Promise<Networks> {
  return openNetworks({
    database,
    kernel: { run: untouched, netlink: untouched, onFirewallChange: untouched },
    options: { bridge: "none" },
  });
}

const request = (networkMode: string, changes: Partial<AttachRequest> = {}): AttachRequest => ({
  containerId: newId<"ContainerId">(),
  networkMode,
  hostname: "box",
  endpoints: {},
  portBindings: {},
  exposedPorts: [],
  publishAllPorts: false,
  dns: [],
  dnsOptions: [],
  dnsSearch: [],
  extraHosts: [],
  ...changes,
});

describe("without a default bridge", () => {
  test("there are host and none, with ids that stay", async () => {
    const database = openDatabase(":memory:");
    const before = (await open(database)).list();
    assert.deepEqual(
      before.map((network) => [network.Name, network.Driver]),
      [
        ["host", "host"],
        ["none", "null"],
      ],
    );
    assert.deepEqual((await open(database)).list(), before);
    const networks = await open(database);
    const [host] = before;
    assert.equal(networks.inspect(host?.Id?.slice(0, 12) ?? "").Name, "host");
    assert.throws(() => networks.inspect("bridge"), { code: "NotFound", message: "network bridge not found" });
    assert.throws(() => networks.inspect("nosuch"), { code: "NotFound", message: "network nosuch not found" });
    assert.throws(() => networks.inspect(""), { code: "NotFound" });
  });

  test("none, which is also the default: only the loopback", async () => {
    const networks = await open();
    for (const mode of ["none", "default"]) {
      const box = await networks.attach(request(mode));
      assert.equal(box.namespace, "private");
      assert.deepEqual([box.prepare, box.hostNetwork, box.cleanup, box.containerNetwork.length], [[], [], [], 1]);
      assert.deepEqual(Object.keys(box.settings.Networks ?? {}), ["none"]);
      assert.equal(box.settings.Networks?.["none"]?.NetworkID, networks.inspect("none").Id);
      assert.match(box.hosts, /^127\.0\.0\.1\tlocalhost\n/);
      assert.doesNotMatch(box.hosts, /\tbox\n/);
    }
  });

  test("host: its own files, with what is added", async () => {
    const networks = await open();
    const id = newId<"ContainerId">();
    const box = await networks.attach(request("host", { containerId: id, extraHosts: ["a.test:192.0.2.1"], containerName: "web" }));
    assert.equal(box.namespace, "host");
    assert.equal(box.containerNetwork.length, 0);
    assert.ok(box.hosts.startsWith(readFileSync("/etc/hosts", "utf8")));
    assert.ok(box.hosts.endsWith("\n192.0.2.1\ta.test\n"));
    assert.equal(networks.inspect("host").Containers?.[id]?.Name, "web");
    await networks.detach(id);
    await networks.detach(id);
    assert.deepEqual(networks.inspect("host").Containers, {});
  });

  test("another container's", async () => {
    const box = await (await open()).attach(request("container:abc"));
    assert.equal(box.namespace, "container");
    assert.deepEqual(box.settings.Networks, {});
  });

  test("what was attached when the daemon was killed, and has ended since", async () => {
    const database = openDatabase(":memory:");
    const [kept, ended] = [newId<"ContainerId">(), newId<"ContainerId">()];
    const first = await open(database);
    for (const containerId of [kept, ended]) await first.attach(request("none", { containerId }));
    const second = await open(database);
    await second.reconcile(new Set<ContainerId>([kept]));
    assert.deepEqual(Object.keys(second.inspect("none").Containers ?? {}), [kept]);
    assert.deepEqual(Object.keys((await open(database)).inspect("none").Containers ?? {}), [kept]);
  });

  test("what cannot be asked for", async () => {
    const networks = await open();
    const refused = (asked: AttachRequest, error: { code: string; message?: string | RegExp }): void =>
      assert.throws(() => networks.validate(asked), error);
    refused(request("nosuch"), { code: "NotFound", message: "network nosuch not found" });
    refused(request("none", { dns: ["x"] }), { code: "InvalidParameter" });
    refused(request("none", { extraHosts: ["x"] }), { code: "InvalidParameter" });
    refused(request("none", { macAddress: "02:42" }), { code: "InvalidParameter", message: "invalid MAC address: 02:42" });
    refused(request("container:x", { dns: ["192.0.2.1"] }), {
      code: "InvalidParameter",
      message: "conflicting options: dns and the network mode",
    });
    refused(request("container:x", { portBindings: { "80/tcp": [{ HostPort: "1" }] } }), {
      code: "InvalidParameter",
      message: "conflicting options: port publishing and the container type network mode",
    });
    refused(request("none", { endpoints: { none: { IPAMConfig: { IPv4Address: "10.0.0.9" } } } }), {
      code: "InvalidParameter",
      message: /user-specified IP address is supported on user-defined networks only/,
    });
    networks.validate(request("host", { portBindings: { "80/tcp": [{ HostPort: "80" }] } }));
  });
});
