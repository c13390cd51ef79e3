import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type DeviceRule, deviceProgram, isUnrestricted } from "./device-program.ts";

interface Access {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Of r, w, m. */
  readonly access: string;
}

const letters: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const bits = (text: string): number => [...text].reduce((sum, letter) => sum | (letters[letter] ?? 0), 0);

/** Runs the program as the kernel would: registers, and the context behind r1. */
function run(program: Uint8Array, { type, major, minor, access }: Access): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const context = new Uint32Array([(bits(access) << 16) | (type === "b" ? 1 : 2), major, minor]);
  const registers = new Array<number>(11).fill(Number.NaN);
  for (let at = 0; at < program.length / 8; at++) {
    const code = view.getUint8(at * 8);
    const to = view.getUint8(at * 8 + 1) & 15;
    const from = view.getUint8(at * 8 + 1) >> 4;
    const offset = view.getInt16(at * 8 + 2, true);
    const immediate = view.getInt32(at * 8 + 4, true);
    const value = registers[to] ?? Number.NaN;
    if (code === 0x61) registers[to] = context[offset / 4] ?? Number.NaN;
    else if (code === 0xb7) registers[to] = immediate;
    else if (code === 0xbf) registers[to] = registers[from] ?? Number.NaN;
    else if (code === 0x54) registers[to] = value & immediate;
    else if (code === 0x74) registers[to] = value >>> immediate;
    else if (code === 0x55) at += value !== immediate ? offset : 0;
    else if (code === 0x15) at += value === immediate ? offset : 0;
    else if (code === 0x95) return registers[0] ?? Number.NaN;
    else throw new Error(`code ${code}`);
    assert.ok(!Number.isNaN(registers[to]), "reads only what has been written");
  }
  throw new Error("ran past the end");
}

const dockerLike: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  { allow: true, type: "c", major: 136, access: "rwm" },
  { allow: true, type: "b", major: 8, minor: 0, access: "r" },
];

describe("the device program", () => {
  const ask = (rules: readonly DeviceRule[], type: "b" | "c", major: number, minor: number, access: string): boolean =>
    run(deviceProgram(rules), { type, major, minor, access }) === 1;

  test("allows what is listed and nothing else", () => {
    assert.equal(ask(dockerLike, "c", 1, 3, "rw"), true);
    assert.equal(ask(dockerLike, "c", 136, 77, "rw"), true);
    assert.equal(ask(dockerLike, "b", 8, 0, "r"), true);
    assert.equal(ask(dockerLike, "b", 8, 0, "rw"), false);
    assert.equal(ask(dockerLike, "b", 8, 0, "m"), true, "a node may be made");
    assert.equal(ask(dockerLike, "c", 1, 1, "r"), false, "/dev/mem");
    assert.equal(ask(dockerLike, "b", 1, 3, "r"), false, "the type counts");
  });

  test("allowances of one device add up", () => {
    const rules: DeviceRule[] = [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "r" },
      { allow: true, type: "c", major: 10, minor: 229, access: "w" },
    ];
    assert.equal(ask(rules, "c", 10, 229, "rw"), true);
    assert.equal(ask(rules, "c", 10, 229, "rwm"), false);
  });

  test("the last rule that fits decides", () => {
    const rules: DeviceRule[] = [
      { allow: true, access: "rwm" },
      { allow: false, type: "c", major: 1, minor: 1, access: "w" },
    ];
    assert.equal(ask(rules, "c", 1, 1, "r"), true);
    assert.equal(ask(rules, "c", 1, 1, "rw"), false);
    assert.equal(ask(rules, "c", 1, 2, "rw"), true);
    assert.equal(isUnrestricted(rules), false);
    assert.equal(isUnrestricted([...rules, { allow: true }]), true);
    assert.equal(isUnrestricted(dockerLike), false);
  });

  test("any list of rules gives a program that ends and answers 0 or 1", () => {
    const rule = fc.record({
      allow: fc.boolean(),
      type: fc.constantFrom("a" as const, "b" as const, "c" as const),
      major: fc.integer({ min: -1, max: 3 }),
      minor: fc.integer({ min: -1, max: 3 }),
      access: fc.constantFrom("r", "w", "m", "rw", "rm", "rwm"),
    });
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom("r", "w", "m", "rw", "rwm"),
        (rules, number, access) => {
          const answer = run(deviceProgram(rules), { type: "c", major: number, minor: 1, access });
          assert.ok(answer === 0 || answer === 1);
          if (rules.every(({ allow }) => !allow)) assert.equal(answer, 0);
        },
      ),
    );
  });
});
