/** 127.0.0.11:53 in a container: questions come to the daemon and answers go to who has asked, and to nobody else. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, native } from "./busybox-containers.ts";
import type { Monitor } from "./kernel.ts";
import type { DnsQuery, LaunchFailure, LaunchPlan, NetworkChangePlan } from "./plan.ts";
import { setLink } from "./rtnetlink.ts";

/** What the asking programs have at hand. */
const prelude = `
import os, socket, struct, sys, time
server = ("127.0.0.11", 53)
def udp(seconds=5):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 4 << 20) # SO_RCVBUFFORCE: all answers are awaited at the end
    s.settimeout(seconds)
    s.connect(server)
    return s
def tcp(seconds=5):
    s = socket.socket()
    s.settimeout(seconds)
    s.connect(server)
    return s
def put(s, *messages): s.sendall(b"".join(struct.pack(">H", len(m)) + m for m in messages))
def exactly(s, count):
    got = b""
    while len(got) < count:
        part = s.recv(count - len(got))
        if not part: return None
        got += part
    return got
def take(s):
    head = exactly(s, 2)
    return head and exactly(s, struct.unpack(">H", head)[0])
`;

function relays(program: string): void {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open({ program });
  });
  after(async () => await bench[Symbol.asyncDispose]());

  const lo = { op: "netlink", protocol: 0, message: setLink(1, { up: true }), netnsFdAt: [], ignore: [] } as const;
  const plan = (dns: boolean, argv: readonly string[] = ["sleep", "1000"]): LaunchPlan => ({
    ...bench.plan(argv, { mounts: [lo, ...bench.plan([]).init.filter(({ op }) => op === "mount" || op === "device")] }),
    dns,
  });

  async function container(answer: (query: DnsQuery, monitor: Monitor) => void = echo): Promise<{ monitor: Monitor; pid: number }> {
    const monitor = await bench.kernel.launch(plan(true));
    monitor.onDnsQuery((query) => answer(query, monitor));
    const { pid } = await monitor.launched;
    await monitor.go();
    return { monitor, pid };
  }

  function echo({ id, message }: DnsQuery, monitor: Monitor): void {
    monitor.answerDns(id, Buffer.concat([Buffer.from("re "), message]));
  }

  /** Runs a Python program in the network namespace of a process, and says what it printed. */
  async function ask(pid: number, script: string): Promise<string> {
    const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, "python3", "-c", prelude + script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += String(chunk);
    });
    const [code] = await once(child, "close");
    assert.equal(code, 0, script);
    return text.trim();
  }

  async function end(monitor: Monitor): Promise<void> {
    await monitor.signal(9);
    await monitor.exited;
  }

  test("over UDP and TCP, many at a time, each asker gets its own answers", async () => {
    const seen: boolean[] = [];
    const { monitor, pid } = await container((query, to) => {
      seen.push(query.overTcp);
      echo(query, to);
    });
    const printed = await ask(
      pid,
      `
a, b = udp(), udp()
for i in range(400):
    a.send(b"a%d" % i)
    b.send(b"b%d" % i)
got = [sorted(s.recv(4096) for _ in range(400)) for s in (a, b)]
print(got == [sorted(b"re %s%d" % (n, i) for i in range(400)) for n in (b"a", b"b")])
c, d = tcp(), tcp()
put(c, *(b"c%d" % i for i in range(100)))
put(d, *(b"d%d" % i for i in range(100)))
c.shutdown(socket.SHUT_WR)
print([[take(s) for _ in range(100)] == [b"re %s%d" % (n, i) for i in range(100)] for s, n in ((c, b"c"), (d, b"d"))])
print(c.recv(1))
a.send(b"")
a.send(b"x" * 4097)
a.send(b"x" * 4096)
print(len(a.recv(5000)), a.getpeername())
for i in range(20): b.send(b"%d " % i + b"z" * 4000)
print(sorted(int(b.recv(5000)[3:].split()[0]) for _ in range(20)) == list(range(20)))
big = tcp()
put(big, *(b"%d " % i + b"y" * 65530 for i in range(3)))
got = [take(big) for _ in range(3)]
print([int(each[3:].split()[0]) for each in got] == list(range(3)), {len(each) for each in got})
for byte in b"\\0\\3abc": big.sendall(bytes([byte]))
print(take(big))
big = tcp()
big.sendall(b"\\0\\0")
print(big.recv(1))
`,
    );
    assert.deepEqual(printed.split("\n"), [
      "True",
      "[True, True]",
      "b''",
      "4099 ('127.0.0.11', 53)",
      "True",
      "True {65535}",
      "b're abc'",
      "b''",
    ]);
    assert.equal(seen.filter((overTcp) => overTcp).length, 204);
    await end(monitor);
  });

  test("no answer, late answers, answers to nobody, long answers", async () => {
    const queries: DnsQuery[] = [];
    const { monitor, pid } = await container((query, to) => {
      queries.push(query);
      const text = Buffer.from(query.message).toString();
      if (text === "none") to.answerDns(query.id, undefined);
      if (text === "long") to.answerDns(query.id, Buffer.alloc(65_535, 1));
      if (text === "longer") to.answerDns(query.id, Buffer.alloc(65_536, 1));
      if (text === "twice") for (let times = 0; times < 2; times++) to.answerDns(query.id, Buffer.from("once"));
      if (text.startsWith("other")) {
        // One that has been answered, and such as never were asked.
        for (const id of [queries[0]?.id ?? 0, 0xffff_ffff, 0x7fff_ffff, query.id ^ 1024]) to.answerDns(id, Buffer.from("wrong"));
        to.answerDns(query.id, Buffer.from("right"));
      }
    });
    const printed = await ask(
      pid,
      `
def outcome(s):
    try: return s.recv(70000)
    except TimeoutError: return "nothing"
a = udp(0.3)
a.send(b"none")
print(outcome(a))
a.send(b"twice")
print(outcome(a), outcome(a))
a.send(b"other")
print(outcome(a), outcome(a))
t = tcp()
put(t, b"none", b"long", b"other", b"twice")
print(len(take(t)), take(t), take(t))
put(t, b"longer")
print(t.recv(1))
`,
    );
    assert.deepEqual(printed.split("\n"), ["nothing", "b'once' nothing", "b'right' nothing", "65535 b'right' b'once'", "b''"]);
    await end(monitor);
  });

  test("without somebody who answers, questions wait; the next daemon gets them", async () => {
    const made = plan(true);
    const first = await bench.kernel.launch(made);
    const { pid } = await first.launched;
    await first.go();
    const asked = ask(pid, `s = udp(20)\nfor i in range(500): s.send(b"%d" % i)\nprint(len(set(s.recv(100) for _ in range(500))))`);
    await sleep(300);
    const second = await bench.kernel.adopt(made.socketPath);
    assert.ok(second !== undefined);
    await sleep(100);
    second.onDnsQuery((query) => echo(query, second));
    assert.equal(await asked, "500");
    first.release();
    await end(second);
  });

  test("what a daemon has left unanswered is forgotten", async () => {
    const late: DnsQuery[] = [];
    const made = plan(true);
    const first = await bench.kernel.launch(made);
    first.onDnsQuery((query) => late.push(query));
    const { pid } = await first.launched;
    await first.go();
    const asked = ask(
      pid,
      `
s, t = udp(20), tcp(20)
s.send(b"unanswered")
put(t, b"unanswered")
print(t.recv(1))
s.send(b"again")
print(s.recv(100))`,
    );
    while (late.length < 2) await sleep(10);
    const second = await bench.kernel.adopt(made.socketPath);
    second?.onDnsQuery((query) => {
      for (const { id } of late) second.answerDns(id, Buffer.from("late"));
      echo(query, second);
    });
    assert.equal(await asked, "b''\nb're again'");
    assert.ok(second !== undefined);
    await end(second);
  });

  test("a flood of questions and of connections holds up nothing else, and the monitor does not grow", async () => {
    let answering = false;
    const kept: DnsQuery[] = [];
    const { monitor, pid } = await container((query, to) => {
      if (answering) echo(query, to);
      else kept.push(query);
    });
    const flood = ask(
      pid,
      `
s = udp()
s.setblocking(False)
held = []
until = time.time() + 1.5
while time.time() < until:
    for i in range(200):
        try: s.send(b"q" * 500)
        except OSError: pass
    t = socket.socket()
    t.settimeout(0.2)
    try:
        t.connect(server)
        put(t, b"one", b"two")
        held.append(t)
    except OSError: t.close()
    if len(held) > 300: held.pop(0).close()
`,
    );
    // However long the flood takes to begin on a machine that is busy.
    while (kept.length < 100) await sleep(20);
    const session = await monitor.exec(bench.execPlan(["true"]));
    session.stream.resume();
    assert.equal((await session.exited).exitCode, 0);
    assert.ok(kept.length <= 1024, String(kept.length));
    const monitorPid = readFileSync(`/proc/${pid}/status`, "utf8").match(/PPid:\t(\d+)/)?.[1];
    const room = Number(readFileSync(`/proc/${monitorPid}/status`, "utf8").match(/RssAnon:\s+(\d+) kB/)?.[1]);
    if (program === native) assert.ok(room < 1500, `${room} KiB`);
    assert.ok(readdirSync(`/proc/${monitorPid}/fd`).length < 100);
    await flood;
    answering = true;
    for (const query of kept) echo(query, monitor);
    // What waited in the socket comes first.
    assert.equal(
      await ask(pid, `s = udp(20)\ntime.sleep(1)\ns.send(b"after")\nprint(s.recv(100))\nt = tcp()\nput(t, b"as well")\nprint(take(t))`),
      "b're after'\nb're as well'",
    );
    await end(monitor);
  });

  test("idle connections are closed, and a silent one gives way", async () => {
    const { monitor, pid } = await container();
    const printed = await ask(
      pid,
      `
first = tcp(30)
many = [tcp() for _ in range(64)]
put(many[-1], b"last")
print(first.recv(1), take(many[-1]))
begun = time.time()
many[-1].settimeout(30)
print(many[-1].recv(1), 9 < time.time() - begun < 17)
`,
    );
    assert.deepEqual(printed.split("\n"), ["b'' b're last'", "b'' True"]);
    await end(monitor);
  });

  test("beside a server of the container's own, which has port 53 of all addresses", async () => {
    for (const early of [true, false]) {
      const monitor = await bench.kernel.launch({ ...plan(false), dns: early });
      monitor.onDnsQuery((query) => echo(query, monitor));
      const { pid } = await monitor.launched;
      await monitor.go();
      const change = { prepare: [], hostNetwork: [], containerNetwork: [], release: [], networkCleanup: [] };
      await monitor.changeNetwork({ ...change, dns: true });
      const printed = await ask(
        pid,
        `
own = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
for s in own: s.bind(("0.0.0.0", 53))
own[1].listen()
s, t = udp(), tcp()
s.send(b"over UDP")
put(t, b"over TCP", b"y" * 1000)
print(s.recv(100), take(t), len(take(t)), t.getpeername())
any = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
any.settimeout(5)
any.sendto(b"unconnected", server)
print(any.recvfrom(100))
any.sendto(b"to my own", ("127.0.0.1", 53))
print(own[0].recvfrom(100)[0])
`,
      );
      assert.deepEqual(printed.split("\n"), [
        "b're over UDP' b're over TCP' 1003 ('127.0.0.11', 53)",
        "(b're unconnected', ('127.0.0.11', 53))",
        "b'to my own'",
      ]);
      await end(monitor);
    }
  });

  test("opened by a change, once; not for a network that is not the container's; the port is the container's otherwise", async () => {
    const monitor = await bench.kernel.launch(plan(false));
    monitor.onDnsQuery((query) => echo(query, monitor));
    const { pid } = await monitor.launched;
    await monitor.go();
    const change: NetworkChangePlan = {
      prepare: [],
      hostNetwork: [],
      containerNetwork: [],
      dns: true,
      release: [],
      networkCleanup: [],
    };
    assert.equal(await ask(pid, `s = socket.socket()\nprint(s.connect_ex(server))`), "111");
    await monitor.changeNetwork(change);
    await monitor.changeNetwork(change);
    assert.equal(await ask(pid, `s = udp()\ns.send(b"there")\nprint(s.recv(100))`), "b're there'");
    await end(monitor);
    const joined = plan(true);
    const host = await bench.kernel.launch({
      ...joined,
      clone: { ...joined.clone, newNamespaces: joined.clone.newNamespaces & ~0x40000000 },
    });
    const cause = await host.launched.then(
      () => assert.fail("was to fail"),
      (error: Error) => error.cause as LaunchFailure,
    );
    assert.deepEqual([cause.stage, cause.errno], ["dns", 22]);
    await host.exited;
  });
}

const sanitized = native.replace(/[^/]+$/, "berth-native-asan");
describe("names for a container", () => relays(native));
describe("names for a container, under sanitizers", { skip: spawnSync(sanitized).status !== 2 && "no sanitizers here" }, () =>
  relays(sanitized),
);
