/**
 * Many clients at once, who know nothing of each other: every verb on the same few containers, in a random order that a seed
 * fixes as far as one can be fixed. Whatever has happened, the daemon lives, each failure is one that Docker's API knows,
 * records agree with the kernel, and all can be removed. The same with daemons that are killed in the middle.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../ask.ts";
import { Daemon, eventually, hostState, importBusybox } from "../daemon.ts";

const seed = Number(process.env["BERTH_TEST_SEED"] ?? 20);
const clients = 12;
const names = ["ant", "bee", "cat", "dog"];
const networkNames = ["sea", "sky"];
/** Longer than any answer may take: who waits so long waits for ever. */
const patienceMs = 20_000;

/** mulberry32 */
function randomFrom(start: number): () => number {
  let state = start | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What answers 500 in Docker too, for a state that another client has brought about. */
const admitted: readonly RegExp[] = [
  // dockerd's unpause has no other status for it.
  /^Container [0-9a-f]{64} is not paused$/,
  // Nor have leaving a network that one is not in, and joining one while one is being removed.
  /^container [0-9a-f]{64} is not connected to (the )?network \w+$/,
  /^container [0-9a-f]{64} is marked for removal and cannot be connected or disconnected to the network$/,
  // Two containers want the same one.
  /Bind for 0\.0\.0\.0:18093 failed: port is already allocated$/,
];

const loop = (body: string): string[] => ["sh", "-c", `trap "exit 7" TERM; while :; do ${body}; sleep 0.02; done`];

const programs: readonly object[] = [
  { Cmd: loop("echo line") },
  { Cmd: loop("echo line; echo $RANDOM > /written"), HostConfig: { AutoRemove: true } },
  { Cmd: ["sleep", "1000"], HostConfig: { Init: true } },
  { Cmd: ["sleep", "1000"], StopTimeout: 0, HostConfig: { Binds: ["shared:/data", "/etc:/host:ro"] } },
  { Cmd: ["true"] },
  { Cmd: ["sh", "-c", "echo x > /written; sleep 0.1; exit 3"], HostConfig: { RestartPolicy: { Name: "always" } } },
  { Cmd: ["sleep", "0.2"], HostConfig: { AutoRemove: true } },
  { Cmd: ["missing"], HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } } },
  { Cmd: loop("read x"), OpenStdin: true, Tty: true, HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "18093" }] } } },
  { Cmd: loop("true"), HostConfig: { NetworkMode: "sea" } },
  { Cmd: loop("true"), HostConfig: { NetworkMode: "sky" }, NetworkingConfig: { EndpointsConfig: { sky: { Aliases: ["moon"] }, sea: {} } } },
  { Cmd: loop("true"), Healthcheck: { Test: ["CMD-SHELL", "echo fine"], Interval: 50_000_000 }, HostConfig: { Memory: 64 * 2 ** 20 } },
];

interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: object | Buffer;
  /** The client hangs up after so long. */
  readonly leavesAfterMs?: number;
}

const post = (path: string, body?: object): Request => ({ method: "POST", path, ...(body === undefined ? {} : { body }) });

/** A tar of one empty file, `copied`. */
function smallTar(): Buffer {
  const header = Buffer.alloc(512);
  header.write("copied\0");
  header.write("0000644\0", 100);
  header.write("0000000\0".repeat(2), 108);
  header.write("00000000000\0".repeat(2), 124);
  header.write("        0", 148);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(1024)]);
}

/** One action of a client on a container. `pick` chooses among what is given. */
function anyRequest(random: () => number): Request {
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const name = pick(...names);
  const at = `/containers/${name}`;
  const leavesAfterMs = Math.floor(random() * 300);
  const create = (): Request => post(`/containers/create?name=${name}`, { Image: "busybox", ...pick(...programs) });
  const start = (): Request => post(`${at}/start`);
  const network = pick(...networkNames);
  const connect = (): Request => post(`/networks/${network}/connect`, { Container: name });
  const disconnect = (): Request => post(`/networks/${pick(network, "bridge")}/disconnect`, { Container: name, Force: pick(true, false) });
  const remove = (): Request => ({ method: "DELETE", path: `${at}?force=1&v=${pick(0, 1)}` });
  return pick<() => Request>(
    create,
    create,
    create,
    start,
    start,
    start,
    remove,
    () => ({ method: "DELETE", path: at }),
    () => post(`${at}/stop?t=${pick(0, 1)}`),
    () => post(`${at}/kill?signal=${pick("KILL", "TERM", "USR1", "CONT")}`),
    () => post(`${at}/kill`),
    () => post(`${at}/pause`),
    () => post(`${at}/pause`),
    () => post(`${at}/unpause`),
    () => post(`${at}/unpause`),
    () => post(`${at}/restart?t=${pick(0, 1)}`),
    () => post(`${at}/rename?name=${pick(...names)}`),
    () =>
      post(
        `${at}/update`,
        pick<object>({ CpuShares: pick(512, 1024) }, { Memory: 2 ** 26 }, { RestartPolicy: { Name: pick("no", "always") } }),
      ),
    () => post(`${at}/resize?h=20&w=${pick(70, 80)}`),
    () => ({ ...post(`${at}/attach?stream=1&stdout=1&stdin=1&logs=${pick(0, 1)}`), leavesAfterMs }),
    () => ({ ...post(`${at}/wait?condition=${pick("not-running", "next-exit", "removed")}`), leavesAfterMs }),
    () => ({ method: "GET", path: `${at}/logs?stdout=1&follow=${pick(0, 1)}`, leavesAfterMs }),
    () => ({ method: "GET", path: `${at}/stats?stream=${pick(0, 1)}`, leavesAfterMs }),
    () => ({ method: "GET", path: `${at}/top` }),
    () => ({ method: "GET", path: `${at}/json?size=1` }),
    () => ({ method: "GET", path: `${at}/changes` }),
    () => ({ method: "GET", path: "/containers/json?all=1&size=1" }),
    () => ({ method: "GET", path: `${at}/archive?path=/etc`, ...pick({}, { leavesAfterMs }) }),
    () => ({ method: "HEAD", path: `${at}/archive?path=/data` }),
    () => ({ method: "PUT", path: `${at}/archive?path=${pick("/tmp", "/data")}`, body: smallTar() }),
    () => ({ method: "GET", path: `${at}/export`, leavesAfterMs }),
    () => post(`/commit?container=${name}&repo=${pick("", "made")}&pause=${pick(0, 1)}`),
    () => post("/networks/create", { Name: network }),
    () => post("/networks/create", { Name: network }),
    () => ({ method: "DELETE", path: `/networks/${network}` }),
    connect,
    connect,
    connect,
    disconnect,
    disconnect,
    () => post("/networks/prune"),
    () => post("/containers/prune"),
    () => post("/volumes/prune"),
    () => post("/images/prune"),
  )();
}

describe(`races, seed ${seed}`, () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  /** Status and body. Status 0: the client has left, or the daemon. */
  function send({ method, path, body, leavesAfterMs }: Request): Promise<{ status: number; text: string }> {
    const data = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const type = Buffer.isBuffer(body) ? "application/x-tar" : "application/json";
    const headers = data === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(data) };
    return new Promise((done, fail) => {
      let text = "";
      const sent = request({ socketPath: daemon.directHost.slice("unix://".length), method, path, headers }, (answer) => {
        const finish = (): void => settle({ status: answer.statusCode ?? 0, text });
        answer.on("data", (chunk) => (text += answer.statusCode === 200 ? "" : chunk));
        answer.on("end", finish).on("error", finish);
      });
      const late = setTimeout(() => {
        sent.destroy();
        fail(new Error(`${method} ${path} has no answer`));
      }, patienceMs);
      const left = leavesAfterMs === undefined ? undefined : setTimeout(() => sent.destroy(), leavesAfterMs);
      const settle = (result: { status: number; text: string }): void => {
        clearTimeout(late);
        clearTimeout(left);
        done(result);
      };
      sent.on("error", () => settle({ status: 0, text }));
      sent.on("close", () => settle({ status: 0, text }));
      sent.end(data);
    });
  }

  /** An exec session, attached for a while or detached. */
  async function execute(random: () => number): Promise<void> {
    const name = names[Math.floor(random() * names.length)] ?? "";
    const config = { Cmd: ["sh", "-c", "echo in; sleep 0.1"], AttachStdout: true, Tty: random() < 0.3, User: random() < 0.5 ? "user" : "" };
    const text = await act(post(`/containers/${name}/exec`, config));
    const { Id: id } = JSON.parse(text === "" ? "{}" : text) as { Id?: string };
    if (id === undefined) return;
    const Detach = random() < 0.5;
    const leavesAfterMs = Math.floor(random() * 300);
    await Promise.all([
      act({ ...post(`/exec/${id}/start`, { Detach, Tty: config.Tty }), ...(Detach ? {} : { leavesAfterMs }) }),
      act(post(`/exec/${id}/resize?h=20&w=70`)),
    ]);
    await act({ method: "GET", path: `/exec/${id}/json` });
  }

  const refusals: string[] = [];
  const answers = new Map<string, number>();

  /** Asks the API and judges the answer. @returns its text; "" of one that streams */
  async function act(asked: Request): Promise<string> {
    const { status, text } = await send(asked);
    const what = `${asked.method} ${asked.path.replace(/\?.*/, "").replace(/\/(containers|exec|networks)\/(?!create|json|prune)\w+/, "/$1/x")} ${status}`;
    answers.set(what, (answers.get(what) ?? 0) + 1);
    if (status < 500 || text === "") return text;
    const message = (JSON.parse(text) as { message: string }).message;
    if (!admitted.some((pattern) => pattern.test(message))) refusals.push(`${asked.method} ${asked.path}: ${status} ${message}`);
    return text;
  }

  /** All clients at work until the time is over or the daemon has gone. */
  async function storm(random: () => number, durationMs: number): Promise<void> {
    const end = Date.now() + durationMs;
    const client = async (): Promise<void> => {
      while (Date.now() < end && daemon.isAlive) await (random() < 0.1 ? execute(random) : act(anyRequest(random)));
    };
    await Promise.all(Array.from({ length: clients }, client));
  }

  interface Inspected {
    readonly Id: string;
    readonly Name: string;
    readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly NetworkID: string; readonly EndpointID: string }>> };
    readonly State: { readonly Running: boolean; readonly Paused: boolean; readonly Restarting: boolean; readonly Pid: number };
  }

  async function inspectAll(): Promise<Inspected[]> {
    const list = (await ask(daemon, "GET", "/containers/json?all=1")).body as readonly { readonly Id: string }[];
    return await Promise.all(list.map(async ({ Id }) => (await ask(daemon, "GET", `/containers/${Id}/json`)).body as Inspected));
  }

  const isFrozen = (directory: string): boolean =>
    ["freezer.state", "cgroup.freeze"].some((file) => {
      const path = `${directory}/${file}`;
      return existsSync(path) && /^(FROZEN|FREEZING|1)\n$/.test(readFileSync(path, "utf8"));
    });

  /** Other daemons of the host's are no concern of ours. */
  const earlier = new Set(Object.values(hostState()).flat());

  /** What the kernel knows of each container, against what the daemon says of it. */
  async function assertTrue(): Promise<void> {
    const state = Object.fromEntries(Object.entries(hostState()).map(([what, all]) => [what, all.filter((one) => !earlier.has(one))]));
    const containers = await inspectAll();
    const running = containers.filter(({ State }) => State.Pid > 0);
    for (const { Id, Name, State } of containers) {
      const groups = (state["cgroups"] ?? []).filter((path) => path.includes(Id));
      const what = `${Name} ${Id} ${JSON.stringify(State)}`;
      assert.equal(existsSync(`${daemon.execRoot}/monitors/${Id.slice(0, 32)}`), State.Pid > 0, `monitor of ${what}`);
      assert.equal(groups.length > 0, State.Pid > 0, `groups of ${what}`);
      assert.equal(groups.some(isFrozen), State.Paused, `freezer of ${what}`);
      if (State.Pid > 0) assert.match(readFileSync(`/proc/${State.Pid}/cgroup`, "utf8"), new RegExp(Id), `process of ${what}`);
      assert.ok(existsSync(`${daemon.dataRoot}/containers/${Id}/upper`), `directory of ${what}`);
    }
    const groups = new Set((state["cgroups"] ?? []).flatMap((path) => /[0-9a-f]{64}/.exec(path)?.[0] ?? []));
    assert.deepEqual([...groups].sort(), running.map(({ Id }) => Id).sort(), "no groups but those of running containers");
    const monitors = (state["processes"] ?? []).filter((line) => line.includes("berth-monitor"));
    assert.equal(monitors.length, running.length, `monitors of ${running.length} running containers: ${monitors.join(", ")}`);
    const directories = readdirSync(`${daemon.dataRoot}/containers`).filter((name) => !name.startsWith("."));
    assert.deepEqual(directories.sort(), containers.map(({ Id }) => Id).sort(), "no directories but those of containers");
  }

  /** Each network knows of those containers that know of it, and inside each of these there is an interface for it. */
  async function assertNetworks(): Promise<void> {
    const running = (await inspectAll()).filter(({ State }) => State.Pid > 0);
    const ends = running.flatMap(({ Id, NetworkSettings }) =>
      Object.values(NetworkSettings.Networks).map(({ NetworkID, EndpointID }) => `${NetworkID} ${Id} ${EndpointID}`),
    );
    const networks = (await ask(daemon, "GET", "/networks")).body as readonly { readonly Id: string }[];
    const known = await Promise.all(
      networks.map(async ({ Id }) => {
        const { Containers } = (await ask(daemon, "GET", `/networks/${Id}`)).body as { Containers: Record<string, { EndpointID: string }> };
        return Object.entries(Containers).map(([container, { EndpointID }]) => `${Id} ${container} ${EndpointID}`);
      }),
    );
    assert.deepEqual(known.flat().sort(), ends.sort(), "networks and containers know of each other");
    for (const { Id, State, NetworkSettings } of running) {
      const devices = readFileSync(`/proc/${State.Pid}/net/dev`, "utf8").match(/^ *eth\d+:/gm) ?? [];
      assert.equal(devices.length, Object.keys(NetworkSettings.Networks).length, `interfaces of ${Id}`);
    }
    const pairs = (hostState()["links"] ?? []).filter((link) => link.startsWith("veth") && !earlier.has(link));
    assert.equal(pairs.length, ends.length, `pairs for ${ends.length} endpoints: ${pairs.join(", ")}`);
  }

  /** When all is quiet: what has to hold. */
  async function settle(): Promise<void> {
    assert.ok(daemon.isAlive, daemon.log.slice(-3000));
    assert.equal(refusals.splice(0).join("\n"), "");
    for (const { Id } of await inspectAll()) await send(post(`/containers/${Id}/update`, { RestartPolicy: { Name: "no" } }));
    let problem: unknown;
    await eventually("agreement of records and kernel", async () => {
      try {
        await assertTrue();
        await assertNetworks();
        return true;
      } catch (error) {
        problem = error;
        return undefined;
      }
    }).catch((error: unknown) => {
      throw problem ?? error;
    });
    assert.deepEqual(
      daemon.log.split("\n").filter((line) => line.includes("with a bug")),
      [],
    );
  }

  async function removeAll(): Promise<void> {
    await Promise.all((await inspectAll()).map(({ Id }) => act({ method: "DELETE", path: `/containers/${Id}?force=1&v=1` })));
    assert.deepEqual(refusals.splice(0), []);
    assert.deepEqual(await inspectAll(), []);
    for (const name of networkNames) await act({ method: "DELETE", path: `/networks/${name}` });
    assert.deepEqual(refusals.splice(0), []);
  }

  test("every verb on the same containers", async (t) => {
    await storm(randomFrom(seed), 6000);
    t.diagnostic(
      [...answers]
        .sort()
        .map(([what, count]) => `${what}: ${count}`)
        .join("\n"),
    );
    await settle();
    await removeAll();
  });

  for (const round of [1, 2, 3])
    test(`a daemon that is killed meanwhile, ${round}`, async () => {
      const random = randomFrom(seed + round);
      const stormed = storm(random, 5000);
      await sleep(800 + random() * 800);
      await daemon.kill("SIGKILL");
      await stormed;
      await daemon.restart();
      await settle();
      await removeAll();
    });
});
