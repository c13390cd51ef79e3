import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ContainerId, digestOf, isEngineError, zeroTime } from "../base/base.ts";
import type { ContainerConfig, HostConfig } from "../spec/spec.ts";
import { openDatabase } from "../state/state.ts";
import {
  type ContainerRecord,
  type ContainerState,
  ContainerStore,
  checkName,
  commandText,
  completeHostConfig,
  ended,
  generateName,
  type HostDefaults,
  mergeConfig,
  newState,
  parseFilters,
  portList,
  removing,
  started,
  startFailed,
  statusText,
  toDockerState,
} from "./containers.ts";
import { adjectives, surnames } from "./name-words.ts";

const refusal =
  (message: string, code = "InvalidParameter") =>
  (error: unknown): boolean => {
    assert.ok(isEngineError(error), String(error));
    assert.equal(error.message, message);
    assert.equal(error.code, code);
    return true;
  };

const defaults: HostDefaults = { cgroupVersion: 1, runtime: "runc", logDriver: "json-file", logOptions: {}, shmSizeBytes: 64 << 20 };

let count = 0n;
function record(name: string, state: ContainerState = newState, config: ContainerConfig = {}, host: HostConfig = {}): ContainerRecord {
  count++;
  return {
    id: count.toString(16).padStart(4, "a").padEnd(64, "0") as ContainerId,
    createdNanos: count,
    name,
    settings: {
      imageId: digestOf("image"),
      layers: [digestOf("one")],
      config,
      hostConfig: host,
      endpoints: { bridge: {} },
      mounts: [],
      mountPoints: [],
      path: "sh",
      args: [],
      driver: "erofs",
    },
    status: { state, restartCount: 0, stoppedByUser: false, everStarted: state.status !== "created" },
  };
}

const exit = { exitCode: 2, signal: 0, oomKilled: true, finishedAt: "2026-01-01T00:00:05Z" };

describe("names", () => {
  test("grammar", () => {
    assert.equal(checkName("/web.1_a-b"), "web.1_a-b");
    for (const bad of ["a", "", "_a", "a b", "a/b", "é1"]) {
      assert.throws(() => checkName(bad), refusal(`Invalid container name (${bad}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`));
    }
  });

  test("random ones are valid, and free", () => {
    assert.equal(new Set(adjectives).size, adjectives.length);
    assert.equal(new Set(surnames).size, surnames.length);
    for (const adjective of adjectives) for (const surname of surnames) assert.match(`${adjective}_${surname}`, /^[a-z]+_[a-z]+$/);
    let tries = 0;
    assert.match(
      generateName(() => tries++ < 7),
      /^[a-z]+_[a-z]+\d+$/,
    );
  });
});

describe("states", () => {
  test("a run leaves its times and its end", () => {
    const running = started(newState, 42, "2026-01-01T00:00:00Z");
    assert.deepEqual(toDockerState(running), {
      Status: "running",
      Running: true,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 42,
      ExitCode: 0,
      Error: "",
      StartedAt: "2026-01-01T00:00:00Z",
      FinishedAt: zeroTime,
    });
    const over = ended(running, exit);
    assert.equal(toDockerState(over).ExitCode, 2);
    assert.equal(toDockerState(over).OOMKilled, true);
    const again = started(over, 43, "2026-01-01T00:01:00Z");
    assert.equal(toDockerState(again).FinishedAt, exit.finishedAt);
    assert.equal(toDockerState(again).ExitCode, 0);
    assert.equal(toDockerState(removing(over)).Status, "removing");
  });

  test("a start that failed leaves it what it was", () => {
    const failed = startFailed(newState, 127, "not found");
    assert.equal(failed.status, "created");
    assert.equal(toDockerState(failed).ExitCode, 127);
    const later = startFailed(ended(started(newState, 1, "x"), exit), 126, "denied");
    assert.equal(later.status, "exited");
    assert.equal(toDockerState(later).Error, "denied");
  });
});

describe("the store", () => {
  test("finds by id, name and unique prefix, and keeps what it is told", () => {
    const database = openDatabase(":memory:");
    const store = new ContainerStore(database);
    const one = store.add(record("one"));
    const two = store.add(record("two"));
    assert.equal(store.find("/one").id, one.id);
    assert.equal(store.find(two.id.slice(0, 4)).name, "two");
    assert.throws(() => store.find("aa"), refusal("multiple IDs found with provided prefix: aa"));
    assert.throws(() => store.find("zz"), refusal("No such container: zz", "NotFound"));
    assert.throws(() => store.find(""), refusal("No container name or ID supplied"));
    assert.throws(
      () => store.rename(two, "one"),
      (error: unknown) => isEngineError(error, "Conflict"),
    );
    store.rename(two, "deux");
    store.update(one, { state: ended(started(newState, 9, "2026-01-01T00:00:00Z"), exit), restartCount: 3 });
    const again = new ContainerStore(database);
    assert.equal(again.find("deux").id, two.id);
    assert.equal(again.byName("two"), undefined);
    assert.deepEqual(again.find("one").status, one.status);
    assert.deepEqual(again.find("one").settings, one.settings);
    assert.equal(again.find("one").createdNanos, one.createdNanos);
    again.remove(again.find("one"));
    assert.equal(new ContainerStore(database).size, 1);
    database.close();
  });

  test("creating one takes less than a millisecond", () => {
    const database = openDatabase(":memory:");
    const store = new ContainerStore(database);
    const began = performance.now();
    for (let index = 0; index < 100; index++) store.add(record(`c${index}`));
    assert.ok((performance.now() - began) / 100 < 1);
    database.close();
  });
});

describe("configurations", () => {
  test("the image fills what the request leaves open", () => {
    const image = {
      User: "app",
      Env: ["PATH=/bin", "A=image"],
      Entrypoint: ["/entry"],
      Cmd: ["default"],
      WorkingDir: "/srv/",
      Labels: { a: "image", b: "image" },
      ExposedPorts: { "80/tcp": {} },
      StopSignal: "SIGINT",
    };
    const merged = mergeConfig({ Image: "x", Env: ["A=user"], Labels: { a: "user" } }, image, "abc");
    assert.deepEqual(merged.Env, ["A=user", "PATH=/bin"]);
    assert.deepEqual(merged.Labels, { a: "user", b: "image" });
    assert.deepEqual([merged.Entrypoint, merged.Cmd], [["/entry"], ["default"]]);
    assert.deepEqual([merged.User, merged.WorkingDir, merged.StopSignal, merged.Hostname], ["app", "/srv", "SIGINT", "abc"]);
    assert.deepEqual(merged.ExposedPorts, { "80/tcp": {} });
  });

  test("an own entrypoint drops the image's command; an empty one drops the image's entrypoint", () => {
    const image = { Entrypoint: ["/entry"], Cmd: ["default"] };
    const own = mergeConfig({ Entrypoint: ["sh"] }, image, "h");
    assert.deepEqual([own.Entrypoint, own.Cmd], [["sh"], null]);
    const command = mergeConfig({ Cmd: ["other"] }, image, "h");
    assert.deepEqual([command.Entrypoint, command.Cmd], [["/entry"], ["other"]]);
    const reset = mergeConfig({ Entrypoint: [""], Cmd: ["ls"] }, image, "h");
    assert.deepEqual([reset.Entrypoint, reset.Cmd], [null, ["ls"]]);
    assert.throws(() => mergeConfig({ Entrypoint: [""] }, image, "h"), refusal("no command specified"));
    assert.throws(() => mergeConfig({}, {}, "h"), refusal("no command specified"));
  });

  test("refusals", () => {
    const image = { Cmd: ["sh"] };
    assert.throws(() => mergeConfig({ Env: ["=x"] }, image, "h"), refusal("invalid environment variable: =x"));
    assert.throws(
      () => mergeConfig({ WorkingDir: "foo" }, image, "h"),
      refusal("the working directory 'foo' is invalid, it needs to be an absolute path"),
    );
    assert.throws(
      () => completeHostConfig({ AutoRemove: true, RestartPolicy: { Name: "always" } }, defaults),
      refusal("can't create 'AutoRemove' container with restart policy"),
    );
    assert.throws(
      () => completeHostConfig({ RestartPolicy: { Name: "always", MaximumRetryCount: 2 } }, defaults),
      refusal("invalid restart policy: maximum retry count can only be used with 'on-failure'"),
    );
  });

  test("the host's part is filled as dockerd fills it", () => {
    const host = completeHostConfig({ Memory: 100, PidsLimit: 0 }, defaults);
    assert.equal(host.MemorySwap, 200);
    assert.equal(host.PidsLimit, null);
    assert.equal(host.NetworkMode, "bridge");
    assert.equal(host.CgroupnsMode, "host");
    assert.deepEqual(host.RestartPolicy, { Name: "no", MaximumRetryCount: 0 });
    assert.ok(host.MaskedPaths?.includes("/proc/kcore"));
    assert.equal(completeHostConfig({ Privileged: true }, defaults).MaskedPaths, null);
    assert.equal(completeHostConfig({}, { ...defaults, cgroupVersion: 2 }).CgroupnsMode, "private");
  });
});

describe("lists", () => {
  test("statuses", () => {
    const running = started(newState, 1, "2026-01-01T00:00:00Z");
    const now = Date.parse("2026-01-01T00:03:00Z");
    assert.equal(statusText(running, now), "Up 3 minutes");
    assert.equal(statusText(ended(running, exit), now), "Exited (2) 2 minutes ago");
    assert.equal(statusText(newState, now), "Created");
    assert.equal(commandText("sh", ["-c", "exit 1"]), "sh -c 'exit 1'");
  });

  test("ports", () => {
    assert.deepEqual(portList({ Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "53/udp": null } }), [
      { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
      { PrivatePort: 53, Type: "udp" },
    ]);
  });

  test("filters: every key of Docker's, unknown ones and bad values refused", () => {
    const running = started(newState, 1, "2026-01-01T00:00:00Z");
    const records = [
      record("web", running, { Labels: { tier: "front", x: "" }, ExposedPorts: { "80/tcp": {} } }),
      record("db", ended(running, exit)),
      record("cache"),
    ];
    records[0] = {
      ...(records[0] as ContainerRecord),
      status: {
        state: running,
        restartCount: 0,
        stoppedByUser: false,
        everStarted: true,
        network: { Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "53/udp": null } },
      },
    };
    const context = {
      images: (reference: string) =>
        ({
          busybox: [{ id: digestOf("image"), layers: [digestOf("one")] }],
          base: [{ id: digestOf("base"), layers: [] }],
          same: [{ id: digestOf("same"), layers: [digestOf("one")] }],
        })[reference] ?? [],
      find: (reference: string) => records.find((one) => one.name === reference) ?? assert.fail(),
    };
    const names = (filters: Record<string, string[]>): string =>
      records
        .filter((one) => parseFilters(new Map(Object.entries(filters)), context).matches(one))
        .map((one) => one.name)
        .join();
    assert.equal(names({ name: ["^/w", "ach"] }), "web,cache");
    assert.equal(names({ name: ["b$"] }), "web,db");
    assert.equal(names({ status: ["exited", "created"] }), "db,cache");
    assert.equal(names({ exited: ["2"] }), "db");
    assert.equal(names({ label: ["tier=front", "x"] }), "web");
    assert.equal(names({ label: ["tier=back"] }), "");
    assert.equal(names({ before: ["cache"], since: ["web"] }), "db");
    assert.equal(names({ ancestor: ["busybox"] }), "web,db,cache");
    assert.equal(names({ ancestor: ["other"] }), "");
    assert.equal(names({ ancestor: ["base"] }), "web,db,cache", "an image below it by its layers");
    assert.equal(names({ ancestor: ["same"] }), "", "the same layers are another image");
    assert.equal(names({ id: [records[1]?.id ?? ""] }), "db");
    assert.equal(names({ expose: ["79-81"] }), "web");
    assert.equal(names({ publish: ["8080"] }), "web");
    assert.equal(names({ publish: ["80"] }), "");
    assert.equal(names({ publish: ["1"], expose: ["53/udp"] }), "web", "either of the two");
    assert.equal(names({ volume: ["/data"], network: ["bridge"] }), "");
    assert.equal(names({ isolation: ["hyperv"] }), "web,db,cache");
    assert.equal(names({ network: ["bridge"] }), "web,db,cache");
    assert.equal(names({ health: ["none"], "is-task": ["false"] }), "web,db,cache");
    assert.throws(() => names({ foo: ["x"] }), refusal("invalid filter 'foo'"));
    assert.throws(() => names({ status: ["x"] }), refusal("invalid filter 'status=x'"));
    for (const [filters, message] of [
      [{ "is-task": ["x"] }, "invalid filter 'is-task=[x]'"],
      [{ health: ["x"] }, "unrecognized filter value for health: x"],
      [{ exited: ["x"] }, "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax"],
      [{ publish: ["x"] }, 'error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax'],
      [{ publish: ["80:80"] }, "filter for 'publish' should not contain ':': 80:80"],
      [{ expose: ["9-8"] }, "error while looking up for expose 9-8: invalid range specified for port: 9-8"],
      [{ expose: ["70000"] }, 'error while looking up for expose 70000: strconv.ParseUint: parsing "70000": value out of range'],
    ] as [Record<string, string[]>, string][])
      assert.throws(() => names(filters), refusal(message));
  });
});
