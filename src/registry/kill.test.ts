/** The server is killed at any point of pushes and collections: what it has said stays true, and nothing else stays. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { failpointVariable } from "../base/failpoint.ts";
import { assertTidy } from "./assert-tidy.ts";
import { ask, imageManifest, sha256 } from "./scratch-registry.ts";

class KilledRegistry {
  readonly root: string = mkdtempSync("/var/tmp/berth-test-registry-");
  port = 0;
  #child: ChildProcess | undefined;

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const main = join(import.meta.dirname, "main.ts");
    const args = ["serve", "--addr", "127.0.0.1:0", "--root", this.root, "--gc-interval", "0", "--gc-grace", "300ms"];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    this.port = await new Promise((resolve, reject) => {
      let log = "";
      child.stderr?.on("data", (chunk) => {
        log = `${log}${chunk}`.slice(-10_000);
        const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
      child.once("exit", () => reject(new Error(`it ended:\n${log}`)));
    });
  }

  collect(): void {
    this.#child?.kill("SIGUSR2");
  }

  /** Settles when it has ended, by us or by its failpoint. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once("exit", resolve));
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.ended();
  }

  /** Each file has its row and each row its file; to be asked when it has just been started and was then killed. */
  assertTidy(): void {
    assertTidy(this.root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.root, { recursive: true, force: true });
  }
}

const layers = [0, 1, 2, 3].map((fill) => Buffer.alloc(200_000, fill));

/** Images that the server has said to have; pushes until it is gone. */
async function pushUntilKilled(port: number, repository: string, acknowledged: Map<string, string>): Promise<void> {
  for (;;) {
    const config = `{"id":"${randomBytes(4).toString("hex")}"}`;
    const blobs = [Buffer.from(config), ...layers.filter(() => randomInt(2) === 0)];
    for (const blob of blobs) {
      const digest = sha256(blob);
      if ((await ask(port, "HEAD", `/v2/${repository}/blobs/${digest}`)).status === 200) continue;
      const location = String((await ask(port, "POST", `/v2/${repository}/blobs/uploads/`)).headers.location);
      const half = blob.length >> 1;
      await ask(port, "PATCH", location, { body: blob.subarray(0, half) });
      await ask(port, "PUT", `${location}?digest=${digest}`, { body: blob.subarray(half) });
    }
    const manifest = JSON.stringify(imageManifest(blobs));
    // On a slow machine the grace time may be over before the push is; then it is told so.
    const put = await ask(port, "PUT", `/v2/${repository}/manifests/latest`, {
      body: manifest,
      headers: { "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
    });
    if (put.status !== 201) continue;
    acknowledged.set(`${repository}@${sha256(manifest)}`, manifest);
    if (randomInt(3) > 0) continue;
    acknowledged.delete(`${repository}@${sha256(manifest)}`);
    await ask(port, "DELETE", `/v2/${repository}/manifests/${sha256(manifest)}`);
  }
}

const rounds = Number(process.env["BERTH_KILLS"] ?? 12);

test("killed while clients push and garbage is collected", { timeout: 60_000 + rounds * 20_000 }, async () => {
  await using registry = new KilledRegistry();
  const acknowledged = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    await registry.start();
    const work = ["one", "two", "three"].map((repository) =>
      pushUntilKilled(registry.port, repository, acknowledged).catch(() => undefined),
    );
    const until = Date.now() + randomInt(50, 700);
    while (Date.now() < until) {
      await sleep(20);
      registry.collect();
    }
    await registry.kill();
    await Promise.all(work);
    await registry.start();
    for (const [name, manifest] of acknowledged) {
      const [repository = "", digest = ""] = name.split("@");
      const answer = await ask(registry.port, "GET", `/v2/${repository}/manifests/${digest}`);
      assert.deepEqual([answer.status, answer.body.toString()], [200, manifest]);
      const { config, layers } = JSON.parse(manifest) as { config: { digest: string }; layers: { digest: string }[] };
      for (const blob of [config, ...layers]) {
        const got = await ask(registry.port, "GET", `/v2/${repository}/blobs/${blob.digest}`);
        assert.deepEqual([got.status, sha256(got.body)], [200, blob.digest]);
      }
    }
    await registry.kill();
    registry.assertTidy();
    while (acknowledged.size > 10) acknowledged.delete([...acknowledged.keys()][0] ?? "");
  }
  assert.ok(acknowledged.size > 0, "something was pushed");
});

for (const place of ["registry-commit", "registry-gc"]) {
  test(`killed between a file and its row: ${place}`, async () => {
    await using registry = new KilledRegistry();
    const mark = join(registry.root, "strike");
    await registry.start({ [failpointVariable]: `${place}:daemon:${mark}` });
    const digest = sha256("bytes");
    const push = () => ask(registry.port, "POST", `/v2/a/blobs/uploads/?digest=${digest}`, { body: "bytes" });
    if (place === "registry-gc") {
      assert.equal((await push()).status, 201);
      await sleep(400);
      writeFileSync(mark, "");
      registry.collect();
    } else {
      writeFileSync(mark, "");
      await assert.rejects(push());
    }
    await registry.ended();
    await registry.start();
    assert.equal((await ask(registry.port, "HEAD", `/v2/a/blobs/${digest}`)).status, 404);
    assert.equal((await push()).status, 201);
    assert.equal((await ask(registry.port, "GET", `/v2/a/blobs/${digest}`)).body.toString(), "bytes");
    await registry.kill();
    registry.assertTidy();
  });
}

test("an upload goes on where it was after the server was killed", async () => {
  await using registry = new KilledRegistry();
  await registry.start();
  const data = randomBytes(1_000_000);
  const location = String((await ask(registry.port, "POST", "/v2/a/blobs/uploads/")).headers.location);
  await ask(registry.port, "PATCH", location, { body: data.subarray(0, 400_000) });
  await registry.kill();
  await registry.start();
  const state = await ask(registry.port, "GET", location);
  assert.deepEqual([state.status, state.headers.range], [204, "0-399999"]);
  await ask(registry.port, "PATCH", location, { body: data.subarray(400_000, 700_000), headers: { "Content-Range": "400000-699999" } });
  const ended = await ask(registry.port, "PUT", `${location}?digest=${sha256(data)}`, { body: data.subarray(700_000) });
  assert.equal(ended.status, 201);
  assert.ok((await ask(registry.port, "GET", `/v2/a/blobs/${sha256(data)}`)).body.equals(data));
});

test("one folder has one server", async () => {
  await using registry = new KilledRegistry();
  await registry.start();
  const second = new KilledRegistry();
  rmSync(second.root, { recursive: true });
  Object.assign(second, { root: registry.root });
  await assert.rejects(second.start(), /another registry uses/);
});
