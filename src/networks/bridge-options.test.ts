import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bridgeOptionsOf, gatewayElsewhere } from "./bridge-options.ts";

const read = (options: Record<string, string>, internal = false) =>
  bridgeOptionsOf({
    options: Object.fromEntries(Object.entries(options).map(([name, value]) => [`com.docker.network.${name}`, value])),
    internal,
  });

describe("options of a bridge", () => {
  test("without any", () =>
    assert.deepEqual(read({}), {
      mtu: 1500,
      icc: true,
      masquerade: true,
      gatewayMode: { 4: "nat", 6: "nat" },
      publishAddress: {},
      inhibitIPv4: false,
      trustedInterfaces: [],
      sourceAddress: {},
      interfacePrefix: "eth",
    }));

  test("all of them", () => {
    const options = {
      "bridge.name": "lan0",
      "driver.mtu": "1400",
      "bridge.enable_icc": "0",
      "bridge.enable_ip_masquerade": "False",
      "bridge.gateway_mode_ipv4": "routed",
      "bridge.gateway_mode_ipv6": "isolated",
      "bridge.host_binding_ipv4": "127.0.0.1",
      "bridge.host_binding_ipv6": "::1",
      "bridge.inhibit_ipv4": "t",
      "bridge.trusted_host_interfaces": "eth0:eth1",
      host_ipv4: "192.0.2.1",
      host_ipv6: "2001:db8::1",
      container_iface_prefix: "lan",
    };
    assert.deepEqual(read(options, true), {
      name: "lan0",
      mtu: 1400,
      icc: false,
      masquerade: false,
      gatewayMode: { 4: "routed", 6: "isolated" },
      publishAddress: { 4: "127.0.0.1", 6: "::1" },
      inhibitIPv4: true,
      trustedInterfaces: ["eth0", "eth1"],
      sourceAddress: { 4: "192.0.2.1", 6: "2001:db8::1" },
      interfacePrefix: "lan",
    });
  });

  test("the one label for published ports takes both families", () =>
    assert.deepEqual(read({ "bridge.host_binding_ipv4": "::1" }).publishAddress, { 6: "::1" }));

  test("another default gateway", () => {
    const pools = [{ auxiliary: { router: "10.0.0.7" } }, { auxiliary: { DefaultGatewayIPv4: "10.0.0.9" } }];
    assert.equal(gatewayElsewhere(pools, 4), "10.0.0.9");
    assert.equal(gatewayElsewhere(pools, 6), undefined);
  });
});
