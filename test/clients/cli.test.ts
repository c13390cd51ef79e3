/**
 * The `berth` command line against a daemon of its own. What it shares with docker is held against docker: both do the
 * same steps on the same daemon, and must say the same.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandOptions, command, Daemon, eventually, importBusybox, projectRoot, type Result } from "../daemon.ts";
import { differences } from "../parity/compare.ts";
import { type Engine, perform } from "../parity/perform.ts";
import { readScript } from "../parity/script.ts";
import { type RecordedStep, recordedStep } from "../parity/transcript.ts";

/** Groups of the comparison's script whose verbs the command line has, and that do not depend on the time they take. */
const groups = ["files", "look", "update", "volumes"];

/**
 * Docker prints maps in any order, and random names may have in them what is filtered for. In its templates 0 and 0.0 cannot be
 * compared.
 */
const leftOut = /^docker volume ls .*(\.Labels|-f name=)|gt \.SizeRw 0\.0/;

/** Of networks, which newer APIs have and docker's client fills in for older ones. */
const filledIn = /GwPriority|^[>] +DriverOpts: null/;

/** Berth's names in what it prints, as docker would have said it. */
const asDocker = (line: string): string => line.replaceAll("Berth daemon", "Docker daemon").replace(/\bberth\b/g, "docker");

describe("berth", () => {
  let daemon: Daemon;
  const folder = mkdtempSync("/var/tmp/berth-test-cli-");
  const home = join(folder, "home");
  before(async () => {
    daemon = await Daemon.start();
    mkdirSync(home);
    writeFileSync(join(folder, "docker"), `#!/bin/sh\nexec '${projectRoot}/berth' "$@"\n`, { mode: 0o755 });
  });
  after(async () => {
    await daemon.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const berth = (args: readonly string[], options: CommandOptions = {}): Promise<Result> =>
    command(join(projectRoot, "berth"), args, { ...options, env: { DOCKER_HOST: daemon.host, HOME: home, ...options.env } });
  const ok = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await berth(args);
    assert.equal(status, 0, `berth ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout.trim();
  };

  for (const group of groups.map((name) => readScript().find((one) => one.name === name) ?? assert.fail(`no group ${name}`)))
    test(`says what docker says: ${group.name}`, async () => {
      const run = async (engine: Engine): Promise<RecordedStep[]> => (await perform(engine, group)).steps.map(recordedStep);
      const engine: Engine = { host: daemon.host, folders: [[daemon.dataRoot, "<root>"]] };
      const [docker, own] = [await run(engine), await run({ ...engine, client: folder })];
      const found = docker.flatMap(({ command: line, lines }, at) => {
        if (leftOut.test(line)) return [];
        const hunks = differences(lines, (own[at]?.lines ?? []).map(asDocker));
        const left = hunks.flatMap((hunk) => [
          ...hunk.docker.map((text) => `docker ${text}`),
          ...hunk.berth.map((text) => `berth  ${text}`),
        ]);
        const unexplained = left.filter((text) => !filledIn.test(text.slice("docker ".length)));
        return unexplained.length === 0 ? [] : [`$ ${line}\n${left.join("\n")}`];
      });
      assert.equal(found.join("\n"), "");
    });

  describe("in use", () => {
    before(() => importBusybox(daemon));

    test("detach keys of config.json end an attached session", async () => {
      const own = join(folder, "config");
      mkdirSync(own);
      writeFileSync(join(own, "config.json"), JSON.stringify({ detachKeys: "ctrl-a,d" }));
      await ok("run", "-dit", "--name", "held", "busybox", "cat");
      const line = `'${projectRoot}/berth' --config '${own}' attach held`;
      const typed = `(sleep 1; printf '\\001d'; sleep 2) | script -qefc "${line}" /dev/null`;
      const { stdout } = await command("sh", ["-c", typed], { env: { DOCKER_HOST: daemon.host, HOME: home } });
      assert.match(stdout, /read escape sequence/);
      assert.equal(await ok("inspect", "-f", "{{.State.Running}}", "held"), "true");
      await ok("rm", "-f", "held");
    });

    test("stats on a terminal is a table that is drawn again, until the container is gone", async () => {
      await ok("run", "-d", "--name", "busy", "busybox", "sh", "-c", "while :; do sleep 0.01; done");
      const shown = command("script", ["-qefc", `'${projectRoot}/berth' stats busy`, "/dev/null"], {
        env: { DOCKER_HOST: daemon.host, HOME: home },
      });
      await new Promise((done) => setTimeout(done, 4000));
      await ok("rm", "-f", "busy");
      const { status, stdout } = await shown;
      assert.equal(status, 0, stdout);
      const tables = stdout.replaceAll("\x1b[K", "").split("\x1b[H").slice(1);
      assert.ok(tables.length >= 3, `${tables.length} tables`);
      assert.match(tables.at(2) ?? "", /^CONTAINER ID +NAME +CPU % .*\s+[0-9a-f]{12} +busy +[\d.]+% +[\d.]+[KM]iB \/ /);
    });

    test("cp keeps what a big file has in it, both ways, with its owner where -a says so", async () => {
      const file = join(folder, "big");
      await command("sh", ["-c", `head -c 30000000 /dev/urandom >'${file}' && chown 1234:4321 '${file}'`]);
      await ok("run", "-d", "--name", "box", "busybox", "sleep", "1000");
      await ok("cp", "-a", file, "box:/big");
      assert.equal(await ok("exec", "box", "stat", "-c", "%u:%g %s", "/big"), "1234:4321 30000000");
      await ok("cp", "box:/big", `${file}.back`);
      assert.equal((await command("cmp", [file, `${file}.back`])).status, 0);
      const { stderr } = await berth(["cp", "--quiet=false", file, "box:/again"]);
      assert.equal(stderr, "Successfully copied 30MB to box:/again\n");
      await ok("rm", "-f", "box");
    });

    test("contexts, ssh's other end and completion reach the daemon", async () => {
      await ok("run", "-d", "--name", "named", "busybox", "sleep", "1000");
      const env = { DOCKER_HOST: "" };
      await berth(["context", "create", "mine", "--docker", `host=${daemon.host}`], { env });
      await berth(["context", "use", "mine"], { env });
      assert.match((await berth(["ps", "--format", "{{.Names}}"], { env })).stdout, /^named$/m);
      const asked = "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
      assert.match((await berth(["system", "dial-stdio"], { env, input: asked })).stdout, /^HTTP\/1\.1 200 [\s\S]*OK$/);
      assert.equal((await berth(["__complete", "stop", "na"], { env })).stdout, "named\n:4\n");
      await ok("rm", "-f", "named");
    });

    test("prune asks, and tells what it has removed", async () => {
      await ok("create", "--name", "old", "busybox", "true");
      await ok("volume", "create", "spare");
      const declined = await berth(["container", "prune"], { input: "n\n" });
      assert.deepEqual([declined.status, declined.stderr], [0, ""]);
      const pruned = await berth(["system", "prune", "--volumes"], { input: "y\n" });
      assert.equal(pruned.status, 0, pruned.stderr);
      assert.match(pruned.stdout, /Deleted Containers:\n[0-9a-f]{64}\n\n[\s\S]*Total reclaimed space: /);
      assert.match(await ok("volume", "ls", "-q"), /^spare$/m, "a volume with a name stays");
      assert.match((await berth(["volume", "prune", "-af"])).stdout, /^Deleted Volumes:\nspare\n\nTotal/);
    });

    test("events are told as they happen, filtered", async () => {
      const since = String(Math.floor(Date.now() / 1000) - 1);
      await ok("run", "--rm", "--name", "brief", "busybox", "true");
      const lines = await eventually("the events", async () => {
        const until = String(Math.floor(Date.now() / 1000) + 1);
        const words = ["events", "--since", since, "--until", until, "-f", "container=brief", "--format", "{{.Action}}"];
        const { stdout } = await berth(words);
        return stdout.includes("destroy") ? stdout.trim().split("\n") : undefined;
      });
      assert.deepEqual(
        lines.filter((line) => ["create", "start", "die", "destroy"].includes(line)),
        ["create", "start", "die", "destroy"],
      );
    });
  });
});
