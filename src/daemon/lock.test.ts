import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { lockDataRoot, writePidFile } from "./lock.ts";

const folder = mkdtempSync("/tmp/berth-test-lock-");
after(() => rmSync(folder, { recursive: true }));

describe("the data root", () => {
  test("has one daemon, and another after it", () => {
    {
      using _lock = lockDataRoot(folder);
      assert.throws(() => lockDataRoot(folder), /another Berth daemon uses/);
    }
    lockDataRoot(folder)[Symbol.dispose]();
  });

  test("is free again when a daemon is killed", async () => {
    const script = `import { lockDataRoot } from ${JSON.stringify(join(import.meta.dirname, "lock.ts"))}; globalThis.lock = lockDataRoot(${JSON.stringify(folder)}); console.log("locked"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((done) => child.stdout.once("data", done));
    assert.throws(() => lockDataRoot(folder), /another Berth daemon uses/);
    child.kill("SIGKILL");
    await new Promise((done) => child.once("exit", done));
    lockDataRoot(folder)[Symbol.dispose]();
  });
});

describe("the pid file", () => {
  const path = join(folder, "d.pid");
  const yes = async (): Promise<boolean> => true;

  test("names this process, and goes with it", async () => {
    const file = await writePidFile(path, yes);
    assert.equal(readFileSync(path, "utf8"), String(process.pid));
    file[Symbol.dispose]();
    assert.ok(!existsSync(path));
  });

  test("of a running daemon is respected, in dockerd's words", async () => {
    writeFileSync(path, "1\n");
    await assert.rejects(writePidFile(path, yes), {
      message: `failed to start daemon, ensure Berth is not running or delete ${path}: process with PID 1 is still running`,
    });
  });

  test("that was left behind is not: no process, another program, no number", async () => {
    for (const [text, isDaemon] of [
      ["4194304", true],
      ["1", false],
      ["x", true],
      ["", true],
    ] as const) {
      writeFileSync(path, text);
      (await writePidFile(path, async () => isDaemon))[Symbol.dispose]();
    }
  });
});
