import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ErrorCode, isEngineError } from "../base/base.ts";
import type { NetworkCreateRequest } from "../spec/spec.ts";
import { contains, overlap, parseCidr, type Subnet } from "./addresses.ts";
import { type CreationFacts, planNetwork } from "./network-creation.ts";
import { subnetSources } from "./subnets.ts";

const subnetOf = (text: string): Subnet => parseCidr(text).subnet;
type Planned = ReturnType<typeof planNetwork>;
type Known = CreationFacts["networks"][number];

/** Networks that are made one after another, as the daemon does it. */
class World {
  readonly networks: Known[] = [];
  #next = 0;
  readonly #facts: Partial<CreationFacts>;

  constructor(facts: Partial<CreationFacts> = {}) {
    this.#facts = facts;
  }

  plan(request: Partial<NetworkCreateRequest> = {}): Planned {
    const id = (this.#next++).toString(16).padStart(12, "0").padEnd(64, "f");
    const name = request.Name ?? `n${this.#next}`;
    const facts = { id, networks: this.networks, hostSubnets: [], sources: subnetSources(undefined, "engine"), ...this.#facts };
    const record = planNetwork({ ...request, Name: name }, facts);
    this.networks.push({ id, name, record });
    return record;
  }

  refuses(request: Partial<NetworkCreateRequest>, code: ErrorCode, message: string): void {
    assert.throws(
      () => this.plan(request),
      (error) => {
        assert.ok(isEngineError(error), String(error));
        assert.deepEqual([error.code, error.message], [code, message]);
        return true;
      },
    );
  }
}

const world = (facts?: Partial<CreationFacts>): World => new World(facts);
const refused = (request: Partial<NetworkCreateRequest>, code: ErrorCode, message: string): void => world().refuses(request, code, message);
const withPools = (...Config: { Subnet?: string; Gateway?: string; IPRange?: string; AuxiliaryAddresses?: Record<string, string> }[]) => ({
  IPAM: { Driver: "default", Config },
});
const id0 = `${"0".repeat(12)}${"f".repeat(52)}`;
const id1 = `${"0".repeat(11)}1${"f".repeat(52)}`;

describe("what is asked for without more", () => {
  test("a bridge with the next subnet of Docker's", () => {
    const made = world();
    assert.deepEqual(made.plan({ Name: "a" }), {
      driver: "bridge",
      enableIPv4: true,
      enableIPv6: false,
      internal: false,
      attachable: false,
      labels: {},
      options: {},
      ipamOptions: {},
      pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1", auxiliary: {}, automatic: true }],
      bridge: { device: "br-000000000000", made: true },
    });
    assert.equal(made.plan().pools[0]?.subnet, "172.18.0.0/16");
  });

  test("what clients send for nothing at all", () => {
    const nothing = { Driver: "", Scope: "", Internal: false, ConfigFrom: undefined, Options: null, Labels: null, EnableIPv6: null };
    const record = world().plan({ ...nothing, IPAM: { Driver: "", Config: null, Options: null } } as unknown as NetworkCreateRequest);
    assert.deepEqual(record, world().plan());
  });

  test("the host's subnets are passed over, and may be named all the same", () => {
    const facts = { hostSubnets: ["172.17.0.0/16", "172.18.3.4/32"].map(subnetOf) };
    assert.equal(world(facts).plan().pools[0]?.subnet, "172.19.0.0/16");
    assert.equal(world(facts).plan(withPools({ Subnet: "172.17.0.0/16" })).pools[0]?.subnet, "172.17.0.0/16");
  });

  test("no pool is left", () => {
    const made = world({ sources: subnetSources(["base=10.1.0.0/23,size=24"], "engine") });
    assert.deepEqual([made.plan().pools[0]?.subnet, made.plan().pools[0]?.subnet], ["10.1.0.0/24", "10.1.1.0/24"]);
    made.refuses({}, "InvalidParameter", "all predefined address pools have been fully subnetted");
    assert.deepEqual(made.plan(withPools({ Subnet: "10.1.2.0/24" })).pools[0]?.subnet, "10.1.2.0/24");
  });

  test("1,500 networks", () => {
    const made = world();
    for (let count = 0; count < 1500; count++) made.plan();
    assert.equal(new Set(made.networks.map(({ record }) => record.pools[0]?.subnet)).size, 1500);
  });
});

describe("names", () => {
  test("predefined, empty, taken", () => {
    for (const Name of ["bridge", "host", "none", "default"])
      refused({ Name }, "Forbidden", `operation is not permitted on predefined ${Name} network `);
    for (const Name of ["", "  "]) refused({ Name }, "InvalidParameter", "invalid name: name is empty");
    const made = world();
    made.plan({ Name: "a" });
    made.refuses({ Name: "a" }, "Conflict", "network with name a already exists");
    assert.ok(made.plan({ Name: "A b/c" }));
  });
});

describe("drivers", () => {
  test("unknown, of a swarm, of which there is one", () => {
    refused({ Driver: "weave" }, "NotFound", 'plugin "weave" not found');
    refused({ Driver: "host" }, "Forbidden", 'only one instance of "host" network is allowed');
    refused({ Driver: "null" }, "Forbidden", 'only one instance of "null" network is allowed');
    refused(
      { Driver: "overlay" },
      "Forbidden",
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
    refused({ Scope: "swarm" }, "Forbidden", "cannot create a swarm scoped network when swarm is not active");
    refused({ Ingress: true }, "Forbidden", "Ingress network can only be global scope network");
    refused({ IPAM: { Driver: "infoblox" } }, "NotFound", 'plugin "infoblox" not found');
    refused({ IPAM: { Driver: "null" } }, "InvalidParameter", "ipv4 pool is empty");
  });
});

describe("subnets that are named", () => {
  const wrong = (line: string) => `invalid network config:\n${line}`;

  test("as they are", () => {
    const config = { Subnet: "10.5.0.0/16", IPRange: "10.5.9.0/24", Gateway: "10.5.0.254", AuxiliaryAddresses: { router: "10.5.1.1" } };
    assert.deepEqual(world().plan(withPools(config)).pools, [
      { subnet: "10.5.0.0/16", range: "10.5.9.0/24", gateway: "10.5.0.254", auxiliary: { router: "10.5.1.1" } },
    ]);
  });

  test("the gateway is the first address of the range", () => {
    assert.equal(world().plan(withPools({ Subnet: "10.5.0.0/16" })).pools[0]?.gateway, "10.5.0.1");
    assert.equal(world().plan(withPools({ Subnet: "10.5.0.0/16", IPRange: "10.5.9.0/24" })).pools[0]?.gateway, "10.5.9.0");
  });

  test("what is no subnet", () => {
    for (const Subnet of ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.00.0.0/8", "x/8", "fe80::%eth0/64", "::/129"])
      refused(withPools({ Subnet }), "InvalidParameter", wrong(`invalid subnet ${Subnet}: invalid CIDR block notation`));
    refused(withPools({ Subnet: "10.5.1.1/16" }), "InvalidParameter", wrong("invalid subnet 10.5.1.1/16: it should be 10.5.0.0/16"));
    refused(
      { ...withPools({ Subnet: "2001:db8::1/64" }), EnableIPv6: true },
      "InvalidParameter",
      wrong("invalid subnet 2001:db8::1/64: it should be 2001:db8::/64"),
    );
  });

  test("ranges, gateways and auxiliary addresses elsewhere", () => {
    const cases: [Record<string, unknown>, string][] = [
      [{ IPRange: "x" }, "invalid ip-range x: invalid CIDR block notation"],
      [{ IPRange: "fd00::/64" }, "invalid ip-range fd00::/64: parent subnet is an IPv4 block"],
      [
        { IPRange: "10.5.0.0/15" },
        "* invalid ip-range 10.5.0.0/15: CIDR block is bigger than its parent subnet 10.5.0.0/16\n" +
          "* invalid ip-range 10.5.0.0/15: it should be 10.4.0.0/15",
      ],
      [{ IPRange: "10.6.0.0/24" }, "invalid ip-range 10.6.0.0/24: parent subnet 10.5.0.0/16 doesn't contain ip-range"],
      [{ Gateway: "x" }, "invalid gateway x: invalid address"],
      [{ Gateway: "fd00::1" }, "invalid gateway fd00::1: parent subnet is an IPv4 block"],
      [{ Gateway: "10.6.0.1" }, "invalid gateway 10.6.0.1: parent subnet 10.5.0.0/16 doesn't contain this address"],
      [
        { AuxiliaryAddresses: { a: "10.5.0.9", b: "1.2.3.4" } },
        "invalid auxiliary address b: parent subnet 10.5.0.0/16 doesn't contain this address",
      ],
    ];
    for (const [more, line] of cases) refused(withPools({ Subnet: "10.5.0.0/16", ...more }), "InvalidParameter", wrong(line));
  });

  test("addresses twice", () => {
    const refuse = (more: Record<string, unknown>, message: string): void =>
      refused(withPools({ Subnet: "10.5.0.0/24", ...more }), "System", message);
    refuse({ Gateway: "10.5.0.0" }, "failed to allocate gateway (10.5.0.0): Address already in use");
    refuse({ AuxiliaryAddresses: { a: "10.5.0.1" } }, "failed to allocate secondary ip address (a:10.5.0.1): Address already in use");
    refuse(
      { Gateway: "10.5.0.7", AuxiliaryAddresses: { a: "10.5.0.7" } },
      "failed to allocate secondary ip address (a:10.5.0.7): Address already in use",
    );
    refused(
      { ...withPools({ Subnet: "fd00::7/128" }), EnableIPv6: true },
      "System",
      "failed to allocate gateway (): no available addresses on this pool",
    );
  });

  test("other networks' subnets", () => {
    const overlaps = "invalid pool request: Pool overlaps with other one on this address space";
    const made = world();
    made.plan(withPools({ Subnet: "10.5.0.0/16" }));
    for (const Subnet of ["10.5.0.0/16", "10.5.7.0/24", "10.0.0.0/8"]) made.refuses(withPools({ Subnet }), "Forbidden", overlaps);
    const inside = withPools({ Subnet: "10.5.0.0/16", IPRange: "10.5.7.0/24" });
    assert.throws(() => made.plan(inside), {
      code: "Forbidden",
      message:
        /^cannot create network [0-9a-f]{64} \(br-[0-9a-f]{12}\): conflicts with network 0{12}f{52} \(br-0{12}\): networks have overlapping IPv4$/,
    });
    assert.ok(made.plan({ ...inside, Driver: "macvlan", Options: { parent: "eth0" } }));
    made.refuses({ ...inside, Driver: "macvlan", Options: { parent: "eth0" } }, "Forbidden", overlaps);
  });

  test("several of one family", () => {
    const two = withPools({ Subnet: "10.5.0.0/24" }, { Subnet: "10.6.0.0/24" });
    refused(two, "Forbidden", "bridge driver doesn't support multiple subnets");
    refused(
      withPools({ Subnet: "10.5.0.0/24" }, { Subnet: "10.5.0.0/25" }),
      "Forbidden",
      "invalid pool request: Pool overlaps with other one on this address space",
    );
    assert.deepEqual(
      world()
        .plan({ ...two, Driver: "macvlan", Options: { parent: "eth0" } })
        .pools.map(({ gateway }) => gateway),
      ["10.5.0.1", "10.6.0.1"],
    );
    refused(withPools({ Subnet: "0.0.0.0/0" }), "InvalidParameter", "ipv4 pool is empty");
  });
});

describe("IPv6", () => {
  test("a /64 of the engine's own where none is named, after the IPv4 one", () => {
    const made = world();
    const [four, six] = made.plan({ EnableIPv6: true }).pools;
    assert.equal(four?.subnet, "172.17.0.0/16");
    assert.match(six?.subnet ?? "", /^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
    assert.equal(six?.gateway, six?.subnet.replace("/64", "1"));
    assert.notEqual(made.plan({ EnableIPv6: true }).pools[1]?.subnet, six?.subnet);
    assert.equal(world().plan({ EnableIPv6: true }).pools[1]?.subnet, six?.subnet);
  });

  test("alone, named, and none at all", () => {
    const record = world().plan({ EnableIPv4: false, EnableIPv6: true, ...withPools({ Subnet: "2001:DB8::/64" }) });
    assert.deepEqual(record.pools, [{ subnet: "2001:db8::/64", gateway: "2001:db8::1", auxiliary: {} }]);
    refused({ EnableIPv4: false }, "InvalidParameter", "IPv4 or IPv6 must be enabled");
    assert.deepEqual(world().plan({ EnableIPv4: false, Driver: "macvlan" }).pools, []);
  });

  test("a subnet of a family that is off is passed over", () => {
    const both = withPools({ Subnet: "10.5.0.0/16" }, { Subnet: "fd00::1/64", Gateway: "x" });
    assert.deepEqual(
      world()
        .plan(both)
        .pools.map(({ subnet }) => subnet),
      ["10.5.0.0/16"],
    );
  });

  test("by driver option, which the request's own field overrides", () => {
    const Options = { "com.docker.network.enable_ipv4": "false", "com.docker.network.enable_ipv6": "1" };
    const record = world().plan({ Options });
    assert.deepEqual([record.enableIPv4, record.enableIPv6, record.options], [false, true, Options]);
    const other = world().plan({ Options, EnableIPv4: true, EnableIPv6: false });
    assert.deepEqual([other.enableIPv4, other.enableIPv6, other.options], [true, false, {}]);
    refused(
      { Options: { "com.docker.network.enable_ipv6": "yes" } },
      "InvalidParameter",
      'driver-opt "com.docker.network.enable_ipv6" is not a valid bool',
    );
  });

  test("subnets that no bridge can have", () => {
    const six = (Subnet: string) => ({ ...withPools({ Subnet }), EnableIPv6: true });
    refused(six("ff05::/64"), "InvalidParameter", "multicast subnet 'ff05::1/64' is not allowed");
    refused(six("fe80::/80"), "InvalidParameter", "'fe80::1/80' clashes with the Link-Local prefix 'fe80::/64'");
    refused(six("::ffff:10.0.0.0/104"), "InvalidParameter", "'::ffff:a00:1/104' is not a valid IPv6 subnet");
    assert.ok(world().plan(six("fe80::/64")));
  });
});

describe("options of bridges", () => {
  const option = (name: string, value: string) => ({ Options: { [`com.docker.network.${name}`]: value } });
  const notParsed = (name: string, value: string, why: string): void =>
    refused(option(name, value), "InvalidParameter", `failed to parse com.docker.network.${name} value: ${value} (${why})`);

  test("that are of the wrong kind", () => {
    for (const name of ["bridge.enable_icc", "bridge.enable_ip_masquerade", "bridge.inhibit_ipv4"])
      notParsed(name, "maybe", 'strconv.ParseBool: parsing "maybe": invalid syntax');
    notParsed("driver.mtu", "big", 'strconv.Atoi: parsing "big": invalid syntax');
    notParsed("driver.mtu", "99999999999999999999", 'strconv.Atoi: parsing "99999999999999999999": value out of range');
    for (const name of ["bridge.gateway_mode_ipv4", "bridge.gateway_mode_ipv6"]) notParsed(name, "open", "unknown gateway mode open");
    for (const name of ["bridge.host_binding_ipv4", "host_ipv4", "host_ipv6"]) notParsed(name, "home", "nil ip");
    refused(option("driver.mtu", "-1"), "InvalidParameter", "invalid MTU number: -1");
    refused(option("bridge.name", "much-too-long-for-it"), "InvalidParameter", "invalid bridge name: much-too-long-for-it");
  });

  test("unknown ones are kept", () => assert.ok(world().plan(option("bridge.nonsense", "1"))));

  test("the daemon's defaults, unless the request says otherwise", () => {
    const mtu = "com.docker.network.driver.mtu";
    const made = world({ defaultOptions: { bridge: { [mtu]: "1400", a: "b" } } });
    assert.deepEqual(made.plan(option("driver.mtu", "1300")).options, { [mtu]: "1300", a: "b" });
    assert.deepEqual(made.plan({ Driver: "macvlan" }).options, {});
  });

  test("isolated: internal only, and no gateway address", () => {
    const isolated = option("bridge.gateway_mode_ipv4", "isolated");
    refused(isolated, "System", "gateway mode 'isolated' can only be used for an internal network");
    assert.deepEqual(world().plan({ ...isolated, Internal: true }).pools, [{ subnet: "172.17.0.0/16", auxiliary: {}, automatic: true }]);
    assert.equal(world().plan({ Internal: true }).pools[0]?.gateway, "172.17.0.1");
  });

  test("a device of that name that another network has", () => {
    const made = world();
    assert.equal(made.plan(option("bridge.name", "lan0")).bridge?.device, "lan0");
    made.refuses(
      option("bridge.name", "lan0"),
      "Forbidden",
      `cannot create network ${id1} (lan0): conflicts with network ${id0} (lan0): networks have same bridge name`,
    );
  });
});

describe("configuration networks", () => {
  const config: Partial<NetworkCreateRequest> = {
    Name: "config",
    ConfigOnly: true,
    Options: { parent: "eth0.7" },
    Labels: { a: "b" },
    ...withPools({ Subnet: "10.5.0.0/16", IPRange: "10.5.9.0/24" }),
  };

  test("are kept as asked, take nothing, and are applied", () => {
    const made = world();
    const kept = made.plan(config);
    assert.deepEqual([kept.driver, kept.configOnly, kept.bridge], ["null", true, undefined]);
    assert.deepEqual(kept.pools, [{ subnet: "10.5.0.0/16", range: "10.5.9.0/24", auxiliary: {} }]);
    const applied = made.plan({ Driver: "macvlan", ConfigFrom: { Network: "config" }, Attachable: true, Internal: true });
    assert.deepEqual(
      [applied.parent?.device, applied.labels, applied.options, applied.configFrom, applied.internal, applied.attachable],
      ["eth0.7", { a: "b" }, { parent: "eth0.7" }, "config", true, true],
    );
    assert.equal(applied.pools[0]?.range, "10.5.9.0/24");
    made.refuses(
      { ConfigFrom: { Network: "config" }, Driver: "macvlan" },
      "Forbidden",
      "invalid pool request: Pool overlaps with other one on this address space",
    );
  });

  test("what they may not be given", () => {
    const operator =
      "configuration network can only contain network specific fields. " +
      "Network operator fields like [ ingress | internal | attachable | scope ] are not supported.";
    for (const more of [{ Internal: true }, { Attachable: true }, { Ingress: true }, { Scope: "local" }])
      refused({ ...config, ...more }, "Forbidden", operator);
    refused({ ConfigFrom: { Network: "x" } }, "NotFound", 'configuration network "x" does not exist');
    refused(
      { ConfigOnly: true, ConfigFrom: { Network: "x" } },
      "Forbidden",
      "a configuration network cannot depend on another configuration network",
    );
    const own = "user-specified configurations are not supported if the network depends on a configuration network";
    for (const more of [{ Labels: { a: "b" } }, { EnableIPv6: true }, withPools({ Subnet: "10.1.0.0/16" })])
      refused({ ConfigFrom: { Network: "x" }, ...more }, "Forbidden", own);
    refused(
      { ConfigFrom: { Network: "x" }, Options: { a: "b" } },
      "Forbidden",
      "network driver options are not supported if the network depends on a configuration network",
    );
  });
});

describe("macvlan and ipvlan", () => {
  const on = (Driver: string, parent: string, more: Record<string, string> = {}) => ({ Driver, Options: { parent, ...more } });

  test("without a parent: one of ours, and no way out", () => {
    for (const Driver of ["macvlan", "ipvlan"]) {
      const record = world().plan({ Driver });
      assert.deepEqual(record.parent, { device: "dm-000000000000", made: true });
      assert.deepEqual(record.pools, [{ subnet: "172.17.0.0/16", auxiliary: {}, automatic: true }]);
    }
  });

  test("gateways where there is a way to one", () => {
    const gateway = (request: Partial<NetworkCreateRequest>) => world().plan(request).pools[0]?.gateway;
    assert.equal(gateway(on("macvlan", "eth0")), "172.17.0.1");
    assert.equal(gateway({ ...on("macvlan", "eth0"), Internal: true }), undefined);
    assert.equal(gateway(on("ipvlan", "eth0")), "172.17.0.1");
    assert.equal(gateway(on("ipvlan", "eth0", { ipvlan_mode: "l3" })), undefined);
    assert.equal(gateway(on("ipvlan", "eth0", { ipvlan_mode: "l3s" })), undefined);
  });

  test("modes and parents that are none", () => {
    refused(
      on("macvlan", "eth0", { macvlan_mode: "l2" }),
      "System",
      "requested macvlan mode 'l2' is not valid, 'bridge' mode is the macvlan driver default",
    );
    refused(
      on("ipvlan", "eth0", { ipvlan_mode: "l4" }),
      "System",
      "requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default",
    );
    refused(
      on("ipvlan", "eth0", { ipvlan_flag: "x" }),
      "System",
      "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
    );
    refused(on("macvlan", "lo"), "System", "loopback interface is not a valid macvlan parent link");
  });

  test("a parent that is in use", () => {
    const made = world();
    made.plan(on("macvlan", "eth0"));
    assert.ok(made.plan(on("macvlan", "eth0", { macvlan_mode: "vepa" })));
    made.refuses(
      on("macvlan", "eth0", { macvlan_mode: "passthru" }),
      "System",
      `cannot use mode passthru, macvlan network ${id0} is already using parent interface eth0`,
    );
    const through = world();
    through.plan(on("macvlan", "eth0", { macvlan_mode: "passthru" }));
    through.refuses(on("macvlan", "eth0"), "System", `macvlan network ${id0} is already using parent interface eth0 in mode passthru`);
    const ip = world();
    ip.plan(on("ipvlan", "eth0"));
    ip.refuses(on("ipvlan", "eth0"), "System", "network dm-000000000000 is already using parent interface eth0");
  });

  test("a parent that another network's making has made is ours too", () => {
    const made = world();
    made.plan(on("macvlan", "eth0.5"));
    assert.equal(made.plan(on("macvlan", "eth0.5")).parent?.made, false);
    const [first] = made.networks;
    assert.ok(first !== undefined);
    made.networks[0] = { ...first, record: { ...first.record, parent: { device: "eth0.5", made: true } } };
    assert.equal(made.plan(on("macvlan", "eth0.5")).parent?.made, true);
  });
});

/** Requests that are half right: their parts fit often enough that all of the checks are come to. */
function requests(): fc.Arbitrary<Partial<NetworkCreateRequest>> {
  const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
  const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
  const byte = fc.integer({ min: 0, max: 3 });
  const four = fc.tuple(byte, byte).map(([a, b]) => `10.${a}.${b}.0`);
  const subnet = fc.oneof(
    fc.tuple(four, fc.constantFrom(24, 24, 24, 25, 16, 33, 7)).map(([base, length]) => `${base}/${length}`),
    fc.tuple(byte, fc.constantFrom(64, 64, 48, 128, 129)).map(([a, length]) => `fd00:${a}::/${length}`),
    fc.constantFrom("0.0.0.0/0", "::/0", "ff00::/64", "fe80::/70", "172.17.0.0/16", "nonsense", ""),
  );
  const address = fc.oneof(
    fc.tuple(byte, byte, byte).map(([a, b, c]) => `10.${a}.${b}.${c}`),
    fc.tuple(byte, byte).map(([a, c]) => `fd00:${a}::${c}`),
    fc.constantFrom("x", ""),
  );
  const config = fc.record({
    Subnet: subnet,
    IPRange: rarely(subnet),
    Gateway: rarely(address),
    AuxiliaryAddresses: rarely(fc.dictionary(fc.constantFrom("a", "DefaultGatewayIPv4"), address)),
  });
  const labels = ["bridge.gateway_mode_ipv4", "bridge.inhibit_ipv4", "driver.mtu", "enable_ipv6"].map(
    (name) => `com.docker.network.${name}`,
  );
  const options = fc.dictionary(
    fc.constantFrom(...labels, "parent", "macvlan_mode", "ipvlan_mode"),
    fc.constantFrom("true", "isolated", "1400", "eth0", "lo", "passthru", "l3", "private"),
  );
  return fc.record({
    Name: fc.constantFrom("a", "b", "c", "d", "e", "f", ""),
    Driver: rarely(fc.constantFrom("bridge", "macvlan", "ipvlan", "null", "x")),
    Internal: maybe(fc.boolean()),
    Attachable: maybe(fc.boolean()),
    ConfigOnly: rarely(fc.boolean()),
    ConfigFrom: rarely(fc.record({ Network: fc.constantFrom("a", "b", "") })),
    EnableIPv4: maybe(fc.boolean()),
    EnableIPv6: maybe(fc.boolean()),
    IPAM: maybe(fc.record({ Driver: maybe(fc.constantFrom("default", "null")), Config: fc.array(config, { maxLength: 3 }) })),
    Options: rarely(options),
  }) as fc.Arbitrary<Partial<NetworkCreateRequest>>;
}

test("any requests: an error of the engine, or a network whose addresses hold together", () => {
  let made = 0;
  fc.assert(
    fc.property(fc.array(requests(), { maxLength: 6 }), (list) => {
      const tried = world();
      for (const request of list) {
        try {
          tried.plan({ Name: "", ...request });
        } catch (error) {
          assert.ok(isEngineError(error), String(error));
        }
      }
      const real = tried.networks.filter(({ record }) => record.configOnly !== true);
      made += real.length;
      for (const { record } of real)
        for (const pool of record.pools) {
          const subnet = subnetOf(pool.subnet);
          const named = [...(pool.gateway === undefined ? [] : [pool.gateway]), ...Object.values(pool.auxiliary)].filter(Boolean);
          for (const address of named) assert.ok(contains(subnet, address), `${address} in ${pool.subnet}`);
          assert.equal(new Set(named).size, named.length);
          assert.ok(subnet.family === 4 ? record.enableIPv4 : record.enableIPv6);
        }
      const bridges = real.filter(({ record }) => record.driver === "bridge").flatMap(({ record }) => record.pools);
      for (const [index, pool] of bridges.entries())
        for (const other of bridges.slice(index + 1)) assert.ok(!overlap(subnetOf(pool.subnet), subnetOf(other.subnet)));
    }),
    { numRuns: 3000 },
  );
  assert.ok(made > 500, `${made} networks came about`);
});
