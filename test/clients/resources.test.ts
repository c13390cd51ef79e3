/** `docker pause`, `update`, `stats` and `top`, and the cgroup files that say whether it is true. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { totalmem } from "node:os";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { type CgroupLayout, cgroupDirectories, readCgroupLayout } from "../../src/kernel/cgroups.ts";
import { freeze, thaw } from "../../src/kernel/freezer.ts";
import { ask } from "../ask.ts";
import { Daemon, eventually, importBusybox } from "../daemon.ts";
import { ApiDescription } from "../openapi.ts";

const description = await ApiDescription.load();

interface CpuStats {
  readonly cpu_usage: { readonly total_usage: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: { readonly throttled_periods: number };
}

/** What of an answer is looked at here. */
interface Stats {
  readonly id: string;
  readonly name: string;
  readonly read: string;
  readonly preread: string;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: { readonly usage?: number; readonly limit?: number; readonly stats?: Readonly<Record<string, number>> };
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly networks?: Readonly<Record<string, unknown>>;
}

describe("resources", () => {
  let daemon: Daemon;
  let layout: CgroupLayout;
  before(async () => {
    layout = await readCgroupLayout();
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const run = (name: string, ...args: string[]): Promise<string> => daemon.ok("run", "-d", "--name", name, ...args);
  const sleeper = (name: string, ...flags: string[]): Promise<string> => run(name, ...flags, "busybox", "sleep", "1000");
  const stateOf = (name: string): Promise<string> =>
    daemon.ok("inspect", "-f", "{{.State.Status}} {{.State.Running}} {{.State.Paused}}", name);

  async function cgroupsOf(name: string): Promise<Readonly<Record<string, string>>> {
    const pid = await daemon.ok("inspect", "-f", "{{.State.Pid}}", name);
    const controller = layout.version === 1 ? "memory" : "";
    const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n").map((line) => line.split(":"));
    const path = lines.find(([, names]) => (names ?? "").split(",").includes(controller))?.[2] ?? "";
    return cgroupDirectories(layout, path);
  }

  /** A file of the container's group: its v1 controller and name, or its v2 name. */
  async function cgroupFile(name: string, v1: readonly [controller: string, file: string], v2: string): Promise<string> {
    const cgroups = await cgroupsOf(name);
    const path = layout.version === 1 ? `${cgroups[v1[0]]}/${v1[1]}` : `${cgroups[""]}/${v2}`;
    return (await readFile(path, "utf8")).trim();
  }

  /** A request by hand; JSON answers are held against the description. */
  async function api(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
    const answer = await ask(daemon, method, path, body);
    assert.deepEqual(description?.check(method, path, answer.status, answer.body) ?? [], []);
    return { status: answer.status, body: (answer.body ?? {}) as Record<string, unknown> };
  }

  const refused = async (message: RegExp, ...args: string[]): Promise<void> => {
    const result = await daemon.docker(args);
    assert.equal(result.status, 1, `docker ${args.join(" ")}: ${result.stdout}`);
    assert.match(result.stderr, message);
  };

  describe("pause", () => {
    test("stops a container where it is, and lets it go on", async () => {
      await run("counting", "busybox", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
      const lines = async (): Promise<number> => (await daemon.ok("logs", "counting")).split("\n").filter(Boolean).length;
      await eventually("some lines", async () => ((await lines()) > 3 ? true : undefined));
      await daemon.ok("pause", "counting");
      const then = await lines();
      assert.equal(await stateOf("counting"), "paused true true");
      assert.match(await daemon.ok("ps", "--format", "{{.Names}} {{.Status}}", "--filter", "status=paused"), /^counting Up .*\(Paused\)$/);
      assert.equal(await daemon.ok("info", "-f", "{{.ContainersPaused}}"), "1");
      await new Promise((done) => setTimeout(done, 200));
      assert.equal(await lines(), then, "nothing is printed while it is paused");
      await daemon.ok("unpause", "counting");
      await eventually("more lines", async () => ((await lines()) > then ? true : undefined));
      assert.equal(await stateOf("counting"), "running true false");
      await daemon.ok("rm", "-f", "counting");
    });

    test("what can and cannot be done to a paused container", async () => {
      const id = await sleeper("frozen");
      await refused(new RegExp(`Container ${id} is not paused`), "unpause", "frozen");
      await daemon.ok("pause", "frozen");
      await refused(new RegExp(`Container ${id} is already paused`), "pause", "frozen");
      await refused(/Container frozen is paused, unpause the container before exec/, "exec", "frozen", "true");
      await refused(/You cannot attach to a paused container, unpause it first/, "attach", "frozen");
      await refused(/cannot start a paused container, try unpause instead/, "start", "frozen");
      await refused(/container is paused and must be unpaused first/, "rm", "frozen");
      assert.match(await daemon.ok("top", "frozen"), /sleep 1000/);
      assert.equal((await daemon.docker(["cp", "frozen:/etc/passwd", "-"])).status, 0);
      assert.equal(await daemon.ok("logs", "frozen"), "");
      assert.match(await daemon.ok("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "frozen"), /^frozen 1$/);
      await daemon.ok("update", "--cpu-shares", "300", "frozen");
      await daemon.ok("rename", "frozen", "frosty");
      assert.equal(await stateOf("frosty"), "paused true true");
      assert.equal((await api("POST", "/v1.51/containers/frosty/unpause")).status, 204);
      assert.equal((await api("POST", "/v1.51/containers/frosty/unpause")).status, 500);
      await daemon.ok("rm", "-f", "frosty");
      await refused(/No such container: frosty/, "pause", "frosty");
      await daemon.ok("create", "--name", "frosty", "busybox", "true");
      await refused(/is not running/, "pause", "frosty");
      await daemon.ok("rm", "frosty");
    });

    test("stop, kill, restart and rm -f end a paused container", async () => {
      await run("ending", "busybox", "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
      const since = (Date.now() / 1000).toFixed(3);
      const pause = async (run: number): Promise<void> => {
        const ready = async (): Promise<number> => (await daemon.ok("logs", "ending")).split("\n").filter(Boolean).length;
        await eventually("the trap", async () => ((await ready()) === run ? true : undefined));
        await daemon.ok("pause", "ending");
      };
      await pause(1);
      await daemon.ok("stop", "-t", "60", "ending");
      assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ending"), "exited 9");
      await daemon.ok("start", "ending");
      await pause(2);
      await daemon.ok("kill", "ending");
      assert.equal(await daemon.ok("wait", "ending"), "137");
      await daemon.ok("start", "ending");
      await pause(3);
      await daemon.ok("restart", "-t", "60", "ending");
      assert.equal(await stateOf("ending"), "running true false");
      await pause(4);
      await daemon.ok("kill", "-s", "TERM", "ending");
      assert.equal(await daemon.ok("wait", "ending"), "9");
      await daemon.ok("start", "ending");
      await pause(5);
      await daemon.ok("rm", "-f", "ending");
      const story = await daemon.ok(
        ...["events", "--since", since, "--until", (Date.now() / 1000 + 0.001).toFixed(3)],
        ...["--filter", "container=ending", "--filter", "type=container", "--format", "{{.Action}}"],
      );
      assert.equal(
        story.replaceAll("\n", " "),
        "pause kill unpause die stop start pause kill die start pause kill unpause die stop start restart " +
          "pause kill unpause die start pause kill die destroy",
      );
    });

    test("ends with its monitor, and leaves nothing", async () => {
      await sleeper("orphaned");
      const cgroups = await cgroupsOf("orphaned");
      const pid = await daemon.ok("inspect", "-f", "{{.State.Pid}}", "orphaned");
      await daemon.ok("pause", "orphaned");
      const monitor = /^PPid:\t(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
      process.kill(Number(monitor), "SIGKILL");
      assert.equal(await daemon.ok("wait", "orphaned"), "137");
      for (const directory of Object.values(cgroups)) assert.ok(!existsSync(directory), directory);
      await daemon.ok("start", "orphaned");
      assert.equal(await stateOf("orphaned"), "running true false");
      await daemon.ok("rm", "-f", "orphaned");
    });

    test("survives the daemon", async () => {
      await sleeper("kept");
      await daemon.ok("pause", "kept");
      await daemon.kill("SIGKILL");
      await daemon.restart();
      assert.equal(await stateOf("kept"), "paused true true");
      await daemon.ok("unpause", "kept");
      assert.equal(await daemon.ok("exec", "kept", "echo", "on"), "on");
      // A daemon that died between the freezer and its record: the freezer is right.
      const cgroups = await cgroupsOf("kept");
      await daemon.kill("SIGKILL");
      await freeze(cgroups);
      await daemon.restart();
      assert.equal(await stateOf("kept"), "paused true true");
      await daemon.kill("SIGKILL");
      await thaw(cgroups);
      await daemon.restart();
      assert.equal(await stateOf("kept"), "running true false");
      await daemon.ok("rm", "-f", "kept");
    });
  });

  describe("update", () => {
    test("each limit of a running container is the kernel's", async () => {
      const id = await sleeper("limited", "--memory", "64m");
      const v2 = layout.version === 2;
      const memory = (): Promise<string> => cgroupFile("limited", ["memory", "memory.limit_in_bytes"], "memory.max");
      const swap = (): Promise<string> => cgroupFile("limited", ["memory", "memory.memsw.limit_in_bytes"], "memory.swap.max");
      const bytes = (megabytes: number): string => String(megabytes << 20);
      await refused(
        new RegExp(
          `Cannot update container ${id}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at`,
        ),
        ...["update", "--memory", "256m", "limited"],
      );
      assert.equal(await memory(), bytes(64));
      for (const [limit, total] of [
        [256, 512],
        [32, 48],
        [48, 48],
        [100, 200],
      ] as const) {
        await daemon.ok("update", "--memory", `${limit}m`, "--memory-swap", `${total}m`, "limited");
        assert.deepEqual([await memory(), await swap()], [bytes(limit), bytes(v2 ? total - limit : total)]);
      }
      await daemon.ok("update", "--memory", "150m", "limited");
      assert.deepEqual([await memory(), await swap()], [bytes(150), bytes(v2 ? 50 : 200)]);
      await daemon.ok("update", "--memory-swap", "-1", "limited");
      assert.equal(await swap(), v2 ? "max" : "9223372036854771712");
      await daemon.ok("update", "--memory-reservation", "20m", "limited");
      assert.equal(await cgroupFile("limited", ["memory", "memory.soft_limit_in_bytes"], "memory.low"), bytes(20));
      await daemon.ok("update", "--cpu-shares", "512", "--pids-limit", "77", "limited");
      assert.equal(await cgroupFile("limited", ["cpu", "cpu.shares"], "cpu.weight"), v2 ? "20" : "512");
      assert.equal(await cgroupFile("limited", ["pids", "pids.max"], "pids.max"), "77");
      await daemon.ok("update", "--pids-limit", "-1", "limited");
      assert.equal(await cgroupFile("limited", ["pids", "pids.max"], "pids.max"), "max");
      await daemon.ok("update", "--cpuset-cpus", "0", "--cpuset-mems", "0", "limited");
      assert.match(await daemon.ok("exec", "limited", "cat", "/proc/self/status"), /^Cpus_allowed_list:\s0$/m);
      await refused(/Requested CPUs are not available - requested 4000, available: /, "update", "--cpuset-cpus", "4000", "limited");
      await daemon.ok("update", "--cpu-period", "50000", "--cpu-quota", "25000", "limited");
      assert.equal(await cgroupFile("limited", ["cpu", "cpu.cfs_quota_us"], "cpu.max"), v2 ? "25000 50000" : "25000");
      await daemon.ok("update", "--cpu-quota", "-1", "limited");
      assert.equal(await cgroupFile("limited", ["cpu", "cpu.cfs_quota_us"], "cpu.max"), v2 ? "max 50000" : "-1");
      await refused(/Nano CPUs cannot be updated as CPU Period has already been set/, "update", "--cpus", "0.5", "limited");
      await daemon.ok("update", "--blkio-weight", "300", "limited");
      const weight = [...["blkio.bfq.weight", "blkio.weight"], ...["io.bfq.weight", "io.weight"]];
      const weights = await Promise.all(weight.map((file) => cgroupFile("limited", ["blkio", file], file).catch(() => undefined)));
      const set = weights.filter((text) => text !== undefined);
      assert.ok(
        set.every((text) => /^(default )?(300|2930)$/m.test(text)),
        `${set}`,
      );
      await refused(/Range of blkio weight is from 10 to 1000/, "update", "--blkio-weight", "5", "limited");
      const shown = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuQuota}} {{.HostConfig.CpusetCpus}}";
      assert.equal(await daemon.ok("inspect", "-f", shown, "limited"), `${bytes(150)} -1 -1 0`);
      await daemon.ok("rm", "-f", "limited");
    });

    test("what the kernel refuses is not written down either", async () => {
      await sleeper("refusing", "--memory", "64m", "--cpu-shares", "200");
      // The device, which is none of a disk, comes last: what was written before is taken back.
      const before = await daemon.ok("inspect", "-f", "{{json .HostConfig}}", "refusing");
      const answer = await api("POST", "/v1.51/containers/refusing/update", {
        CpuShares: 400,
        BlkioDeviceReadBps: [{ Path: "/etc", Rate: 1 << 20 }],
      });
      assert.equal(answer.status, 500, JSON.stringify(answer.body));
      assert.match(String(answer.body["message"]), /^Cannot update container .*: failed to write "0:0 .*: no such device$/);
      assert.equal(await daemon.ok("inspect", "-f", "{{json .HostConfig}}", "refusing"), before);
      assert.equal(await cgroupFile("refusing", ["cpu", "cpu.shares"], "cpu.weight"), layout.version === 2 ? "8" : "200");
      await daemon.ok("rm", "-f", "refusing");
    });

    const disk = /^ +(\d+) +(\d+) +\d+ (\w+)$/m.exec(readFileSync("/proc/partitions", "utf8"));
    const [, major, minor, name] = disk ?? [];
    const noDisk = disk === null || !existsSync(`/dev/${name}`) ? "no disk here" : false;
    test("limits of a disk: set, replaced, taken away", { skip: noDisk }, async () => {
      const path = `/dev/${name}`;
      await sleeper("writing", "--device-read-bps", `${path}:500mb`, "--device-write-iops", `${path}:5000`);
      const number = `${major}:${minor}`;
      /** Of reads in bytes, and of writes in operations a second. */
      const limits = async (): Promise<readonly (string | undefined)[]> => {
        if (layout.version === 2) {
          const line = await cgroupFile("writing", ["", ""], "io.max");
          return [/rbps=(\d+)/.exec(line)?.[1], /wiops=(\d+)/.exec(line)?.[1]];
        }
        const file = async (kind: string): Promise<string | undefined> =>
          new RegExp(`^${number} (\\d+)$`, "m").exec(await cgroupFile("writing", ["blkio", `blkio.throttle.${kind}_device`], ""))?.[1];
        return [await file("read_bps"), await file("write_iops")];
      };
      assert.deepEqual(await limits(), ["524288000", "5000"]);
      const update = async (body: unknown): Promise<void> =>
        assert.equal((await api("POST", "/v1.51/containers/writing/update", body)).status, 200);
      await update({ BlkioDeviceReadBps: [{ Path: path, Rate: 1 << 30 }] });
      assert.deepEqual(await limits(), ["1073741824", "5000"]);
      await update({ BlkioDeviceReadBps: [], BlkioDeviceWriteIOps: [{ Path: path, Rate: 7000 }] });
      assert.deepEqual(await limits(), [undefined, "7000"]);
      assert.equal(
        await daemon.ok("inspect", "-f", "{{json .HostConfig.BlkioDeviceReadBps}} {{json .HostConfig.BlkioDeviceWriteIOps}}", "writing"),
        `[] [{"Path":"${path}","Rate":7000}]`,
      );
      const missing = await api("POST", "/v1.51/containers/writing/update", { BlkioDeviceReadBps: [{ Path: "/dev/nodisk", Rate: 1 }] });
      assert.equal(missing.status, 400);
      await daemon.ok("rm", "-f", "writing");
    });

    test("memory that is in use is not taken", async (context) => {
      if (layout.version === 2) return context.skip("v2 calls the killer instead");
      const hold = "x=$(yes | head -c 20000000); echo held; while :; do sleep 1; done";
      const id = await run("greedy", "--memory", "200m", "--memory-swap", "200m", "busybox", "sh", "-c", hold);
      await eventually("memory in use", async () => ((await daemon.ok("logs", "greedy")) === "held" ? true : undefined), 60_000);
      await refused(
        new RegExp(`Cannot update container ${id}: unable to set memory limit to 10485760 \\(current usage: \\d+, peak usage: \\d+\\)`),
        ...["update", "--memory", "10m", "--memory-swap", "10m", "greedy"],
      );
      assert.equal(await daemon.ok("inspect", "-f", "{{.HostConfig.Memory}} {{.State.Running}}", "greedy"), `${200 << 20} true`);
      assert.equal(await cgroupFile("greedy", ["memory", "memory.memsw.limit_in_bytes"], ""), String(200 << 20));
      await daemon.ok("rm", "-f", "greedy");
    });

    test("a restart policy holds from the next exit", async () => {
      await run("again", "busybox", "sh", "-c", "while ! test -f /tmp/end; do sleep 0.05; done; rm /tmp/end; exit 3");
      await daemon.ok("update", "--restart", "on-failure:5", "again");
      await daemon.ok("exec", "again", "touch", "/tmp/end");
      await eventually("a restart", async () =>
        (await daemon.ok("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "again")) === "1 running" ? true : undefined,
      );
      await daemon.ok("update", "--restart", "no", "again");
      await daemon.ok("exec", "again", "touch", "/tmp/end");
      assert.equal(await daemon.ok("wait", "again"), "3");
      await daemon.ok("rm", "again");
    });

    test("of a stopped container holds from its next start, and outlives the daemon", async () => {
      await daemon.ok("create", "--name", "later", "busybox", "sleep", "1000");
      await daemon.ok("update", "--memory", "40m", "--memory-swap", "80m", "--pids-limit", "30", "--restart", "on-failure:3", "later");
      await daemon.ok("start", "later");
      assert.equal(await cgroupFile("later", ["memory", "memory.limit_in_bytes"], "memory.max"), String(40 << 20));
      await daemon.ok("update", "--memory", "50m", "later");
      await daemon.kill("SIGKILL");
      await daemon.restart();
      assert.equal(
        await daemon.ok("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{json .HostConfig.RestartPolicy}}", "later"),
        `${50 << 20} 30 {"Name":"on-failure","MaximumRetryCount":3}`,
      );
      await daemon.ok("update", "--memory", "60m", "later");
      assert.equal(await cgroupFile("later", ["memory", "memory.limit_in_bytes"], "memory.max"), String(60 << 20));
      // A daemon that died between its record and the kernel: the next one carries out what the record says.
      await daemon.kill("SIGKILL");
      const database = new DatabaseSync(`${daemon.dataRoot}/berth.db`);
      database.exec(`UPDATE containers SET record = replace(record, '"Memory":${60 << 20}', '"Memory":${70 << 20}') WHERE name = 'later'`);
      database.close();
      await daemon.restart();
      assert.equal(await cgroupFile("later", ["memory", "memory.limit_in_bytes"], "memory.max"), String(70 << 20));
      await refused(/invalid restart policy: unknown policy 'sometimes'/, "update", "--restart", "sometimes", "later");
      await daemon.ok("rm", "-f", "later");
      const id = await daemon.ok("create", "--rm", "--name", "fleeting", "busybox", "true");
      await refused(
        new RegExp(`Cannot update container ${id}: Restart policy cannot be updated because AutoRemove is enabled for the container`),
        ...["update", "--restart", "always", "fleeting"],
      );
      await daemon.ok("update", "--restart", "no", "fleeting");
      await daemon.ok("rm", "fleeting");
    });
  });

  describe("stats", () => {
    /** Lines of a stream of answers, as they come. Ends when its signal aborts. */
    async function* streamed(name: string, signal: AbortSignal): AsyncGenerator<Stats> {
      const socketPath = daemon.host.slice("unix://".length);
      const response = await new Promise<IncomingMessage>((done, fail) => {
        const sent = request({ socketPath, path: `/v1.51/containers/${name}/stats`, signal }, done);
        sent.on("error", fail);
        sent.end();
      });
      assert.equal(response.statusCode, 200);
      for await (const line of createInterface({ input: response })) {
        const stats = JSON.parse(line) as Stats;
        assert.deepEqual(description?.check("GET", `/containers/${name}/stats`, 200, stats) ?? [], []);
        yield stats;
      }
    }

    test("the numbers are those of the cgroup files", async () => {
      const program = "dd if=/dev/zero of=/tmp/x bs=1M count=20 2>/dev/null; echo busy; while :; do :; done";
      await run("measured", "--memory", "100m", "--cpus", "0.1", "--pids-limit", "9", "busybox", "sh", "-c", program);
      const throttled = async (): Promise<boolean> =>
        /nr_throttled ([3-9]|\d\d)/.test(await cgroupFile("measured", ["cpu", "cpu.stat"], "cpu.stat"));
      await eventually("a file in the cache", async () => ((await daemon.ok("logs", "measured")) === "busy" ? true : undefined), 60_000);
      await eventually("throttling", async () => ((await throttled()) ? true : undefined), 60_000);
      const stats = (await api("GET", "/v1.51/containers/measured/stats?stream=false")).body as unknown as Stats;
      const cpuText = await cgroupFile("measured", ["cpuacct", "cpuacct.usage"], "cpu.stat");
      const usage = layout.version === 1 ? Number(cpuText) : Number(/usage_usec (\d+)/.exec(cpuText)?.[1]) * 1000;
      const used = stats.cpu_stats.cpu_usage.total_usage;
      assert.ok(used <= usage && used > usage - 1e9, `${used} of ${usage}`);
      assert.ok(stats.cpu_stats.throttling_data.throttled_periods >= 3);
      assert.ok(stats.cpu_stats.cpu_usage.total_usage > stats.precpu_stats.cpu_usage.total_usage);
      const share =
        (used - stats.precpu_stats.cpu_usage.total_usage) /
        ((stats.cpu_stats.system_cpu_usage ?? 0) - (stats.precpu_stats.system_cpu_usage ?? 0));
      const percent = share * (stats.cpu_stats.online_cpus ?? 0) * 100;
      assert.ok(percent > 1 && percent < 30, `a tenth of a CPU is ${percent} %`);
      const elapsed = Date.parse(stats.read) - Date.parse(stats.preread);
      assert.ok(elapsed > 900 && elapsed < 5000, `${stats.preread} to ${stats.read}`);
      const memory = Number(await cgroupFile("measured", ["memory", "memory.usage_in_bytes"], "memory.current"));
      assert.ok(Math.abs((stats.memory_stats.usage ?? 0) - memory) < 4 << 20, `${stats.memory_stats.usage} of ${memory}`);
      assert.equal(stats.memory_stats.limit, 100 << 20);
      const cached = stats.memory_stats.stats?.[layout.version === 1 ? "total_inactive_file" : "inactive_file"] ?? 0;
      assert.ok(cached > 10 << 20, `${cached} bytes of cache`);
      assert.deepEqual(stats.pids_stats, { current: 1, limit: 9 });
      assert.deepEqual(Object.keys(stats.networks ?? {}), ["eth0"]);
      const shown = await daemon.ok("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", "measured");
      const [, shownCpu = "", shownMemory = "", unit] = /^measured ([\d.]+)% ([\d.]+)([KM])iB \/ 100MiB 1$/.exec(shown) ?? [];
      assert.ok(Number(shownCpu) > 1 && Number(shownCpu) < 30, shown);
      const megabytes = Number(shownMemory) / (unit === "K" ? 1024 : 1);
      assert.ok(megabytes > 0 && megabytes < (memory - cached) / (1 << 20) + 4, `${shown} is without the cache`);
      await daemon.ok("rm", "-f", "measured");
    });

    test("streams of two containers, one of which ends, starts again, and is removed", async () => {
      await sleeper("watched");
      await sleeper("fleeting");
      const [first, second] = [new AbortController(), new AbortController()];
      const watched = streamed("watched", first.signal);
      const fleeting = streamed("fleeting", second.signal);
      const next = async (stream: AsyncGenerator<Stats>): Promise<Stats> => {
        const { value, done } = await stream.next();
        assert.ok(done !== true, "the stream goes on");
        return value;
      };
      const [one, other] = await Promise.all([next(watched), next(fleeting)]);
      assert.deepEqual([one.name, other.name], ["/watched", "/fleeting"]);
      assert.equal(one.preread, "0001-01-01T00:00:00Z");
      const two = await next(watched);
      assert.equal(two.preread, one.read);
      await daemon.ok("stop", "-t", "0", "fleeting");
      const until = async (running: boolean): Promise<Stats> => {
        for (;;) {
          const stats = await next(fleeting);
          if ((stats.pids_stats.current !== undefined) === running) return stats;
        }
      };
      assert.equal((await until(false)).read, "0001-01-01T00:00:00Z", "nothing of one that does not run");
      await daemon.ok("start", "fleeting");
      await until(true);
      await daemon.ok("rm", "-f", "fleeting");
      while ((await fleeting.next()).done !== true); // the stream ends with the container
      assert.equal((await next(watched)).name, "/watched");
      first.abort();
      await daemon.ok("rm", "-f", "watched");
    });

    test("who does not read costs nothing", async () => {
      const id = await sleeper("unread");
      const socket = connect(daemon.host.slice("unix://".length));
      socket.write("GET /v1.51/containers/unread/stats HTTP/1.1\r\nHost: d\r\n\r\n");
      await new Promise((done) => socket.once("readable", done)); // and never reads
      const other = new AbortController();
      for await (const stats of streamed("unread", other.signal)) {
        assert.equal(stats.id, id);
        break;
      }
      socket.destroy();
      await daemon.ok("rm", "-f", "unread");
    });

    test("one sample, none, and what is refused", async () => {
      const id = await daemon.ok("create", "--name", "idle", "--net", "host", "busybox", "sleep", "1000");
      const empty = (await api("GET", "/v1.51/containers/idle/stats?stream=0")).body;
      assert.deepEqual([empty["id"], empty["name"], empty["read"], empty["pids_stats"]], [id, "/idle", "0001-01-01T00:00:00Z", {}]);
      await daemon.ok("start", "idle");
      const begun = Date.now();
      const one = (await api("GET", "/v1.51/containers/idle/stats?stream=false&one-shot=true")).body as unknown as Stats;
      assert.ok(Date.now() - begun < 900, "at once");
      assert.equal(one.preread, "0001-01-01T00:00:00Z");
      assert.equal(one.precpu_stats.cpu_usage.total_usage, 0);
      assert.equal(one.networks, undefined, "the host's network is not the container's");
      assert.equal(one.memory_stats.limit, totalmem(), "no limit is the machine's memory");
      assert.equal((await api("GET", "/v1.51/containers/idle/stats?stream=true&one-shot=true")).status, 400);
      assert.equal((await api("GET", "/v1.51/containers/none/stats")).status, 404);
      assert.match(await daemon.ok("stats", "--all", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"), /^idle 1$/);
      await daemon.ok("rm", "-f", "idle");
    });
  });

  describe("top", () => {
    test("ps's options, formats and refusals", async () => {
      await run("listed", "busybox", "sh", "-c", "sleep 999 & exec sleep 1000");
      await eventually("both", async () => ((await daemon.ok("top", "listed", "-o", "pid,args")).includes("sleep 999") ? true : undefined));
      const top = async (...args: string[]): Promise<string[]> =>
        (await daemon.ok("top", "listed", ...args)).split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, "  "));
      const pid = await daemon.ok("inspect", "-f", "{{.State.Pid}}", "listed");
      const [title, first = "", second = ""] = await top();
      assert.equal(title, "UID  PID  PPID  C  STIME  TTY  TIME  CMD");
      assert.match(first, new RegExp(`^root  ${pid}  \\d+  \\d+  \\S+  \\?  00:00:00  sleep 1000$`));
      assert.match(second, new RegExp(`^root  \\d+  ${pid}  .*  sleep 999$`));
      assert.equal((await top("aux"))[0], "USER  PID  %CPU  %MEM  VSZ  RSS  TTY  STAT  START  TIME  COMMAND");
      assert.deepEqual(
        (await top("-eo", "args,pid", "--sort=args")).slice(1).map((line) => line.split("  ")[0]),
        ["sleep 1000", "sleep 999"],
      );
      assert.deepEqual(await top("-o", "pid,comm=WHAT", "-p", pid), ["PID  WHAT", `${pid}  sleep`]);
      assert.equal((await top("-eLf"))[0], "UID  PID  PPID  LWP  C  NLWP  STIME  TTY  TIME  CMD");
      await refused(/Couldn't find PID field in ps output/, "top", "listed", "-o", "cmd");
      await refused(/specifying "cmd=PID" is not allowed/, "top", "listed", "-o", "cmd=PID");
      await refused(/ps: error: unknown user-defined format specifier "zork"/, "top", "listed", "-o", "zork");
      assert.equal((await api("GET", "/v1.51/containers/listed/top?ps_args=-o%20pid,stat")).status, 200);
      await daemon.ok("rm", "-f", "listed");
    });
  });
});

const realtimeFile = "/sys/fs/cgroup/cpu/cpu.rt_runtime_us";
const noRealtime = existsSync(realtimeFile) && Number(readFileSync(realtimeFile, "utf8")) > 200_000 ? false : "no real-time groups here";

describe("real-time CPU of containers", { skip: noRealtime }, () => {
  test("the daemon's share, a container's, and another one for it", async () => {
    const daemon = await Daemon.start(["--cpu-rt-runtime", "200000"]);
    try {
      await importBusybox(daemon);
      await daemon.ok("run", "-d", "--name", "punctual", "--cpu-rt-runtime", "50000", "busybox", "sleep", "1000");
      const id = await daemon.ok("inspect", "-f", "{{.Id}}", "punctual");
      const pid = await daemon.ok("inspect", "-f", "{{.State.Pid}}", "punctual");
      const path = /:cpu:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
      const runtime = (): string => readFileSync(`/sys/fs/cgroup/cpu${path}/cpu.rt_runtime_us`, "utf8").trim();
      assert.equal(runtime(), "50000");
      await daemon.ok("update", "--cpu-rt-runtime", "90000", "--cpu-rt-period", "500000", "punctual");
      assert.equal(runtime(), "90000");
      const tooMuch = await daemon.docker(["update", "--cpu-rt-runtime", "450000", "punctual"]);
      assert.match(
        tooMuch.stderr,
        new RegExp(`Cannot update container ${id}: failed to write "450000": .*cpu.rt_runtime_us: invalid argument`),
      );
      assert.equal(await daemon.ok("inspect", "-f", "{{.HostConfig.CpuRealtimeRuntime}}", "punctual"), "90000");
    } finally {
      await daemon.close();
    }
  });
});
