/**
 * The daemon, the broker or a container's monitor is killed at each step of a container's life. Afterwards a container
 * is there as before the step or as after it, the others have noticed nothing, and nothing is left behind.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { failpointVariable } from "../../src/base/failpoint.ts";
import { Daemon, eventually, hostState, importBusybox } from "../daemon.ts";

const lines = 300;
const printsAndWaits = `trap "exit 7" USR1; seq 1 ${lines}; while :; do sleep 0.02; done`;
const runs = ["run", "-d", "--name", "it", "-p", "127.0.0.1:18099:80", "busybox", "sh", "-c", printsAndWaits];

interface Step {
  readonly places: readonly string[];
  readonly before: readonly string[] | undefined;
  readonly command: readonly string[];
  /** Status and exit code that the container may have afterwards; "none": it is not there. */
  readonly outcomes: RegExp;
}

const steps: Readonly<Record<string, Step>> = {
  create: {
    places: ["create.directories", "create.written"],
    before: undefined,
    command: ["create", "--name", "it", "busybox", "true"],
    outcomes: /^(none|created 0)$/,
  },
  start: {
    places: [
      "start.attached",
      "launch.forked",
      "launch.prepared",
      "launch.cloned",
      "launch.network",
      "launch.ready",
      "start.launched",
      "start.recorded",
      "launch.started",
    ],
    before: undefined,
    command: runs,
    outcomes: /^(created (0|128)|running 0|exited (128|137))$/,
  },
  exit: {
    places: ["exit.unrecorded", "exit.recorded", "exit.cleaned", "exit.heard", "exit.written"],
    before: runs,
    command: ["kill", "-s", "USR1", "it"],
    outcomes: /^exited (7|137)$/,
  },
  remove: {
    places: ["remove.asked", "remove.written", "remove.discarded"],
    before: runs,
    command: ["rm", "-f", "it"],
    outcomes: /^(none|exited 137)$/,
  },
};

/** Where there is no monitor yet, or not any more. */
const withoutMonitor = new Set(["create.directories", "create.written", "start.attached", "launch.forked"]);
const isOver = (place: string): boolean => place.startsWith("remove.") || place === "exit.heard" || place === "exit.written";

describe("kill -9 at each step", () => {
  let daemon: Daemon;
  let untouched: Record<string, string[]>;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await daemon.ok("run", "-d", "--name", "witness", "busybox", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
    untouched = left();
  });
  after(() => daemon.close());

  /** What there is on the host, but for the broker, which comes and goes with the daemon. */
  function left(): Record<string, string[]> {
    const state = hostState();
    const rules = execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });
    return {
      ports: rules.match(/\b18099\b/g) ?? [],
      sockets: readdirSync(`${daemon.execRoot}/monitors`),
      directories: readdirSync(`${daemon.dataRoot}/containers`),
      ...state,
      processes: (state["processes"] ?? []).filter((line) => !/berth-(broker|worker)/.test(line)),
    };
  }

  async function logIsWhole(name: string, atLeast: number): Promise<void> {
    const printed = (await daemon.ok("logs", name)).split("\n").filter(Boolean);
    assert.ok(printed.length >= atLeast, `${name} has printed ${printed.length} lines`);
    for (const [index, line] of printed.entries()) assert.equal(line, String(index + 1), "each line once, in order");
  }

  async function statusOf(): Promise<string> {
    const result = await daemon.docker(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "it"]);
    return result.status === 0 ? result.stdout.trim() : "none";
  }

  async function check(place: string, outcomes: RegExp): Promise<void> {
    const status = await eventually("a state that stays", async () => {
      const now = await statusOf();
      return outcomes.test(now) ? now : undefined;
    });
    if (status.startsWith("running")) {
      await eventually("all lines", async () => (await daemon.ok("logs", "it")).endsWith(`\n${lines}`) || undefined);
      assert.equal(await daemon.ok("exec", "it", "echo", "alive"), "alive");
    }
    if (status.startsWith("running") || place.startsWith("exit.")) await logIsWhole("it", lines);
    if (status !== "none") await daemon.ok("rm", "-f", "it");
    assert.equal(await daemon.ok("exec", "witness", "echo", "alive"), "alive");
    await eventually("a clean host", async () => {
      try {
        assert.deepEqual(left(), untouched);
        return true;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        return undefined;
      }
    });
  }

  let deadline = 0;
  for (const [name, step] of Object.entries(steps))
    for (const place of step.places)
      for (const victim of ["daemon", "broker", "monitor"]) {
        if (victim === "monitor" && (withoutMonitor.has(place) || isOver(place))) continue;
        test(`${name}: ${victim} at ${place}`, async () => {
          await daemon.docker(["rm", "-f", "it"]);
          const armed = `${daemon.execRoot}/armed`;
          await daemon.kill("SIGTERM");
          await daemon.restart({ [failpointVariable]: `${place}:${victim}:${armed}` });
          if (step.before !== undefined) {
            await daemon.ok(...step.before);
            await eventually("all lines", async () => (await daemon.ok("logs", "it")).endsWith(`\n${lines}`) || undefined);
          }
          writeFileSync(armed, "");
          const result = await daemon.docker(step.command, { timeoutMs: 20_000 });
          assert.notEqual(result.status, null, "the client got an answer");
          await eventually("the strike", async () => !existsSync(armed) || undefined);
          if (victim === "daemon") await eventually("the end of the daemon", async () => !daemon.isAlive || undefined);
          assert.equal(daemon.isAlive, victim !== "daemon", daemon.log.slice(-2000));
          if (!daemon.isAlive) await daemon.restart();
          deadline = Date.now() + 4000;
          await check(place, step.outcomes);
        });
      }

  test("the witness has noticed nothing", async () => {
    await logIsWhole("witness", 100);
  });
});
