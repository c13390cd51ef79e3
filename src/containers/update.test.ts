import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ContainerUpdateRequest, HostConfig } from "../spec/spec.ts";
import { completeHostConfig } from "./host-config.ts";
import { discardedUpdates, updatedHostConfig } from "./update.ts";

const defaults = { cgroupVersion: 1, runtime: "runc", logDriver: "json-file", logOptions: {}, shmSizeBytes: 1 } as const;
const hostOf = (host: HostConfig): HostConfig => completeHostConfig(host, defaults);
const megabyte = 1 << 20;

describe("update", () => {
  test("what is given replaces what was there, nothing else changes", () => {
    const host = hostOf({ Memory: 64 * megabyte, CpuShares: 5, CpusetCpus: "0", BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 1 }] });
    const updated = updatedHostConfig(host, { Memory: 100 * megabyte, CpuShares: 0, CpusetCpus: "", PidsLimit: 7, CpuQuota: -1 });
    assert.deepEqual(updated, { ...host, Memory: 100 * megabyte, PidsLimit: 7, CpuQuota: -1 });
    assert.deepEqual(Object.keys(updated), Object.keys(host), "inspect keeps its order");
    assert.equal(updated.MemorySwap, 128 * megabyte, "what was allowed with swap stays");
    assert.equal(updatedHostConfig(host, { PidsLimit: -1 }).PidsLimit, 0);
    assert.deepEqual(updatedHostConfig(host, { BlkioDeviceReadBps: [] }).BlkioDeviceReadBps, []);
    assert.deepEqual(updatedHostConfig(host, { BlkioDeviceReadBps: [{ Path: "/dev/sdb", Rate: 2 }] }).BlkioDeviceReadBps, [
      { Path: "/dev/sdb", Rate: 2 },
    ]);
    assert.deepEqual(updatedHostConfig(host, { RestartPolicy: { Name: "always" } }).RestartPolicy, {
      Name: "always",
      MaximumRetryCount: 0,
    });
    assert.deepEqual(updatedHostConfig(host, { RestartPolicy: {} }).RestartPolicy, { Name: "no", MaximumRetryCount: 0 });
  });

  test("ports are replaced as a whole", () => {
    const host = hostOf({ PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "80" }] }, PublishAllPorts: true });
    const PortBindings = { "81/tcp": [{ HostIp: "", HostPort: "81" }] };
    assert.deepEqual(updatedHostConfig(host, { PortBindings }), { ...host, PortBindings });
    assert.deepEqual(updatedHostConfig(host, { PortBindings: {}, PublishAllPorts: false }), {
      ...host,
      PortBindings: {},
      PublishAllPorts: false,
    });
    assert.deepEqual(updatedHostConfig(host, {}), host);
  });

  test("limits that do not go together are refused in Docker's words", () => {
    const refused = (host: HostConfig, request: ContainerUpdateRequest, code: string, message: RegExp): void =>
      assert.throws(() => updatedHostConfig(hostOf(host), request), { code, message });
    const toSwap = /Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time/;
    refused({}, { Memory: 64 * megabyte }, "Conflict", toSwap);
    refused({ Memory: 64 * megabyte }, { Memory: 129 * megabyte }, "Conflict", toSwap);
    refused({ Memory: 64 * megabyte, MemorySwap: -1 }, { Memory: 65 * megabyte }, "Conflict", toSwap);
    refused({ Memory: 64 * megabyte }, { MemorySwap: 32 * megabyte }, "InvalidParameter", /should be larger than memory limit/);
    refused({}, { MemorySwap: 32 * megabyte }, "InvalidParameter", /always set the Memory limit/);
    refused({ CpuPeriod: 5000 }, { NanoCpus: 1e9 }, "Conflict", /Nano CPUs cannot be updated as CPU Period has already been set/);
    refused({ CpuQuota: 5000 }, { NanoCpus: 1e9 }, "Conflict", /Nano CPUs cannot be updated as CPU Quota has already been set/);
    refused({ NanoCpus: 1e9 }, { CpuPeriod: 5000 }, "Conflict", /CPU Period cannot be updated as NanoCPUs has already been set/);
    refused({ NanoCpus: 1e9 }, { CpuQuota: 5000 }, "Conflict", /CPU Quota cannot be updated as NanoCPUs has already been set/);
    refused({ AutoRemove: true }, { RestartPolicy: { Name: "always" } }, "Conflict", /because AutoRemove is enabled/);
    assert.equal(updatedHostConfig(hostOf({ AutoRemove: true }), { RestartPolicy: { Name: "no" } }).AutoRemove, true);
  });

  test("what cannot be changed is told of, unless it is as it was", () => {
    const host = hostOf({ Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }], MemorySwappiness: 5 });
    assert.deepEqual(discardedUpdates(host, { ...host }), []);
    assert.deepEqual(discardedUpdates(host, { MemorySwappiness: -1, OomKillDisable: false, Devices: [] }), []);
    assert.deepEqual(discardedUpdates(host, { MemorySwappiness: 6, DeviceCgroupRules: ["c 1:3 rwm"] }), [
      "DeviceCgroupRules of a container that exists cannot be changed. DeviceCgroupRules discarded.",
      "MemorySwappiness of a container that exists cannot be changed. MemorySwappiness discarded.",
    ]);
  });
});
