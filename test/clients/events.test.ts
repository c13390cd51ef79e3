/** The stream of events: what is replayed, what is filtered, and readers that are slow or gone. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly time: number;
  /** More digits than a number holds. */
  readonly nanos: bigint;
}

describe("docker events", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await daemon.ok("create", "--name", "web", "--label", "tier=front", "busybox", "true");
    await daemon.ok("create", "--name", "other", "busybox", "true");
    await daemon.ok("start", "-a", "web");
    await daemon.ok("tag", "busybox", "second:1");
  });
  after(() => daemon.close());

  const now = (): number => Math.ceil(Date.now() / 1000);

  async function stored(query: string): Promise<Event[]> {
    const socket = daemon.host.slice("unix://".length);
    const { stdout } = await command("curl", ["-sN", "--max-time", "10", "--unix-socket", socket, `http://d/events?${query}`]);
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => ({ ...(JSON.parse(line) as Event), nanos: BigInt(/"timeNano":(\d+)/.exec(line)?.[1] ?? "0") }));
  }

  const filtered = async (filters: Record<string, string[]>): Promise<string[]> =>
    (await stored(`since=1&until=${now()}&filters=${encodeURIComponent(JSON.stringify(filters))}`)).map(
      ({ Type, Action, Actor }) => `${Type} ${Action} ${Actor.Attributes["name"]}`,
    );

  test("replays what is stored in order, no two at the same time", async () => {
    const all = await stored(`since=1&until=${now()}`);
    assert.ok(all.length >= 9);
    for (const [index, event] of all.entries()) {
      assert.ok(index === 0 || event.nanos > (all[index - 1] as Event).nanos);
      assert.equal(BigInt(event.time), event.nanos / 1_000_000_000n);
    }
    const { nanos } = all[3] as Event;
    const from = (at: bigint): string => `${at / 1_000_000_000n}.${(at % 1_000_000_000n).toString().padStart(9, "0")}`;
    assert.equal((await stored(`since=${from(nanos)}&until=${now()}`)).length, all.length - 3, "since is included");
    assert.equal((await stored(`since=1&until=${from(nanos)}`)).length, 4, "so is until");
  });

  test("with an end but no beginning, replays too, and goes on to the end", async () => {
    const past = await daemon.ok("events", "--until", String(now()));
    assert.match(past, /image import/);
    const coming = daemon.ok("events", "--until", "1s", "--filter", "event=rename");
    await daemon.ok("rename", "other", "renamed");
    await daemon.ok("rename", "renamed", "other");
    await coming;
    const text = await daemon.ok(
      "events",
      "--until",
      String(now() + 1),
      "--filter",
      "event=rename",
      "--format",
      "{{.Actor.Attributes.oldName}}",
    );
    assert.equal(text, "/other\n/renamed");
  });

  test("without either, tells only what comes", async () => {
    const [first] = await Promise.all([
      command("timeout", ["-s", "INT", "2", "docker", "events", "--format", "{{.Action}}"], { env: { DOCKER_HOST: daemon.host } }),
      (async () => {
        await eventually("a reader", async () => ((await daemon.ok("info", "-f", "{{.NEventsListener}}")) === "1" ? true : undefined));
        await daemon.ok("tag", "busybox", "third:1");
        await daemon.ok("rmi", "third:1");
      })(),
    ]);
    assert.equal(first.stdout, "tag\nuntag\n");
  });

  test("is filtered by each key: values are alternatives, labels are not, unknown keys say nothing", async () => {
    assert.deepEqual(await filtered({ container: ["web"], type: ["container"] }), [
      "container create web",
      "container attach web",
      "container start web",
      "container die web",
    ]);
    assert.deepEqual((await filtered({ event: ["tag", "start"] })).slice(0, 3), [
      "image tag busybox:latest",
      "container start web",
      "image tag second:1",
    ]);
    assert.deepEqual(await filtered({ image: ["second"] }), ["image tag second:1"]);
    assert.equal((await filtered({ image: ["busybox"], event: ["create"] })).length, 2);
    assert.equal((await filtered({ label: ["tier=front"], event: ["create", "die"] })).length, 2);
    assert.equal((await filtered({ label: ["tier=front", "none"] })).length, 0);
    assert.equal(
      (await filtered({ network: ["bridge"] })).every((line) => line.startsWith("network")),
      true,
    );
    assert.equal((await filtered({ scope: ["swarm"] })).length, 0);
    assert.equal((await filtered({ volume: ["x"] })).length, 0);
    assert.equal((await filtered({ daemon: ["x"] })).length, 0);
    assert.ok((await filtered({ nonsense: ["x"] })).length > 5, "as in Docker");
  });

  test("refuses times and filters that are none", async () => {
    for (const [args, message] of [
      [["--since", "2000", "--until", "1000"], /`since` time \(2000\) cannot be after `until` time \(1000\)/],
      [["--filter", "nonsense"], /invalid argument/],
    ] as const) {
      const refused = await daemon.docker(["events", ...args]);
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, message);
    }
    const socket = daemon.host.slice("unix://".length);
    const bad = await command("curl", ["-s", "--unix-socket", socket, "http://d/events?filters=%7B"]);
    assert.equal(bad.stdout, '{"message":"invalid filter"}\n');
  });

  test("lets go of clients that hang up, and waits for none that does not read", async () => {
    const readers = Array.from({ length: 5 }, () => {
      const socket = connect(daemon.host.slice("unix://".length));
      socket.write("GET /events?since=1 HTTP/1.1\r\nHost: d\r\n\r\n");
      socket.pause();
      return socket;
    });
    const listeners = (count: number): Promise<true> =>
      eventually(`${count} readers`, async () =>
        (await daemon.ok("info", "-f", "{{.NEventsListener}}")) === String(count) ? true : undefined,
      );
    await listeners(5);
    await daemon.ok("run", "--rm", "busybox", "true");
    for (const reader of readers) reader.destroy();
    await listeners(0);
  });

  test("keeps the last 256", async () => {
    for (let round = 0; round < 6; round++) {
      const names = Array.from({ length: 25 }, (_, index) => `many:${round}-${index}`);
      await Promise.all(names.map((name) => daemon.ok("tag", "busybox", name)));
      await daemon.ok("rmi", ...names);
    }
    const all = await stored(`since=1&until=${now()}`);
    assert.equal(all.length, 256);
    assert.equal(all.at(-1)?.Action, "untag");
  });
});
