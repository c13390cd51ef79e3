import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ProcessInfo } from "../kernel/procfs.ts";
import { formatProcesses, parsePsArgs } from "./process-columns.ts";

const now = new Date(2026, 0, 2, 14, 5, 0).getTime();
const moment = { nowMs: now, memoryBytes: 1_000_000 };
const process: ProcessInfo = {
  pid: 10,
  ppid: 1,
  pgid: 10,
  sid: 10,
  uid: 0,
  user: "root",
  gid: 0,
  comm: "sleep",
  args: ["sleep", "1000"],
  state: "S",
  tty: "",
  foreground: false,
  nice: 0,
  priority: 20,
  threads: 1,
  cpuSeconds: 3725,
  startedAtMs: now - 7450_000,
  virtualBytes: 2048 * 1024,
  residentBytes: 100 * 1000,
};

describe("ps columns", () => {
  test("the usual arguments", () => {
    assert.deepEqual(formatProcesses(parsePsArgs("-ef"), [process], moment), {
      Titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
      Processes: [["root", "10", "1", "50", "12:00", "?", "01:02:05", "sleep 1000"]],
    });
    assert.deepEqual(formatProcesses(parsePsArgs("aux"), [process], moment), {
      Titles: ["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"],
      Processes: [["root", "10", "50.0", "10.0", "2048", "97", "?", "Ss", "12:00", "62:05", "sleep 1000"]],
    });
    for (const args of ["-eo pid,cmd", "-o pid -o cmd", "-opid,cmd", "o pid,cmd", "-e --format=pid,cmd", "-o pid,args=CMD"]) {
      assert.deepEqual(formatProcesses(parsePsArgs(args), [process], moment), {
        Titles: ["PID", "CMD"],
        Processes: [["10", "sleep 1000"]],
      });
    }
    assert.deepEqual(formatProcesses(parsePsArgs(""), [process], moment).Processes, [["10", "?", "01:02:05", "sleep"]]);
  });

  test("others are refused", () => {
    assert.throws(() => parsePsArgs("-o cmd"), /Couldn't find PID field in ps output/);
    assert.throws(() => parsePsArgs("zork"), /unsupported option/);
    assert.throws(() => parsePsArgs("-o pid,zork"), /unknown user-defined format specifier "zork"/);
    assert.throws(() => parsePsArgs("-o pid=X"), /not allowed/);
    assert.throws(() => parsePsArgs("-o"), /must follow -o/);
  });
});
