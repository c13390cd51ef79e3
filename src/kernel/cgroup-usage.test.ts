import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseBlockV1, parseBlockV2, parseFlat, readCgroupUsage } from "./cgroup-usage.ts";
import { parseHostCpu, parseInterfaces } from "./host-usage.ts";

async function withFiles<T>(files: Readonly<Record<string, string>>, run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "berth-test-usage-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe("usage", () => {
  test("tables of block devices", () => {
    assert.deepEqual(parseBlockV1("254:0 Read 16384\n254:0 Write 0\nTotal 16384\n"), [
      { major: 254, minor: 0, op: "Read", value: 16384 },
      { major: 254, minor: 0, op: "Write", value: 0 },
    ]);
    assert.deepEqual(parseBlockV2("8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n254:0 \n"), [
      { major: 8, minor: 16, op: "read", value: 1459200 },
      { major: 8, minor: 16, op: "write", value: 314773504 },
    ]);
  });

  test("flat files", () => assert.deepEqual(parseFlat("a 1\nb_c 22\n\n"), { a: 1, b_c: 22 }));

  test("v2, with what no container has there", async () => {
    const files = {
      "cpu.stat": "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 7\nnr_throttled 3\nthrottled_usec 20\n",
      "memory.current": "4096\n",
      "memory.max": "max\n",
      "memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n",
      "memory.stat": "anon 10\nfile 9223372036854771712\n",
      "pids.current": "3\n",
      "pids.max": "max\n",
    };
    const usage = await withFiles(files, (directory) => readCgroupUsage({ "": directory }));
    assert.deepEqual(usage.cpu, {
      total: 1_500_000,
      kernel: 500_000,
      user: 1_000_000,
      periods: 7,
      throttledPeriods: 3,
      throttledTime: 20_000,
    });
    assert.deepEqual(usage.pids, { current: 3 });
    assert.equal(usage.memory?.limit, undefined);
    assert.equal(usage.memory?.failures, 2);
    assert.equal(JSON.stringify(usage.memory?.stat), '{"anon":10,"file":9223372036854771712}', "to the last digit");
    assert.equal(usage.blockBytes, undefined);
  });

  test("v1, one hierarchy a controller", async () => {
    const files = {
      "cpuacct.usage": "1500\n",
      "cpuacct.usage_percpu": "1000 500 \n",
      "cpuacct.stat": "user 2\nsystem 3\n",
      "cpu.stat": "nr_periods 1\nnr_throttled 2\nthrottled_time 3\n",
      "memory.usage_in_bytes": "4096\n",
      "memory.max_usage_in_bytes": "8192\n",
      "memory.limit_in_bytes": "9223372036854771712\n",
      "memory.failcnt": "5\n",
      "memory.stat": "cache 1\n",
    };
    const usage = await withFiles(files, (directory) => readCgroupUsage({ cpuacct: directory, cpu: directory, memory: directory }));
    assert.deepEqual(usage.cpu, {
      total: 1500,
      kernel: 30_000_000,
      user: 20_000_000,
      each: [1000, 500],
      periods: 1,
      throttledPeriods: 2,
      throttledTime: 3,
    });
    assert.deepEqual(usage.memory, { usage: 4096, peak: 8192, failures: 5, stat: { cache: 1 } });
    assert.equal(usage.pids, undefined);
  });

  test("of a container that has ended there is nothing", async () => {
    assert.deepEqual(await readCgroupUsage({ "": "/nonexistent" }), {});
    assert.deepEqual(await readCgroupUsage({ cpu: "/nonexistent", memory: "/nonexistent" }), {});
  });

  test("the machine's CPU time: up to software interrupts, guests and stolen time left out", () => {
    const cpu = parseHostCpu("cpu  1 2 3 4 5 6 7 100 100 100\ncpu0 1 1 1 1 1 1 1 0 0 0\ncpu1 0 1 2 3 4 5 6 0 0 0\nintr 5\n");
    assert.deepEqual(cpu, { nanos: 28 * 1e7, online: 2 });
  });

  test("interfaces of a container", () => {
    const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0
  eth0:     266       3    1    2    0     0          0         0       17       4    5    6    0     0       0          0
 tunl0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
   wg0:       9       1    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;
    const found = parseInterfaces(text);
    assert.deepEqual(Object.keys(found), ["eth0", "wg0"]);
    assert.deepEqual(found["eth0"], {
      rx_bytes: 266,
      rx_packets: 3,
      rx_errors: 1,
      rx_dropped: 2,
      tx_bytes: 17,
      tx_packets: 4,
      tx_errors: 5,
      tx_dropped: 6,
    });
  });
});
