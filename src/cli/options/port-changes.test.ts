import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HostConfig } from "../../spec/spec.ts";
import { changedPorts, parsePortChanges } from "./port-changes.ts";

describe("ports of a container that is there", () => {
  const host: HostConfig = {
    PortBindings: {
      "80/tcp": [
        { HostIp: "127.0.0.1", HostPort: "8080" },
        { HostIp: "0:0:0:0:0:0:0:1", HostPort: "8080" },
        { HostIp: "", HostPort: "8081" },
      ],
      "53/udp": [],
    },
  };
  const change = (add: string[], remove: string[], HostConfig: HostConfig = host) =>
    changedPorts(
      { HostConfig, Config: { ExposedPorts: { "80/tcp": {}, "90/tcp": {}, "91/udp": {} } } },
      "web",
      parsePortChanges(add, remove),
    );
  const any = { HostIp: "", HostPort: "" };

  test("more", () => {
    const { PortBindings } = change(["8082:80", "8081:80", "90", "9000-9001:100-101/sctp"], []);
    assert.deepEqual(PortBindings, {
      "80/tcp": [...(host.PortBindings?.["80/tcp"] ?? []), { HostIp: "", HostPort: "8082" }],
      "53/udp": [any],
      "90/tcp": [any],
      "100/sctp": [{ HostIp: "", HostPort: "9000" }],
      "101/sctp": [{ HostIp: "", HostPort: "9001" }],
    });
  });

  test("fewer: all of a port, or what fits", () => {
    assert.deepEqual(change([], ["80"]).PortBindings, { "53/udp": [any] });
    assert.deepEqual(Object.keys(change([], ["53/udp"]).PortBindings ?? {}), ["80/tcp"]);
    const addresses = (remove: string): unknown =>
      change([], [remove]).PortBindings?.["80/tcp"]?.map((binding) => `${binding.HostIp} ${binding.HostPort}`);
    assert.deepEqual(addresses("8080:80"), [" 8081"]);
    assert.deepEqual(addresses("[::1]:8080:80"), ["127.0.0.1 8080", " 8081"]);
    assert.deepEqual(addresses("127.0.0.1::80"), ["0:0:0:0:0:0:0:1 8080", " 8081"]);
    for (const wrong of ["80/udp", "81", "8082:80", "0.0.0.0:8081:80"])
      assert.throws(() => change([], [wrong]), { message: /^No public port '8[01]\/(tcp|udp)' published for web$/ });
  });

  test("away and there again", () => {
    assert.deepEqual(change(["127.0.0.1:8080:80"], ["80", "53/udp"]).PortBindings, {
      "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }],
    });
  });

  test("of those that -P published", () => {
    const all = { PortBindings: { "80/tcp": [any] }, PublishAllPorts: true };
    assert.deepEqual(change([], ["90"], all), { PortBindings: { "80/tcp": [any], "91/udp": [any] }, PublishAllPorts: false });
    assert.deepEqual(change(["92"], [], all), { PortBindings: { "80/tcp": [any], "92/tcp": [any] } });
    assert.throws(() => change([], ["92"], all), { message: /No public port/ });
  });

  test("what is no port", () => {
    assert.throws(() => parsePortChanges(["x"], []), { message: /invalid/ });
    assert.throws(() => parsePortChanges([], ["80:x"]), { message: /invalid/ });
  });
});
