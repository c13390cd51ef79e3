/** Ports that the monitor passes on itself: connections and datagrams, their ends, and the end of the process that does it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, native } from "./busybox-containers.ts";
import type { Monitor } from "./kernel.ts";
import type { HostOp, HostPort, NetworkChangePlan } from "./plan.ts";

const nothing: NetworkChangePlan = {
  release: [],
  prepare: [],
  hostNetwork: [],
  containerNetwork: [],
  dns: false,
  networkCleanup: [],
};

/** Where the relay is to go to: it answers with what it got, in order, and ends when its client has ended. */
async function listen(address: string): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => undefined).pipe(socket)).listen(0, address);
  await once(server, "listening");
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === "object");
  return { server, port: bound.port };
}

async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function echoed(port: number, host: string, text: string): Promise<string> {
  const socket = connect({ port, host, allowHalfOpen: true });
  socket.end(text);
  return (await allOf(socket)).toString();
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function relays(program: string): void {
  let bench: Bench;
  let base = program === native ? 23_000 : 24_000;
  before(async () => {
    bench = await Bench.open({ program });
  });
  after(async () => await bench[Symbol.asyncDispose]());

  const bind = (port: HostPort, to: number, address = "127.0.0.1"): HostOp => ({ op: "bind-port", ...port, relay: { address, port: to } });
  const tcp = (port: number, address = "127.0.0.1"): HostPort => ({ protocol: "tcp", address, port });
  const udp = (port: number, address = "127.0.0.1"): HostPort => ({ protocol: "udp", address, port });

  /** Pids of processes that pass on for this bench's containers, by their parents. */
  function relaysOf(monitor: number): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const status = readFileSync(`/proc/${pid}/status`, "utf8");
          return /^Name:\tberth-relay$/m.test(status) && new RegExp(`^PPid:\t${monitor}$`, "m").test(status);
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  async function start(prepare: readonly HostOp[]): Promise<{ monitor: Monitor; monitorPid: number }> {
    const { monitor } = await bench.start(bench.plan(["sleep", "1000"], { prepare }));
    const { pid } = await monitor.launched;
    return { monitor, monitorPid: Number(/PPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) };
  }

  async function end(monitor: Monitor): Promise<void> {
    await monitor.signal(9);
    await monitor.exited;
  }

  async function isFree(port: number, host: string): Promise<boolean> {
    const server = createServer();
    return await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, host, () => server.close(() => resolve(true)));
    });
  }

  test("connections, of both families, whole and both ways", async () => {
    const port = base++;
    const { server, port: to } = await listen("127.0.0.1");
    const { monitor, monitorPid } = await start([bind(tcp(port), to), bind(tcp(port, "::1"), to)]);
    assert.deepEqual(relaysOf(monitorPid), [], "nobody has come");
    assert.equal(await echoed(port, "::1", "six"), "six");
    assert.equal(await echoed(port, "127.0.0.1", "four"), "four");
    assert.equal(relaysOf(monitorPid).length, 1);
    const sent = randomBytes(8 << 20);
    const got = await Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        const socket = connect({ port, host: index % 2 === 0 ? "::1" : "127.0.0.1", allowHalfOpen: true });
        socket.end(sent);
        return await allOf(socket);
      }),
    );
    for (const bytes of got) assert.ok(bytes.equals(sent));
    const relay = relaysOf(monitorPid)[0];
    const status = readFileSync(`/proc/${relay}/status`, "utf8");
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.equal(readdirSync(`/proc/${relay}/fd`).length, 3 + 2 + 3);
    await end(monitor);
    assert.deepEqual(relaysOf(monitorPid), []);
    assert.ok((await isFree(port, "::1")) && (await isFree(port, "127.0.0.1")));
    server.close();
  });

  test("who does not read holds up nobody, and nothing grows", async () => {
    const port = base++;
    const { server, port: to } = await listen("127.0.0.1");
    const { monitor, monitorPid } = await start([bind(tcp(port), to)]);
    const stuck = connect({ port, host: "127.0.0.1" });
    stuck.pause();
    stuck.on("error", () => undefined);
    const flood = randomBytes(1 << 20);
    for (let part = 0; part < 64; part++) stuck.write(flood);
    await sleep(300);
    for (let round = 0; round < 20; round++) assert.equal(await echoed(port, "127.0.0.1", `round ${round}`), `round ${round}`);
    const relay = relaysOf(monitorPid)[0];
    const room = Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${relay}/status`, "utf8"))?.[1]);
    if (program === native) assert.ok(room < 2000, `${room} KiB`);
    stuck.destroy();
    await end(monitor);
    server.close();
  });

  test("nobody there: the connection ends; a crowd waits for its turn", async () => {
    const port = base++;
    const { server, port: to } = await listen("127.0.0.1");
    const { monitor, monitorPid } = await start([bind(tcp(port), to), bind(tcp(port, "::1"), 1)]);
    await assert.doesNotReject(echoed(port, "::1", "").catch(() => undefined));
    const crowd = Array.from({ length: 1100 }, () => connect({ port, host: "127.0.0.1" }).on("error", () => undefined));
    let answered = 0;
    for (const socket of crowd) {
      socket.once("data", () => answered++);
      socket.write("x");
    }
    while (answered < 1024) await sleep(20);
    await sleep(200);
    assert.equal(answered, 1024);
    const relay = relaysOf(monitorPid)[0];
    assert.ok(readdirSync(`/proc/${relay}/fd`).length <= 2048 + 10);
    for (const socket of crowd.slice(0, 200)) socket.destroy();
    while (answered < 1100) await sleep(20);
    for (const socket of crowd) socket.destroy();
    assert.equal(await echoed(port, "127.0.0.1", "after"), "after");
    await end(monitor);
    server.close();
  });

  test("datagrams: each client gets its own, from the address that it has asked", async () => {
    const port = base++;
    const target = createSocket("udp4");
    const seen = new Set<number>();
    target.on("message", (message, from) => {
      seen.add(from.port);
      target.send(`re ${message}`, from.port, from.address);
    });
    target.bind(0, "127.0.0.1");
    await once(target, "listening");
    const to = target.address().port;
    const { monitor } = await start([bind(udp(port, "0.0.0.0"), to), bind(udp(port, "::"), to)]);
    const ask = async (client: UdpSocket, host: string, text: string): Promise<string> => {
      const answer = once(client, "message", { signal: AbortSignal.timeout(5000) });
      client.send(text, port, host);
      const [message, from] = await answer;
      return `${message} ${from.address}`;
    };
    const clients = Array.from({ length: 20 }, (_, index) => createSocket(index % 2 === 0 ? "udp4" : "udp6"));
    const hosts = clients.map((_, index) => (index % 2 === 0 ? `127.0.0.${index + 1}` : "::1"));
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(clients.map((client, index) => ask(client, hosts[index] ?? "", `${round} of ${index}`)));
      assert.deepEqual(
        answers,
        clients.map((_, index) => `re ${round} of ${index} ${hosts[index]}`),
      );
    }
    assert.equal(seen.size, clients.length, "one way to the container for each client");
    const big = "x".repeat(60_000);
    assert.equal(await ask(clients[0] as UdpSocket, "127.0.0.1", big), `re ${big} 127.0.0.1`);
    for (const client of clients) client.close();
    target.close();
    await end(monitor);
  });

  test("ports come and go while others are in use", async () => {
    const [first, second] = [base++, base++];
    const { server, port: to } = await listen("127.0.0.1");
    const { monitor, monitorPid } = await start([bind(tcp(first), to)]);
    await monitor.changeNetwork({ ...nothing, release: [tcp(first)], prepare: [bind(tcp(first), to)] });
    const lasting = connect({ port: first, host: "127.0.0.1" });
    lasting.write("begun");
    assert.equal(String((await once(lasting, "data"))[0]), "begun");
    await monitor.changeNetwork({ ...nothing, prepare: [bind(tcp(second), to), bind(udp(second), to)] });
    assert.equal(await echoed(second, "127.0.0.1", "second"), "second");
    await monitor.changeNetwork({ ...nothing, release: [tcp(second), udp(second), tcp(second)] });
    assert.ok(await isFree(second, "127.0.0.1"));
    await monitor.changeNetwork({ ...nothing, release: [tcp(first)] });
    assert.ok(await isFree(first, "127.0.0.1"));
    lasting.write("still");
    assert.equal(String((await once(lasting, "data"))[0]), "still");
    await monitor.changeNetwork({ ...nothing, prepare: [bind(tcp(first), to)] });
    assert.equal(await echoed(first, "127.0.0.1", "again"), "again");
    const relay = relaysOf(monitorPid)[0];
    assert.ok(relay !== undefined);
    lasting.on("error", () => undefined);
    process.kill(relay, "SIGKILL");
    while (relaysOf(monitorPid).includes(relay)) await sleep(10);
    assert.equal(await echoed(first, "127.0.0.1", "another"), "another");
    assert.notEqual(relaysOf(monitorPid)[0], relay);
    await end(monitor);
    server.close();
  });

  test("with the monitor the process goes, and the ports are free", async () => {
    const port = base++;
    const { server, port: to } = await listen("127.0.0.1");
    const plan = bench.plan(["sleep", "1000"], { prepare: [bind(tcp(port), to)] });
    const { monitor } = await bench.start(plan);
    const { pid } = await monitor.launched;
    assert.equal(await echoed(port, "127.0.0.1", "there"), "there");
    const monitorPid = Number(/PPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    const [relay] = relaysOf(monitorPid);
    assert.ok(relay !== undefined);
    process.kill(monitorPid, "SIGKILL");
    assert.equal(await monitor.exited, undefined);
    for (let round = 0; round < 100 && !(await isFree(port, "127.0.0.1")); round++) await sleep(20);
    assert.ok(await isFree(port, "127.0.0.1"));
    // Whoever is its parent now may not have looked yet.
    assert.ok(!isAlive(relay));
    await bench.kernel.run([{ op: "unlink", path: plan.socketPath }]);
    server.close();
  });
}

const sanitized = native.replace(/[^/]+$/, "berth-native-asan");
describe("relayed ports", () => relays(native));
describe("relayed ports, under sanitizers", { skip: spawnSync(sanitized).status !== 2 && "no sanitizers here" }, () => relays(sanitized));
