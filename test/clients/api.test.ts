/** Answers as Docker's own description has them, and the daemon's ways of being reached and ended. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ask } from "../ask.ts";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";
import { ApiDescription, descriptionPath } from "../openapi.ts";

const description = await ApiDescription.load();

describe("the API's answers", { skip: description === undefined ? `there is no ${descriptionPath}` : false }, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  /** Each call has its status, and a body as described. */
  async function holds(calls: readonly (readonly [method: string, path: string, status: number, body?: unknown])[]): Promise<void> {
    for (const [method, path, status, sent] of calls) {
      const answer = await ask(daemon, method, path, sent);
      assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
      assert.deepEqual(description?.check(method, path, answer.status, answer.body), []);
    }
  }

  test("about the daemon, images and networks are as described", () =>
    holds([
      ["GET", "/version", 200],
      ["GET", "/info", 200],
      ["GET", "/images/json?all=1&shared-size=1", 200],
      ["GET", "/images/busybox/json", 200],
      ["GET", "/images/busybox/history", 200],
      ["GET", "/images/nope/json", 404],
      ["POST", "/images/busybox/tag?repo=other&tag=name", 201],
      ["DELETE", "/images/other:name", 200],
      ["DELETE", "/images/other:name", 404],
      ["GET", "/networks", 200],
      ["GET", "/networks/bridge", 200],
      ["GET", "/networks/nope", 404],
    ]));

  test("about a container are as described, through its life", async () => {
    const config = {
      Image: "busybox",
      Cmd: ["sleep", "1000"],
      Labels: { a: "b" },
      ExposedPorts: { "81/tcp": {} },
      HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "" }] }, Memory: 64 << 20, Binds: ["/tmp:/host:ro"], Tmpfs: { "/scratch": "" } },
    };
    await holds([
      ["POST", "/containers/create?name=described", 201, config],
      ["POST", "/containers/create?name=described", 409, config],
      ["POST", "/containers/create", 404, { Image: "nope" }],
      ["POST", "/containers/create", 400, { Image: 5 }],
      ["GET", "/containers/described/json", 200],
      ["POST", "/containers/described/start", 204],
      ["POST", "/containers/described/start", 304],
      ["GET", "/containers/described/json?size=1", 200],
      ["GET", "/containers/json?size=1", 200],
      ["GET", "/containers/json?filters=%7B%22nonsense%22%3A%5B%22a%22%5D%7D", 400],
      ["GET", "/containers/described/top", 200],
    ]);
    const { body } = await ask(daemon, "POST", "/containers/described/exec", { Cmd: ["true"], AttachStdout: true });
    const { Id } = body as { Id: string };
    await holds([
      ["GET", `/exec/${Id}/json`, 200],
      ["POST", `/exec/${Id}/start`, 200, { Detach: true }],
      ["GET", `/exec/${Id}/json`, 200],
      ["POST", "/containers/described/stop?t=0", 204],
      ["POST", "/containers/described/stop?t=0", 304],
      ["POST", "/containers/described/wait", 200],
      ["POST", "/containers/described/kill", 409],
      ["GET", "/containers/described/json", 200],
      ["POST", "/containers/described/rename?name=renamed", 204],
      ["GET", "/containers/described/json", 404],
      ["DELETE", "/containers/renamed", 204],
      ["DELETE", "/containers/renamed", 404],
    ]);
  });

  test("of events are as described, line by line", async () => {
    await daemon.ok("run", "--rm", "busybox", "true");
    const until = Math.floor(Date.now() / 1000) + 1;
    const text = (await command("curl", ["-sN", "--unix-socket", daemon.host.slice(7), `http://d/events?since=1&until=${until}`])).stdout;
    const events = text.trimEnd().split("\n");
    const run = events.map((line) => JSON.parse(line) as { Type: string; Action: string }).filter(({ Type }) => Type === "container");
    assert.deepEqual(
      run.slice(-5).map(({ Action }) => Action),
      ["create", "attach", "start", "die", "destroy"],
    );
    for (const line of events) assert.deepEqual(description?.check("GET", "/events", 200, JSON.parse(line)), []);
  });
});

describe("the daemon", () => {
  test("ends on SIGTERM whoever is connected; containers go on, and are found again", async () => {
    const daemon = await Daemon.start();
    try {
      await importBusybox(daemon);
      await daemon.ok("run", "-d", "--name", "stays", "busybox", "sh", "-c", "while true; do echo on; sleep 0.1; done");
      const clients = [["logs", "-f", "stays"], ["attach", "stays"], ["wait", "stays"], ["events"]].map((args) => daemon.docker(args));
      await eventually("output", async () => ((await daemon.ok("logs", "stays")) === "" ? undefined : true));
      const before = Date.now();
      await daemon.kill("SIGTERM");
      assert.ok(Date.now() - before < 3000, "it did not wait for its clients");
      await Promise.all(clients);
      await daemon.restart();
      assert.equal(await daemon.ok("inspect", "-f", "{{.State.Running}}", "stays"), "true");
      await daemon.ok("kill", "stays");
    } finally {
      await daemon.close();
    }
  });

  test("has its data root for itself", async () => {
    const daemon = await Daemon.start();
    try {
      const args = ["--data-root", daemon.dataRoot, "--exec-root", `${daemon.execRoot}/2`, "--bridge", "none"];
      const second = await command(new URL("../../berthd", import.meta.url).pathname, args);
      assert.equal(second.status, 1);
      assert.match(second.stderr, /failed to start daemon: another Berth daemon uses/);
    } finally {
      await daemon.close();
    }
  });

  test("speaks TLS to clients that it can verify, with half-closed streams", async () => {
    const folder = mkdtempSync("/var/tmp/berth-test-tls-");
    const script = `cd "$1" && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=ca &&
      printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >ext &&
      for name in server client; do
        openssl req -newkey rsa:2048 -nodes -keyout $name-key.pem -out $name.csr -subj /CN=$name &&
        openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out $name.pem -days 2 -extfile ext || exit 1
      done && cp client.pem cert.pem && cp client-key.pem key.pem`;
    assert.equal((await command("sh", ["-ec", script, "sh", folder])).status, 0);
    const material = ["--tlscacert", `${folder}/ca.pem`, "--tlscert", `${folder}/server.pem`, "--tlskey", `${folder}/server-key.pem`];
    const port = 20_000 + (process.pid % 10_000);
    const daemon = await Daemon.start(["-H", `tcp://127.0.0.1:${port}`, "--tlsverify", ...material]);
    try {
      await importBusybox(daemon);
      const env = { DOCKER_HOST: `tcp://127.0.0.1:${port}`, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: folder };
      const echoed = await daemon.docker(["run", "--rm", "-i", "busybox", "cat"], { env, input: "over TLS", timeoutMs: 10_000 });
      assert.deepEqual([echoed.status, echoed.stdout], [0, "over TLS"]);
      const stranger = await command("curl", ["-sk", "--max-time", "5", `https://127.0.0.1:${port}/_ping`]);
      assert.notEqual(stranger.status, 0);
      assert.equal(stranger.stdout, "");
    } finally {
      await daemon.close();
      rmSync(folder, { recursive: true });
    }
  });
});
