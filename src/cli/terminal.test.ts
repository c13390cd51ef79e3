/** A real terminal (of `script`) around the command line: raw mode, its end, sizes, detach keys. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { bundleClient } from "./bundled-client.ts";
import { ScriptedDaemon } from "./scripted-daemon.ts";

const id = "a".repeat(64);
const tty = "application/vnd.docker.raw-stream";

describe("in a terminal", () => {
  let daemon: ScriptedDaemon;
  const folder = mkdtempSync("/tmp/berth-test-terminal-");
  const main = join(folder, "berth.cjs");
  before(async () => {
    daemon = await ScriptedDaemon.open();
    await bundleClient(main);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a shell line in a terminal of 33 rows; `berth` is the command line. `typed` is sent when `when` has been printed. */
  const terminal = (
    line: string,
    typed: readonly (readonly [when: string, text: string])[],
  ): Promise<{ status: number | null; output: string }> =>
    new Promise((done, fail) => {
      const shell = `berth() { '${process.execPath}' -- '${main}' "$@"; }; stty rows 33 cols 101; ${line}`;
      const child = spawn("script", ["-qefc", shell, "/dev/null"], {
        env: { ...process.env, SHELL: "/bin/sh", DOCKER_HOST: daemon.host },
        timeout: 20_000,
        killSignal: "SIGKILL",
      });
      let output = "";
      let next = 0;
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString("latin1");
        const step = typed[next];
        if (step === undefined || !output.includes(step[0])) return;
        next++;
        child.stdin.write(step[1]);
      });
      child.on("error", fail);
      child.on("close", (status) => done({ status, output }));
    });

  /** A shell of sorts: prints a prompt, says what it was given, ends on `q`. */
  const shell = (stream: Duplex): void => {
    stream.write("prompt# ");
    stream.on("data", (chunk: Buffer) => {
      stream.write(`[${chunk.toString("hex")}]\r\nraw\nend\r\n`);
      if (chunk.includes("q")) stream.end();
    });
  };
  const script = (): void => {
    daemon.asked.length = 0;
    daemon.script = {
      "POST /containers/create": { json: { Id: id }, status: 201 },
      "GET /containers/web/json": { json: { Id: id, State: { Running: true }, Config: { Tty: true, OpenStdin: true } } },
      [`POST /containers/${id}/attach`]: { hijack: shell, type: tty },
      [`POST /containers/${id}/start`]: { json: null, status: 204 },
      [`POST /containers/${id}/wait`]: { json: { StatusCode: 5 } },
      [`POST /containers/${id}/resize`]: { json: null },
      "POST /containers/web/exec": { json: { Id: "e1" }, status: 201 },
      "POST /exec/e1/start": { hijack: shell, type: tty },
      "POST /exec/e1/resize": { json: null },
      "GET /exec/e1/json": { json: { ExitCode: 6 } },
    };
  };

  test("run -it: keys and output pass untouched, the terminal is as before afterwards", async () => {
    script();
    const { status, output } = await terminal("stty -g; berth run -it busybox; s=$?; stty -g; exit $s", [
      ["prompt# ", "a\x03\r"],
      ["[61030d]", "q"],
    ]);
    assert.equal(status, 5, output);
    // A line feed alone stays alone: the container's terminal has done its part.
    assert.match(output, /\[61030d\]\r\nraw\nend\r\n/);
    const settings = output.match(/[0-9a-f]+(:[0-9a-f]+){10,}/g);
    assert.equal(settings?.length, 2);
    assert.equal(settings[0], settings[1]);
    const created = daemon.asked.find((one) => one.path === "/containers/create")?.body as { HostConfig: { ConsoleSize: number[] } };
    assert.deepEqual(created.HostConfig.ConsoleSize, [33, 101]);
    assert.deepEqual(daemon.asked.find((one) => one.path.endsWith("/resize"))?.query, { h: "33", w: "101" });
  });

  test("a new size is passed on", async () => {
    script();
    const ended = terminal("t=$(tty); (sleep 0.7; stty rows 40 cols 120 <$t) & berth run -it busybox", []);
    for (let tries = 0; tries < 400 && daemon.asked.filter((one) => one.path.endsWith("/resize")).length < 2; tries++)
      await new Promise((done) => setTimeout(done, 20));
    const { query } = daemon.asked.findLast((one) => one.path.endsWith("/resize")) ?? {};
    daemon.hangUp();
    await ended;
    assert.deepEqual(query, { h: "40", w: "120" });
  });

  test("detach keys end run with 0, attach and exec with 1 and a word", async () => {
    script();
    const run = await terminal("berth run -it busybox", [["prompt# ", "\x10\x11"]]);
    assert.equal(run.status, 0, run.output);
    script();
    const attach = await terminal("berth attach --detach-keys ctrl-a,x web", [["prompt# ", "\x01x"]]);
    assert.equal(attach.status, 1);
    assert.match(attach.output, /read escape sequence\r\n$/);
    script();
    const exec = await terminal("berth exec -it web sh", [["prompt# ", "\x10\x11"]]);
    assert.equal(exec.status, 1);
    assert.match(exec.output, /read escape sequence\r\n$/);
  });

  test("exec -it gives the command's status", async () => {
    script();
    const { status, output } = await terminal("berth exec -it web sh", [["prompt# ", "q"]]);
    assert.equal(status, 6, output);
  });
});
