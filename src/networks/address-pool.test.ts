import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AddressPool } from "./address-pool.ts";
import { numberAddress, parseCidr } from "./addresses.ts";

const subnetOf = (text: string) => parseCidr(text).subnet;
const owners = ["a", "b", "c", "d"];

/** What a pool is to do, in the plainest way: every question looks at every address. */
class Model {
  readonly taken = new Set<number>();
  readonly reserved = new Map<string, { kind: "static" | "sticky"; at: number }>();
  /** When each address was last given back or reserved. */
  readonly usedAt = new Map<number, number>();
  #clock = 0;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  exists = (at: number): boolean => at > 1 && at < this.#size - 1;
  owners = (at: number): string[] => [...this.reserved].filter(([, entry]) => entry.at === at).map(([owner]) => owner);
  touch = (at: number): void => void this.usedAt.set(at, this.#clock++);

  allocate(owner: string | undefined, prefer: number | undefined): number | undefined {
    const all = Array.from({ length: this.#size }, (_, at) => at).filter((at) => this.exists(at) && !this.taken.has(at));
    const open = all.filter((at) => this.owners(at).length === 0 || (owner !== undefined && this.owners(at).includes(owner)));
    const kept = owner === undefined ? undefined : this.reserved.get(owner)?.at;
    const wish = [prefer, kept].find((at) => at !== undefined && open.includes(at));
    const idle = all
      .filter((at) => this.owners(at).length === 1 && this.reserved.get(this.owners(at)[0] ?? "")?.kind === "sticky")
      .sort((a, b) => (this.usedAt.get(a) ?? 0) - (this.usedAt.get(b) ?? 0));
    const unowned = open.filter((at) => this.owners(at).length === 0);
    const chosen = wish ?? unowned[0] ?? idle[0];
    if (chosen === undefined) return undefined;
    if (chosen === idle[0] && wish === undefined && unowned.length === 0) this.reserved.delete(this.owners(chosen)[0] ?? "");
    this.taken.add(chosen);
    return chosen;
  }
}

const offset = fc.integer({ min: 0, max: 17 });
const someOwner = fc.constantFrom(...owners);
const action = fc.oneof(
  fc.record({ do: fc.constant("allocate" as const), owner: fc.option(someOwner), prefer: fc.option(offset) }),
  fc.record({ do: fc.constant("claim" as const), at: offset }),
  fc.record({ do: fc.constant("release" as const), at: offset }),
  fc.record({ do: fc.constant("static" as const), at: offset, owner: someOwner }),
  fc.record({ do: fc.constant("sticky" as const), at: offset, owner: someOwner }),
  fc.record({ do: fc.constant("unreserve" as const), owner: someOwner }),
);

test("any order of taking, giving back and reserving", () => {
  fc.assert(
    fc.property(fc.integer({ min: 28, max: 30 }), fc.array(action, { maxLength: 80 }), (length, actions) => {
      const subnet = subnetOf(`10.0.0.0/${length}`);
      const size = 2 ** (32 - length);
      const text = (at: number): string => numberAddress(4, subnet.base + BigInt(at));
      const pool = new AddressPool(subnet, { reserved: [text(1)] });
      const model = new Model(size);
      for (const step of actions) {
        switch (step.do) {
          case "allocate": {
            const expected = model.allocate(step.owner ?? undefined, step.prefer ?? undefined);
            const given = pool.allocate(step.prefer === null ? undefined : text(step.prefer), step.owner ?? undefined);
            assert.equal(given, expected === undefined ? undefined : text(expected));
            break;
          }
          case "claim": {
            const can = model.exists(step.at) && !model.taken.has(step.at);
            assert.equal(pool.claim(text(step.at)), can);
            if (can) model.taken.add(step.at);
            break;
          }
          case "release":
            pool.release(text(step.at));
            if (model.taken.delete(step.at)) model.touch(step.at);
            break;
          case "static":
          case "sticky":
            pool.reserve(text(step.at), step.owner, step.do);
            if (!model.exists(step.at) || (step.do === "sticky" && model.reserved.get(step.owner)?.kind === "static")) break;
            model.reserved.set(step.owner, { kind: step.do, at: step.at });
            if (step.do === "sticky") model.touch(step.at);
            break;
          case "unreserve":
            pool.unreserve(step.owner);
            model.reserved.delete(step.owner);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

describe("reservations", () => {
  test("what a container asked for is given to no other unasked, and to the first that names it", () => {
    const pool = new AddressPool(subnetOf("10.0.0.0/29"), { reserved: ["10.0.0.1"] });
    pool.reserve("10.0.0.2", "one", "static");
    pool.reserve("10.0.0.2", "two", "static");
    assert.deepEqual(
      [1, 2, 3, 4, 5].map(() => pool.allocate()),
      ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", undefined],
    );
    assert.ok(pool.claim("10.0.0.2"));
    assert.ok(!pool.claim("10.0.0.2"));
    pool.release("10.0.0.2");
    pool.unreserve("one");
    assert.equal(pool.allocate(), undefined);
    pool.unreserve("two");
    assert.equal(pool.allocate(), "10.0.0.2");
  });

  test("a stopped container's address goes to others last, the longest unused first", () => {
    const pool = new AddressPool(subnetOf("10.0.0.0/29"), { reserved: ["10.0.0.1"] });
    for (const owner of ["a", "b", "c"]) {
      const address = pool.allocate(undefined, owner);
      assert.ok(address !== undefined);
      pool.reserve(address, owner, "sticky");
    }
    for (const address of ["10.0.0.3", "10.0.0.2", "10.0.0.4"]) pool.release(address);
    assert.equal(pool.allocate(undefined, "new"), "10.0.0.5");
    assert.equal(pool.allocate(undefined, "b"), "10.0.0.3", "its own");
    pool.release("10.0.0.3");
    assert.equal(pool.allocate(undefined, "new2"), "10.0.0.6");
    assert.equal(pool.allocate(undefined, "new3"), "10.0.0.2", "b's was used since");
    assert.equal(pool.allocate(undefined, "a"), "10.0.0.4", "a has lost its own, and takes c's");
    assert.equal(pool.allocate(undefined, "c"), "10.0.0.3");
    assert.equal(pool.allocate(undefined, "b"), undefined);
  });
});

describe("what is given out", () => {
  test("only the range, unasked", () => {
    const pool = new AddressPool(subnetOf("10.0.0.0/24"), { range: subnetOf("10.0.0.128/30"), reserved: ["10.0.0.1"] });
    assert.deepEqual(
      [1, 2, 3, 4, 5].map(() => pool.allocate()),
      ["10.0.0.128", "10.0.0.129", "10.0.0.130", "10.0.0.131", undefined],
    );
    assert.ok(pool.claim("10.0.0.7"));
  });

  test("never gateway, auxiliary addresses, or the subnet's own ends", () => {
    const pool = new AddressPool(subnetOf("10.0.0.0/29"), { reserved: ["10.0.0.6", "10.0.0.3", "192.168.0.1"] });
    for (const address of ["10.0.0.0", "10.0.0.7", "10.0.0.6", "10.0.0.3"]) {
      pool.release(address);
      pool.reserve(address, "x", "static");
      assert.ok(!pool.claim(address), address);
    }
    assert.deepEqual(
      [1, 2, 3, 4].map(() => pool.allocate()),
      ["10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5"],
    );
    assert.equal(pool.allocate(), undefined);
  });

  test("small subnets have no broadcast address", () => {
    const all = (subnet: string): (string | undefined)[] => {
      const pool = new AddressPool(subnetOf(subnet));
      return [pool.allocate(), pool.allocate(), pool.allocate()];
    };
    assert.deepEqual(all("10.0.0.4/31"), ["10.0.0.4", "10.0.0.5", undefined]);
    assert.deepEqual(all("10.0.0.4/32"), ["10.0.0.4", undefined, undefined]);
    assert.deepEqual(all("fd00::/127"), ["fd00::1", undefined, undefined]);
  });

  test("IPv6", () => {
    const pool = new AddressPool(subnetOf("fd00:1::/64"), { reserved: ["fd00:1::1"] });
    assert.deepEqual([pool.allocate(), pool.allocate()], ["fd00:1::2", "fd00:1::3"]);
  });

  test("100,000 addresses, in one go", () => {
    const pool = new AddressPool(subnetOf("10.0.0.0/8"), { reserved: ["10.0.0.1"] });
    for (let count = 0; count < 100_000; count++) pool.allocate(undefined, `c${count}`);
    pool.release("10.0.3.7");
    assert.equal(pool.allocate(), "10.0.3.7");
    assert.equal(pool.allocate(), numberAddress(4, (10n << 24n) + 100_002n));
  });
});
