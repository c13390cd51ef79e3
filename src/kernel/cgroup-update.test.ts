import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LinuxResources } from "../spec/spec.ts";
import { cgroupChanges } from "./cgroup-update.ts";

const changes = (version: 1 | 2, from: LinuxResources, to: LinuxResources): string[] =>
  cgroupChanges(version, from, to).map(({ file, data }) => `${file}=${data}`);

describe("changes of limits", () => {
  test("only what differs is written", () => {
    const memory = { limit: 100, swap: 200 };
    assert.deepEqual(changes(1, { memory, pids: { limit: 5 } }, { memory, pids: { limit: 5 } }), []);
    assert.deepEqual(changes(1, { memory }, { memory: { ...memory, swap: 300 }, cpu: { shares: 3 } }), [
      "memory.memsw.limit_in_bytes=300",
      "cpu.shares=3",
    ]);
    assert.deepEqual(changes(2, { memory }, { memory: { limit: 150, swap: 200 } }), ["memory.max=150", "memory.swap.max=50"]);
    assert.deepEqual(changes(2, { pids: { limit: 5 } }, {}), ["pids.max=max"]);
  });

  test("a device's limit is its own", () => {
    const rate = (minor: number, value: number) => ({ major: 8, minor, rate: value });
    const from = { blockIO: { throttleReadBpsDevice: [rate(0, 10), rate(16, 20)], weightDevice: [{ major: 8, minor: 0, weight: 300 }] } };
    const to = { blockIO: { throttleReadBpsDevice: [rate(16, 30), rate(32, 5)], throttleWriteBpsDevice: [rate(16, 7)] } };
    assert.deepEqual(changes(1, from, to), [
      "blkio.weight_device=8:0 default",
      "blkio.bfq.weight_device=8:0 default",
      "blkio.throttle.read_bps_device=8:0 0",
      "blkio.throttle.read_bps_device=8:16 30",
      "blkio.throttle.read_bps_device=8:32 5",
      "blkio.throttle.write_bps_device=8:16 7",
    ]);
    assert.deepEqual(changes(2, from, to), [
      "io.bfq.weight=8:0 default",
      "io.max=8:0 rbps=max",
      "io.max=8:16 rbps=30",
      "io.max=8:32 rbps=5",
      "io.max=8:16 wbps=7",
    ]);
  });

  test("rules of devices are left alone", () => {
    assert.deepEqual(changes(1, { devices: [{ allow: false }] }, { devices: [{ allow: true, type: "c", major: 1, minor: 3 }] }), []);
  });
});
