/** What is about the daemon as a whole: disk usage, prune, and answers about what this version does not have. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { busyboxRootfs, Daemon, importBusybox } from "../daemon.ts";

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** One request on the daemon's socket; the answer is JSON or nothing. */
function ask(daemon: Daemon, method: string, path: string, body?: unknown): Promise<Answer> {
  const data = body === undefined ? undefined : JSON.stringify(body);
  const headers = data === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(data) };
  return new Promise((done, fail) => {
    const sent = request({ socketPath: daemon.host.slice("unix://".length), method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("error", fail);
      answer.on("end", () => done({ status: answer.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) }));
    });
    sent.on("error", fail);
    sent.end(data);
  });
}

const filters = (value: Record<string, string[]>): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;

describe("disk usage and prune", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  test("df counts images, containers and what can be had back", async () => {
    await daemon.ok("run", "--name", "writer", "busybox", "sh", "-c", "head -c 100000 /dev/zero >/file");
    const rows = (await daemon.ok("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Reclaimable}}")).split("\n");
    assert.match(rows[0] ?? "", /^Images 1 1 0B \(0%\)$/);
    assert.match(rows[1] ?? "", /^Containers 1 0 100kB \(100%\)$/);
    assert.match(rows[2] ?? "", /^Local Volumes 0 0 0B$/);
    assert.match(rows[3] ?? "", /^Build Cache 0 0 0B$/);
    const verbose = await daemon.ok("system", "df", "-v");
    assert.match(verbose, /^busybox +latest +[0-9a-f]{12} +.* +0B +[\d.]+MB +1$/m);
    assert.match(verbose, /writer$/m);
    await daemon.ok("rm", "writer");
  });

  test("df measures only the types that are asked for, as the version has it", async () => {
    const only = (await ask(daemon, "GET", "/system/df?type=image&type=volume")).body as Record<string, unknown>;
    assert.ok(Array.isArray(only["Images"]) && Number(only["LayersSize"]) > 0);
    assert.deepEqual([only["Containers"], only["Volumes"], only["BuildCache"]], [null, [], null]);
    assert.deepEqual(await ask(daemon, "GET", "/system/df?type=all"), { status: 400, body: { message: "unknown object type: all" } });
    const old = (await ask(daemon, "GET", "/v1.41/system/df?type=all")).body as {
      Images: { VirtualSize?: number }[];
      BuilderSize?: number;
    };
    assert.ok(Number(old.Images[0]?.VirtualSize) > 0);
    assert.equal(old.BuilderSize, 0);
  });

  test("image prune takes what has no tag, and all unused with -a; filters choose", async () => {
    const rootfs = await busyboxRootfs();
    const add = async (name: string, ...changes: string[]): Promise<void> => {
      const added = await daemon.docker(["import", ...changes.flatMap((change) => ["-c", change]), "-", name], { input: rootfs });
      assert.equal(added.status, 0, added.stderr);
    };
    await add("one:1", "LABEL keep=yes");
    const dangling = await daemon.ok("inspect", "-f", "{{.Id}}", "one:1");
    await add("one:1", "LABEL other=1");
    assert.equal(await daemon.ok("image", "prune", "-f", "--filter", "label=keep=no"), "Total reclaimed space: 0B");
    assert.equal(await daemon.ok("image", "prune", "-f", "--filter", "label!=keep"), "Total reclaimed space: 0B");
    assert.equal(await daemon.ok("image", "prune", "-f", "--filter", "until=1h"), "Total reclaimed space: 0B");
    const pruned = await daemon.ok("image", "prune", "-f", "--filter", "label=keep");
    assert.match(pruned, new RegExp(`^Deleted Images:\ndeleted: ${dangling}\n\nTotal reclaimed space: 0B$`));
    await daemon.ok("create", "--name", "user", "one:1", "true");
    assert.match(await daemon.ok("image", "prune", "-af"), /untagged: busybox:latest\n/);
    assert.equal(await daemon.ok("images", "--format", "{{.Repository}}:{{.Tag}}"), "one:1");
    await daemon.ok("rm", "user");
    assert.match(await daemon.ok("image", "prune", "-af"), /Total reclaimed space: [\d.]+MB/);
    const refused = await daemon.docker(["image", "prune", "-f", "--filter", "foo=bar"]);
    assert.match(refused.stderr, /invalid filter 'foo'/);
    assert.equal((await ask(daemon, "POST", `/images/prune?${filters({ until: ["1h", "2h"] })}`)).status, 400);
    assert.equal((await ask(daemon, "POST", `/images/prune?${filters({ dangling: ["maybe"] })}`)).status, 400);
    await importBusybox(daemon);
  });

  test("networks and the build cache have nothing to prune; unknown filters are refused", async () => {
    assert.equal(await daemon.ok("network", "prune", "-f"), "");
    assert.match(await daemon.ok("builder", "prune", "-f"), /Total:?\s+0B|Total reclaimed space: 0B/);
    assert.deepEqual((await ask(daemon, "POST", "/networks/prune")).body, { NetworksDeleted: null });
    assert.deepEqual((await ask(daemon, "POST", "/build/prune")).body, { CachesDeleted: null, SpaceReclaimed: 0 });
    assert.equal((await ask(daemon, "POST", `/networks/prune?${filters({ driver: ["x"] })}`)).status, 400);
    assert.equal((await ask(daemon, "POST", "/build/prune?keep-storage=much")).status, 400);
  });
});

describe("what this version does not have", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(() => daemon.close());

  test("is told in Docker's words to the docker CLI", async () => {
    for (const args of [
      ["node", "ls"],
      ["service", "ls"],
      ["secret", "ls"],
      ["config", "ls"],
      ["swarm", "join-token", "worker"],
    ]) {
      const result = await daemon.docker(args);
      assert.equal(result.status, 1, args.join(" "));
      assert.match(result.stderr, /^Error response from daemon: This node is not a swarm manager\./);
    }
    assert.match((await daemon.docker(["swarm", "leave"])).stderr, /This node is not part of a swarm/);
    assert.equal(await daemon.ok("plugin", "ls", "-q"), "");
    assert.match((await daemon.docker(["plugin", "inspect", "nope"])).stderr, /plugin "nope" not found/);
    assert.match((await daemon.docker(["network", "rm", "none"])).stderr, /none is a pre-defined network and cannot be removed/);
    assert.match((await daemon.docker(["network", "create", "host"])).stderr, /operation is not permitted on predefined host network/);
  });

  test("has Docker's status, or 501", async () => {
    const calls: readonly (readonly [string, string, number])[] = [
      ["GET", "/swarm", 503],
      ["POST", "/swarm/leave", 503],
      ["POST", "/swarm/init", 501],
      ["GET", "/services/x/logs?stdout=1", 503],
      ["DELETE", "/configs/x", 503],
      ["GET", "/plugins/a/b/json", 404],
      ["GET", "/plugins/privileges?remote=x", 501],
      ["POST", "/plugins/x/enable?timeout=0", 404],
      ["GET", "/images/search?term=x", 501],
      ["POST", "/images/x/push", 501],
      ["GET", "/distribution/x/json", 501],
      ["POST", "/build", 501],
      ["POST", "/session", 501],
      ["POST", "/auth", 501],
      ["POST", "/networks/create", 400],
      ["DELETE", "/networks/nope", 404],
      ["GET", "/nonsense", 404],
    ];
    for (const [method, path, status] of calls) {
      const answer = await ask(daemon, method, path);
      assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
      assert.ok(status === 200 || typeof (answer.body as { message: unknown }).message === "string");
    }
  });
});
