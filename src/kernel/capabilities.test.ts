import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { capabilityBits, capabilityNames, defaultCapabilities, normaliseCapability, resolveCapabilities } from "./capabilities.ts";

const resolve = (add: string[], drop: string[], privileged = false): string[] =>
  resolveCapabilities({ add, drop, privileged, known: capabilityNames });

describe("capabilities", () => {
  test("the defaults are the fourteen that make 0xa80425fb", () => {
    assert.equal(defaultCapabilities.length, 14);
    assert.equal(capabilityBits(defaultCapabilities), 0xa804_25fbn);
  });

  test("the table ends where the kernel's does, or knows more", () => {
    const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
    assert.ok(capabilityNames.length >= last + 1, `the kernel has ${last + 1}`);
    assert.equal(capabilityNames[21], "CAP_SYS_ADMIN");
    assert.equal(capabilityNames[39], "CAP_BPF");
  });

  test("a set's bits say which names it has", () => {
    const named = (bits: bigint): string[] => capabilityNames.filter((_, number) => (bits >> BigInt(number)) & 1n);
    fc.assert(fc.property(fc.subarray([...capabilityNames]), (names) => assert.deepEqual(named(capabilityBits(names)), names)));
  });

  test("names come with and without CAP_, in either case", () => {
    for (const text of ["net_admin", "NET_ADMIN", "CAP_NET_ADMIN", "cap_net_admin"])
      assert.equal(normaliseCapability(text), "CAP_NET_ADMIN");
    assert.throws(() => normaliseCapability("NOSUCH"), {
      code: "InvalidParameter",
      message: 'invalid CapAdd: unknown capability: "CAP_NOSUCH"',
    });
  });

  test("the algebra of add and drop", () => {
    assert.deepEqual(resolve([], []), defaultCapabilities);
    assert.deepEqual(resolve(["NET_RAW"], ["ALL"]), ["CAP_NET_RAW"]);
    assert.deepEqual(resolve([], ["all"]), []);
    assert.deepEqual(resolve(["ALL"], []), capabilityNames);
    assert.deepEqual(
      resolve(["ALL"], ["SYS_ADMIN"]),
      capabilityNames.filter((name) => name !== "CAP_SYS_ADMIN"),
    );
    assert.deepEqual(resolve(["SYS_TIME"], ["CHOWN"]), [...defaultCapabilities.filter((name) => name !== "CAP_CHOWN"), "CAP_SYS_TIME"]);
    assert.deepEqual(resolve([], ["ALL"], true), capabilityNames);
  });

  test("one that the daemon does not have cannot be given", () => {
    const known = capabilityNames.filter((name) => name !== "CAP_SYS_RESOURCE");
    assert.throws(
      () => resolveCapabilities({ add: ["SYS_RESOURCE"], drop: [], privileged: false, known }),
      /not supported by your kernel or not available/,
    );
    assert.equal(resolveCapabilities({ add: ["ALL"], drop: [], privileged: false, known }).includes("CAP_SYS_RESOURCE"), false);
  });
});
