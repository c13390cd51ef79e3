import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addressNumber, contains, macFor, numberAddress, overlap, parseCidr, type Subnet, subnetText } from "./addresses.ts";
import { chooseSubnet, defaultSources, parseSubnetSource, subnetSources, uniqueLocalSource } from "./subnets.ts";

const subnetOf = (text: string) => parseCidr(text).subnet;
const textOf = (subnet: Subnet | undefined): string | undefined => (subnet === undefined ? undefined : subnetText(subnet));

describe("choosing", () => {
  const next = (...taken: string[]) => textOf(chooseSubnet(defaultSources, taken.map(subnetOf)));

  test("Docker's pools in Docker's order, past what the host uses", () => {
    assert.equal(next(), "172.17.0.0/16");
    assert.equal(next("172.17.5.0/24"), "172.18.0.0/16");
    assert.equal(next("172.16.0.0/12"), "192.168.0.0/20");
    assert.equal(next("172.16.0.0/12", "192.168.1.0/24"), "192.168.16.0/20");
    assert.equal(next("172.16.0.0/12", "192.168.0.0/16"), "10.208.0.0/24");
    assert.equal(next("172.16.0.0/12", "192.168.0.0/16", "10.208.0.17/32"), "10.208.1.0/24");
    assert.equal(next("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8"), undefined);
    assert.equal(next("0.0.0.0/0"), undefined);
  });

  test("4,000 networks, none twice: Docker's 31 first", () => {
    const taken: Subnet[] = [];
    for (let count = 0; count < 4000; count++) {
      const subnet = chooseSubnet(defaultSources, taken);
      assert.ok(subnet !== undefined);
      taken.push(subnet);
    }
    assert.equal(new Set(taken.map(subnetText)).size, 4000);
    assert.equal(textOf(taken[14]), "172.31.0.0/16");
    assert.equal(textOf(taken[30]), "192.168.240.0/20");
    assert.equal(textOf(taken[31]), "10.208.0.0/24");
  });

  test("always the first that overlaps nothing", () => {
    const some = fc
      .tuple(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 16, max: 32 }))
      .map(([low, length]) => subnetOf(`${numberAddress(4, 0x0a000000n + BigInt(low))}/${length}`));
    const sources = ["base=10.0.128.0/19,size=22", "base=10.0.0.0/18,size=20", "base=10.0.64.0/20,size=20"].map(parseSubnetSource);
    const all = sources.flatMap(({ base, size }) =>
      Array.from({ length: 2 ** (size - base.prefixLength) }, (_, index) =>
        subnetOf(`${numberAddress(4, base.base + (BigInt(index) << BigInt(32 - size)))}/${size}`),
      ),
    );
    fc.assert(
      fc.property(fc.array(some, { maxLength: 14 }), (taken) => {
        const first = all.find((candidate) => !taken.some((other) => overlap(other, candidate)));
        assert.equal(textOf(chooseSubnet(sources, taken)), textOf(first));
      }),
      { numRuns: 1000 },
    );
  });

  test("families do not mix", () => {
    const sources = ["base=fd00:1::/62,size=64", "base=10.0.0.0/23,size=24"].map(parseSubnetSource);
    const taken = ["fd00:1::/64", "10.0.0.0/24", "::/64"].map(subnetOf);
    assert.equal(textOf(chooseSubnet(sources, taken)), "10.0.1.0/24");
    assert.equal(textOf(chooseSubnet(sources, taken, 6)), "fd00:1:0:1::/64");
  });
});

describe("pools", () => {
  test("without any there are Docker's and a unique local one, the same for the same engine", () => {
    const sources = subnetSources(undefined, "engine");
    assert.deepEqual(sources.slice(0, -1), defaultSources);
    assert.deepEqual(sources.at(-1), uniqueLocalSource("engine"));
    assert.notDeepEqual(uniqueLocalSource("engine"), uniqueLocalSource("other"));
    const { base, size } = uniqueLocalSource("engine");
    assert.ok(contains(subnetOf("fd00::/8"), numberAddress(6, base.base)));
    assert.deepEqual([base.prefixLength, size], [48, 64]);
  });

  test("given ones are the only ones of their family, in ascending order", () => {
    const sources = subnetSources(["base=192.168.8.0/21,size=24", "base=10.9.0.0/16,size=28"], "engine");
    assert.deepEqual(
      sources.map(({ base }) => subnetText(base)),
      ["10.9.0.0/16", "192.168.8.0/21", subnetText(uniqueLocalSource("engine").base)],
    );
    const six = subnetSources(["base=fd00:9::/48,size=80"], "engine");
    assert.deepEqual(six, [{ base: subnetOf("fd00:9::/48"), size: 80 }]);
    assert.equal(textOf(chooseSubnet(six, [], 6)), "fd00:9::/80");
    assert.equal(chooseSubnet(six, []), undefined);
  });

  test("what is wrong is refused", () => {
    assert.equal(parseSubnetSource("base=10.10.0.0/16,size=24").size, 24);
    const wrong = [
      "base=10.10.0.0/16",
      "size=24",
      "base=10.10.0.0/16,size=8",
      "base=10.10.0.0/16,size=31",
      "base=fd00::/48,size=32",
      "base=fd00::/48,size=127",
    ];
    for (const text of wrong) assert.throws(() => parseSubnetSource(text), { code: "InvalidParameter" }, text);
  });
});

test("texts and numbers", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, length) => {
      const { subnet } = parseCidr(`${address}/${length}`);
      assert.ok(contains(subnet, address));
      assert.equal(numberAddress(4, addressNumber(address)), address);
      assert.deepEqual(parseCidr(subnetText(subnet)).subnet, subnet);
    }),
  );
  for (const wrong of ["", "1.2.3.4", "1.2.3.4/33", "1.2.3/8", "x/8", "::1/129"])
    assert.throws(() => parseCidr(wrong), { code: "InvalidParameter" });
});

test("MAC addresses follow addresses", () => {
  assert.equal(macFor("172.17.0.2"), "02:42:ac:11:00:02");
  assert.match(macFor("fd00::2"), /^02(:[0-9a-f]{2}){5}$/);
  assert.equal(macFor("fd00::2"), macFor("fd00:0::2"));
  assert.notEqual(macFor("fd00::2"), macFor("fd00::1:0:0:2"));
});
