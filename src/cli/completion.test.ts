/** What the shells are offered, by the daemon's answers and through bash itself. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { bundleClient } from "./bundled-client.ts";
import { ScriptedDaemon } from "./scripted-daemon.ts";

const start = promisify(execFile);

describe("completion", () => {
  let daemon: ScriptedDaemon;
  const folder = mkdtempSync("/tmp/berth-test-completion-");
  const main = join(folder, "berth.cjs");
  before(async () => {
    daemon = await ScriptedDaemon.open();
    daemon.script = {
      "GET /containers/json": {
        json: [
          { Names: ["/web", "/db/web"], State: "running" },
          { Names: ["/worker"], State: "exited" },
          { Names: ["/held"], State: "paused" },
        ],
      },
      "GET /images/json": { json: [{ RepoTags: ["busybox:latest", "<none>:<none>"] }, { RepoTags: null }] },
      "GET /networks": { json: [{ Name: "front" }, { Name: "back" }] },
      "GET /volumes": { json: { Volumes: [{ Name: "data" }] } },
    };
    await bundleClient(main);
    writeFileSync(join(folder, "berth"), `#!/bin/sh\nexec '${process.execPath}' -- '${main}' "$@"\n`, { mode: 0o755 });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const env = (): NodeJS.ProcessEnv => ({ ...process.env, DOCKER_HOST: daemon.host, HOME: folder });

  const offered: readonly (readonly [string, string])[] = [
    ["vol", "volume :4"],
    ["volume ", "create inspect ls prune rm update :4"],
    ["volume rm ", "data :4"],
    ["network ", "connect create disconnect inspect ls prune rm :4"],
    ["network rm ", "back front :4"],
    ["network connect f", "front :4"],
    ["network connect front w", "web worker :4"],
    ["network disconnect front web ", ":4"],
    ["network create --config-from b", "back :4"],
    ["run --network f", "front :4"],
    ["container ls --fil", "--filter :4"],
    ["stop ", "web :4"],
    ["unpause ", "held :4"],
    ["start w", "worker :4"],
    ["rm w", "web worker :4"],
    ["-D rm -f w", "web worker :4"],
    ["exec web l", ":0"],
    ["exec -u root w", "web :4"],
    ["run --rm b", "busybox:latest :4"],
    ["run busybox --rm", ":0"],
    ["run --pull ", "always missing never :4"],
    ["run --pull=m", "--pull=missing :4"],
    ["run --volumes-from w", "web worker :4"],
    ["run --env-file ", ":0"],
    ["cp w", "web: worker: :2"],
    ["rename web x ", ":4"],
    ["--context d", "default :4"],
    ["nosuch ", ":4"],
  ];
  for (const [line, expected] of offered)
    test(`berth ${line}`, async () => {
      const { stdout } = await start(join(folder, "berth"), ["__complete", ...line.split(" ")], { env: env() });
      const values = stdout
        .trimEnd()
        .split("\n")
        .map((text) => text.split("\t")[0]);
      assert.equal(values.join(" "), expected);
    });

  test("a daemon that is not there offers nothing, and says why on the error stream", async () => {
    const dead = { ...env(), DOCKER_HOST: "unix:///nonexistent.sock" };
    const { stdout, stderr } = await start(join(folder, "berth"), ["__complete", "stop", ""], { env: dead });
    assert.equal(stdout, ":4\n");
    assert.match(stderr, /Cannot connect/);
  });

  test("bash takes the script, and replaces only what it replaces itself", async () => {
    const script = `source <(berth completion bash)
      t() { COMP_LINE=$1 COMP_POINT=\${#1}; _berth; echo "$1: \${COMPREPLY[*]}"; }
      t 'berth vol'; t 'berth run --pull=a'; t 'berth cp /etc/host'; t 'berth rmi busybox:l'; complete -p berth`;
    const path = `${folder}:${process.env["PATH"] ?? ""}`;
    const { stdout } = await start("bash", ["-c", script], { env: { ...env(), PATH: path } });
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual(lines.slice(0, 2), ["berth vol: volume", "berth run --pull=a: always"]);
    assert.match(lines[2] ?? "", /\/etc\/hosts/);
    assert.deepEqual(lines.slice(3), ["berth rmi busybox:l: latest", "complete -F _berth berth"]);
  });
});

test("a word that is nearly a command or a flag is told", async () => {
  const file = join(import.meta.dirname, "main.ts");
  const failing = (args: readonly string[]): Promise<string> =>
    start(process.execPath, [file, ...args]).then(
      () => "",
      (error: { stderr: string }) => error.stderr,
    );
  assert.match(await failing(["pss"]), /^berth: unknown command: berth pss\n\nDid you mean 'berth ps'\?\n\nRun/);
  assert.match(await failing(["container", "pruen"]), /Did you mean 'berth container prune'\?/);
  assert.match(await failing(["ps", "--fromat", "x"]), /^unknown flag: --fromat\n\nDid you mean '--format'\?\n/);
  assert.doesNotMatch(await failing(["qqqqq"]), /Did you mean/);
});
