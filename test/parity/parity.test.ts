/** The script of `script/` against Berth: the same output, errors and exit codes as `docker.txt` has of Docker. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Daemon } from "../daemon.ts";
import { allowed } from "./allowed.ts";
import { type AllowedDifference, differences, unexplained } from "./compare.ts";
import { type Engine, perform } from "./perform.ts";
import { countCommands, readScript } from "./script.ts";
import { parseRecording, recordedStep } from "./transcript.ts";

const recording = parseRecording(readFileSync(join(import.meta.dirname, "docker.txt"), "utf8"));
const groups = readScript();

/** Modes, defaults and warnings of the recording are those of a host with cgroup v1. */
const skip = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "the recording was made on a host with cgroup v1" : false;

describe(`the same as ${recording.engine}`, { skip }, () => {
  let daemon: Daemon;
  let engine: Engine;
  const used = new Set<AllowedDifference>();
  before(async () => {
    daemon = await Daemon.start();
    engine = { host: daemon.host, folders: [[daemon.dataRoot, "<root>"]] };
  });
  after(() => daemon.close());

  test("the script has its 150 commands, and all of it is recorded", () => {
    assert.ok(countCommands(groups) >= 150);
    assert.deepEqual(
      groups.map(({ name }) => name),
      [...recording.groups.keys()],
    );
  });

  for (const group of groups) {
    test(group.name, async () => {
      const { steps, left } = await perform(engine, group);
      const found = unexplained(group.name, recording.groups.get(group.name) ?? [], steps.map(recordedStep), allowed, used);
      assert.ok(found.length === 0, `${found.length} of ${steps.length} commands differ:\n\n${found.join("\n")}`);
      assert.equal(left, "", "the group clears up after itself");
    });
  }

  test("every allowed difference is still one", (context) => {
    if (process.execArgv.some((flag) => flag.startsWith("--test-name-pattern"))) return context.skip("only some groups ran");
    assert.deepEqual(
      allowed.filter((difference) => !used.has(difference)),
      [],
    );
  });
});

test("differences are hunks of lines", () => {
  assert.deepEqual(differences(["a", "b", "c"], ["a", "x", "c", "d"]), [
    { docker: ["b"], berth: ["x"] },
    { docker: [], berth: ["d"] },
  ]);
});
