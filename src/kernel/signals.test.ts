import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { parseSignal, signalName } from "./signals.ts";

describe("signals", () => {
  test("every name that the machine has, in each spelling", () => {
    for (const [name, number] of Object.entries(constants.signals)) {
      for (const text of [name, name.slice(3), name.toLowerCase(), String(number)]) assert.equal(parseSignal(text), number, text);
    }
  });

  test("real-time signals", () => {
    assert.equal(parseSignal("RTMIN"), 34);
    assert.equal(parseSignal("SIGRTMIN+3"), 37);
    assert.equal(parseSignal("RTMAX"), 64);
    assert.equal(parseSignal("RTMAX-14"), 50);
    assert.equal(signalName(37), "SIGRTMIN+3");
    for (const text of ["RTMIN-1", "RTMAX+1", "RTMIN+16", "RTMAX-15", "RTMIN+"])
      assert.throws(() => parseSignal(text), { message: `invalid signal: ${text}` });
  });

  test("what is none", () => {
    for (const text of ["", "0", "65", "-1", "1e1", "0x9", "KIL", "constructor", "SIG"])
      assert.throws(() => parseSignal(text), { code: "InvalidParameter", message: `invalid signal: ${text}` });
  });

  test("numbers back to names", () => {
    assert.deepEqual([signalName(9), signalName(15), signalName(32), signalName(99)], ["SIGKILL", "SIGTERM", undefined, undefined]);
  });
});
