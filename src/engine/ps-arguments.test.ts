import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ProcessInfo } from "../kernel/processes.ts";
import type { ContainerTopResponse } from "../spec/spec.ts";
import { checkPsTitles, parsePsArguments } from "./ps-arguments.ts";
import { formatProcesses } from "./top-container.ts";

const now = new Date(2026, 0, 2, 14, 5, 0).getTime();
const names = { users: new Map([[0, "root"]]), groups: new Map([[0, "root"]]) };
const root = { real: 0, effective: 0, saved: 0, fileSystem: 0 };
const sleeping: ProcessInfo = {
  pid: 10,
  tid: 10,
  ppid: 1,
  pgid: 10,
  sid: 10,
  tpgid: -1,
  users: root,
  groups: root,
  supplementaryGroups: [],
  comm: "sleep",
  args: ["sleep", "1000"],
  environment: [],
  state: "S",
  tty: "",
  nice: 0,
  priority: 20,
  realtimePriority: 0,
  policy: 0,
  processor: 1,
  threads: 1,
  flags: 0x40_0100,
  minorFaults: 3,
  majorFaults: 4,
  cpuSeconds: 3725,
  startedAtMs: now - 7450_000,
  virtualBytes: 2048 * 1024,
  residentBytes: 100 * 1000,
  codeBytes: 48 * 1024,
  waitsIn: "hrtimer_nanosleep",
  signals: { pending: "0", blocked: "1", ignored: "2", caught: "4" },
};
const child: ProcessInfo = {
  ...sleeping,
  pid: 12,
  tid: 12,
  ppid: 10,
  comm: "sh",
  args: ["sh", "-c", "true"],
  startedAtMs: now - 1000,
  cpuSeconds: 0,
};
const sibling: ProcessInfo = {
  ...sleeping,
  pid: 11,
  tid: 11,
  ppid: 1,
  comm: "cat",
  args: [],
  state: "R",
  users: { ...root, effective: 5 },
};

function shown(args: string, ...processes: ProcessInfo[]): ContainerTopResponse {
  return formatProcesses(parsePsArguments(args, names), processes.length > 0 ? processes : [sleeping], {
    nowMs: now,
    memoryBytes: 1_000_000,
    names,
  });
}

const titles = (args: string): string => (shown(args).Titles ?? []).join(" ");
const pids = (args: string): string => (shown(args, sleeping, sibling, child).Processes ?? []).map((row) => row.at(0)).join(" ");

describe("ps arguments", () => {
  test("the usual ones", () => {
    assert.deepEqual(shown("-ef"), {
      Titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
      Processes: [["root", "10", "1", "50", "12:00", "?", "01:02:05", "sleep 1000"]],
    });
    for (const args of ["aux", "-aux"]) {
      assert.deepEqual(shown(args), {
        Titles: ["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"],
        Processes: [["root", "10", "50.0", "10.0", "2048", "97", "?", "Ss", "12:00", "62:05", "sleep 1000"]],
      });
    }
    for (const args of [
      "-eo pid,cmd",
      "-o pid -o cmd",
      "-opid,cmd",
      "o pid,cmd",
      "-e --format=pid,cmd",
      "-o pid:9,args=CMD",
      "-ef -o pid,cmd",
    ]) {
      assert.deepEqual(shown(args), { Titles: ["PID", "CMD"], Processes: [["10", "sleep 1000"]] }, args);
    }
    assert.deepEqual(shown("").Processes, [["10", "?", "01:02:05", "sleep"]]);
  });

  // As ps of procps 4.0.2 has them.
  test("formats and their letters", () => {
    for (const [args, expected] of [
      ["-l", "F S UID PID PPID C PRI NI ADDR SZ WCHAN TTY TIME CMD"],
      ["-lf", "F S UID PID PPID C PRI NI ADDR SZ WCHAN STIME TTY TIME CMD"],
      ["-ely", "S UID PID PPID C PRI NI RSS SZ WCHAN TTY TIME CMD"],
      ["-F", "UID PID PPID C SZ RSS PSR STIME TTY TIME CMD"],
      ["-FL", "UID PID PPID LWP C NLWP SZ RSS PSR STIME TTY TIME CMD"],
      ["-efL", "UID PID PPID LWP C NLWP STIME TTY TIME CMD"],
      ["-L", "PID LWP TTY TIME CMD"],
      ["-j", "PID PGID SID TTY TIME CMD"],
      ["-jf", "UID PID PPID PGID SID C STIME TTY TIME CMD"],
      ["-jL", "PID PGID SID LWP TTY TIME CMD"],
      ["-c", "PID CLS PRI TTY TIME CMD"],
      ["-cf", "UID PID PPID CLS PRI STIME TTY TIME CMD"],
      ["-cl", "F S UID PID PPID CLS PRI ADDR SZ WCHAN TTY TIME CMD"],
      ["-T", "PID SPID TTY TIME CMD"],
      ["-P", "PID PSR TTY TIME CMD"],
      ["-fP", "UID PID PPID PSR C STIME TTY TIME CMD"],
      ["-Z", "LABEL PID TTY TIME CMD"],
      ["uZ", "LABEL USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"],
      ["-x", "PID TTY STAT TIME COMMAND"],
      ["ax", "PID TTY STAT TIME COMMAND"],
      ["v", "PID TTY STAT TIME MAJFL TRS DRS RSS %MEM COMMAND"],
      ["l", "F UID PID PPID PRI NI VSZ RSS WCHAN STAT TTY TIME COMMAND"],
      ["j", "PPID PID PGID SID TTY TPGID STAT UID TIME COMMAND"],
      ["s", "UID PID PENDING BLOCKED IGNORED CAUGHT STAT TTY TIME COMMAND"],
      ["-O ppid", "PID PPID S TTY TIME COMMAND"],
    ] as const) {
      assert.equal(titles(args), expected, args);
    }
  });

  test("words", () => {
    const words = "pid,pri,priority,opri,psr,cls,rtprio,f,wchan,trs,drs,sz,min_flt,maj_flt,ruser,egroup,etime,etimes,start,lstart,supgid";
    assert.deepEqual(shown(`-o ${words}`).Processes, [
      "10,19,20,80,1,TS,-,4,hrtime,48,2000,512,3,4,root,root,02:04:10,7450,12:00:50,Fri Jan  2 12:00:50 2026,-".split(","),
    ]);
  });

  test("a choice of processes, and their order", () => {
    assert.equal(pids("-eo pid"), "10 11 12");
    assert.equal(pids("-o pid -p 12,10"), "10 12");
    assert.equal(pids("-o pid -C cat --ppid 10"), "11 12");
    assert.equal(pids("-o pid -u 5"), "11");
    assert.equal(pids("-o pid -U root --sort=-pid"), "12 11 10");
    assert.equal(pids("o pid r"), "11");
    assert.equal(pids("o pid 12"), "12");
    assert.equal(pids("o pid k ppid,-pid"), "11 10 12");
    assert.deepEqual(shown("--forest -o pid,cmd", sleeping, sibling, child).Processes, [
      ["10", "\\_ sleep 1000"],
      ["12", "\\_ sh -c true"],
      ["11", "\\_ [cat]"],
    ]);
  });

  test("what Docker and ps refuse", () => {
    for (const [args, message] of [
      ["-o cmd", "Couldn't find PID field in ps output"],
      ["-o pid=X,cmd", "Couldn't find PID field in ps output"],
      ["-o pid --no-headers", "Couldn't find PID field in ps output"],
      ["aux -o pid", "ps: error: conflicting format options"],
      ["u -f", "ps: error: conflicting format options"],
      ["lu", "ps: error: conflicting format options"],
      ["-y", "ps: error: modifier -y without format -l makes no sense"],
      ["zork", "ps: error: unsupported option (BSD syntax)"],
      ["-b", "ps: error: unsupported SysV option"],
      ["--zork", "ps: error: unknown gnu long option"],
      ["-", "ps: error: garbage option"],
      ["-o pid,zork", 'ps: error: unknown user-defined format specifier "zork"'],
      ["-o pid,constructor", 'ps: error: unknown user-defined format specifier "constructor"'],
      ["-o pid,,", "ps: error: improper format list"],
      ["-o", "ps: error: format specification must follow -o"],
      ["-o pid --sort zork", "ps: error: unknown sort specifier"],
      ["-p", "ps: error: list of process IDs must follow -p"],
      ["-p x", "ps: error: process ID list syntax error"],
      ["-u nosuchuser", "ps: error: user name does not exist"],
    ] as const) {
      assert.throws(() => parsePsArguments(args, names), { message, code: "System" }, args);
    }
    assert.throws(() => checkPsTitles("-o cmd=PID"), { message: 'specifying "cmd=PID" is not allowed' });
    checkPsTitles("-o pid=PID,cmd");
  });
});
