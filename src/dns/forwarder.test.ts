import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type DnsClient, hostServersFile, openResolver, type Resolver, type Upstream } from "./dns.ts";
import { type Asked, ask, type Reply, readReply } from "./sample-message.ts";
import { answerTo, type Behaviour, questionOf, SampleServer } from "./sample-server.ts";

const address = "192.0.2.1";
const right: Behaviour = ({ packet }) => answerTo(packet, { addresses: [address] });
const dead: Behaviour = () => undefined;
const after =
  (ms: number, then: Behaviour): Behaviour =>
  async (received) => {
    await sleep(ms);
    return then(received);
  };

function client(upstreams: DnsClient["upstreams"], id = "c"): DnsClient {
  return { id, scopes: [], upstreams, ndotsSet: false };
}

let names = 0;

interface Timed extends Reply {
  readonly ms: number;
  readonly bytes: Uint8Array;
}

/** Asks for a name that nobody has asked for yet, unless `asked` names one. */
async function asks(resolver: Resolver, of: DnsClient, asked: Partial<Asked> = {}, overTcp = false): Promise<Timed> {
  const since = performance.now();
  const answer = await resolver.answer(of, ask({ name: `n${++names}.example.test`, type: "A", ...asked }), overTcp);
  assert.ok(answer !== undefined);
  return { ...readReply(answer), ms: performance.now() - since, bytes: answer };
}

/** Upstreams that behave so, and a resolver. */
async function setting(...behaviours: Behaviour[]) {
  const stack = new AsyncDisposableStack();
  const servers: SampleServer[] = [];
  for (const behaviour of behaviours) servers.push(stack.use(await SampleServer.listen(behaviour)));
  const resolver = openResolver();
  stack.defer(() => resolver.close());
  const upstreams = servers.map(({ upstream }): Upstream => upstream);
  const [first] = servers;
  assert.ok(first !== undefined);
  return { resolver, servers, first, of: client(upstreams), [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("questions for others", () => {
  test("are put under another id, and the answer has the asker's id and spelling", async () => {
    await using all = await setting(right);
    const reply = await asks(all.resolver, all.of, { name: "Www.Example.TEST", id: 0x4711, udpLimit: 4096, dnssecOk: true });
    assert.deepEqual([reply.id, reply.code, reply.question, reply.data], [0x4711, 0, "Www.Example.TEST", [address]]);
    await asks(all.resolver, all.of);
    const [one, two] = all.first.received;
    assert.ok(one?.from && two?.from);
    assert.ok(one.packet.readUInt16BE(0) !== two.packet.readUInt16BE(0) || one.from.port !== two.from.port);
    // 1232 bytes over UDP, DO, and nothing else.
    assert.deepEqual([...one.packet.subarray(-11)], [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]);
    assert.equal(two.packet.length, 12 + questionOf(two.packet).length);
  });

  test("over IPv6", async () => {
    await using server = await SampleServer.listen(right, "::1");
    const resolver = openResolver();
    assert.deepEqual((await asks(resolver, client([server.upstream]))).data, [address]);
    resolver.close();
  });

  test("from the list that the host has, what is no address in it passed over", async () => {
    const resolver = openResolver({ hostServers: async () => ["localhost", "127.0.0.1"] });
    // Nobody listens on port 53 here, or somebody does: an answer in either case.
    const reply = await asks(resolver, client("host"), { name: "localhost.invalid" });
    assert.ok([2, 3, 5].includes(reply.code));
    resolver.close();
    const nameless = openResolver({ hostServers: async () => ["localhost"] });
    const none = await asks(nameless, client("host"));
    assert.ok(none.code === 2 && none.ms < 100);
    nameless.close();
  });

  test("without upstreams nothing is sent: SERVFAIL at once, and not a promise", async () => {
    await using all = await setting(right);
    const reply = all.resolver.answer(client([]), ask({ name: "secret.example.test", type: "A" }), false);
    assert.ok(reply instanceof Uint8Array);
    assert.equal(readReply(reply).code, 2);
    await sleep(50);
    assert.equal(all.first.received.length, 0);
    // Nor is what another container has asked told to it.
    await asks(all.resolver, all.of, { name: "secret.example.test" });
    const again = all.resolver.answer(client([]), ask({ name: "secret.example.test", type: "A" }), false);
    assert.ok(again instanceof Uint8Array && readReply(again).code === 2);
  });
});

describe("several upstreams", () => {
  test("ten, one of them dead, wherever it is: no stall over 100 ms, and soon none at all", async () => {
    for (const place of [0, 4]) {
      await using all = await setting(...Array.from({ length: 10 }, (_, index) => (index === place ? dead : right)));
      const times: number[] = [];
      for (let round = 0; round < 30; round++) {
        const reply = await asks(all.resolver, all.of);
        assert.deepEqual(reply.data, [address]);
        times.push(reply.ms);
      }
      assert.ok(Math.max(...times) < 100, `${times}`);
      await sleep(1100);
      const later = await asks(all.resolver, all.of);
      assert.ok(later.ms < 20, `${later.ms}`);
    }
  });

  test("one dead, and the answer is that there is no such name: no stall over 100 ms either", async () => {
    const none: Behaviour = ({ packet }) => answerTo(packet, { code: 3, negativeTtl: 0 });
    await using all = await setting(dead, none, none);
    const times: number[] = [];
    for (let round = 0; round < 10; round++) {
      const reply = await asks(all.resolver, all.of);
      assert.equal(reply.code, 3);
      times.push(reply.ms);
    }
    // A busy machine may hold up one or another; waiting for the dead one would hold up all.
    assert.ok(times.filter((ms) => ms >= 120).length <= 2, times.join());
  });

  test("a dead one that is alive again is asked again", async () => {
    await using all = await setting(dead, right);
    await asks(all.resolver, all.of);
    await sleep(1100);
    all.first.behaviour = right;
    await asks(all.resolver, all.of);
    const before = all.first.received.length;
    await sleep(2000);
    await asks(all.resolver, all.of);
    await sleep(20);
    await asks(all.resolver, all.of);
    assert.ok(all.first.received.length >= before + 2, `${before} ${all.first.received.length}`);
  });

  test("a closed port, SERVFAIL and REFUSED lead to the next one at once", async () => {
    const gone = await SampleServer.listen(dead);
    await gone[Symbol.asyncDispose]();
    const failing: Behaviour = ({ packet }) => answerTo(packet, { code: 2 });
    const refusing: Behaviour = ({ packet }) => answerTo(packet, { code: 5 });
    await using all = await setting(failing, refusing, right);
    const reply = await asks(all.resolver, client([gone.upstream, ...(all.of.upstreams as Upstream[])]));
    assert.deepEqual(reply.data, [address]);
    assert.ok(reply.ms < 40, `${reply.ms}`);
    const [first, second] = all.servers;
    assert.ok(first && second);
    const none = await asks(all.resolver, client([first.upstream, second.upstream]));
    assert.deepEqual([none.code, none.data], [2, []]);
    const closed = await asks(all.resolver, client([gone.upstream]));
    assert.ok(closed.code === 2 && closed.ms < 100, `${closed.code} ${closed.ms}`);
  });

  test("the first of the list knows better, if it is alive: its answer counts though a later one says no sooner", async () => {
    const none: Behaviour = ({ packet }) => answerTo(packet, { code: 3, negativeTtl: 5 });
    await using all = await setting(after(70, right), none);
    const reply = await asks(all.resolver, all.of);
    assert.deepEqual(reply.data, [address]);
  });

  test("a first one that answers gets all of the questions", async () => {
    await using all = await setting(right, right);
    for (let round = 0; round < 20; round++) await asks(all.resolver, all.of);
    assert.equal(all.servers[1]?.received.length, 0);
  });

  test("a lost packet is sent again; who never gets an answer gets SERVFAIL after five seconds", async () => {
    let lost = 0;
    await using all = await setting((received) => (lost++ === 0 ? undefined : right(received)));
    const reply = await asks(all.resolver, all.of);
    assert.deepEqual(reply.data, [address]);
    assert.ok(reply.ms > 1000 && reply.ms < 2000, `${reply.ms}`);
    all.first.behaviour = dead;
    const never = await asks(all.resolver, all.of);
    assert.equal(never.code, 2);
    assert.ok(never.ms > 4500 && never.ms < 6000, `${never.ms}`);
  });
});

describe("what is not believed", () => {
  const lie = "203.0.113.66";
  const lying = (packet: Buffer): Buffer => answerTo(packet, { addresses: [lie] });
  const wrong: Record<string, (packet: Buffer) => Uint8Array> = {
    "another id": (packet) => {
      const answer = lying(packet);
      answer.writeUInt16BE(answer.readUInt16BE(0) ^ 1, 0);
      return answer;
    },
    "another name": (packet) => {
      const answer = lying(packet);
      answer[13] = 0x7a;
      return answer;
    },
    "another type": (packet) => {
      const answer = lying(packet);
      answer[12 + questionOf(packet).length - 3] = 28;
      return answer;
    },
    "no question": (packet) => Buffer.concat([packet.subarray(0, 2), Buffer.from("81800000000000000000", "hex")]),
    "a question": (packet) => packet,
    garbage: (packet) => Buffer.concat([packet.subarray(0, 2), Buffer.alloc(300, 0x81)]),
    "a record that is cut off": (packet) => lying(packet).subarray(0, -1),
    "a pointer to itself": (packet) => {
      const answer = lying(packet);
      answer.writeUInt16BE(0xc000 | (12 + questionOf(packet).length), 12 + questionOf(packet).length);
      return answer;
    },
    "a pointer forward": (packet) => {
      const answer = lying(packet);
      answer.writeUInt16BE(0xc000 | (answer.length - 1), 12 + questionOf(packet).length);
      return answer;
    },
    nothing: () => new Uint8Array(0),
  };

  for (const [what, make] of Object.entries(wrong)) {
    test(`${what}: passed over, and the right answer after it is taken`, async () => {
      await using all = await setting((received) => {
        received.send(make(received.packet));
        return after(10, right)(received);
      });
      assert.deepEqual((await asks(all.resolver, all.of)).data, [address]);
    });
  }

  test("packets of others, whatever they know: from another port, and from another address", async () => {
    const others = [createSocket("udp4").bind(0, "127.0.0.1"), createSocket("udp4").bind(0, "127.0.0.2")];
    await Promise.all(others.map((socket) => once(socket, "listening")));
    await using all = await setting(({ packet, from }) => {
      for (const socket of others) socket.send(lying(packet), from?.port, from?.address);
      return after(20, right)({ packet, overTcp: false, send: () => {} });
    });
    assert.deepEqual((await asks(all.resolver, all.of)).data, [address]);
    for (const socket of others) socket.close();
  });
});

describe("long answers", () => {
  const many = Array.from({ length: 200 }, (_, index) => `10.0.0.${index}`);
  const long: Behaviour = ({ packet, overTcp }) => answerTo(packet, overTcp ? { addresses: many } : { truncated: true });

  test("who asks over UDP is told to come over TCP, and gets all there", async () => {
    await using all = await setting(long);
    const short = await asks(all.resolver, all.of, { name: "many.test" });
    assert.deepEqual([short.truncated, short.data], [true, []]);
    const whole = await asks(all.resolver, all.of, { name: "many.test" }, true);
    assert.deepEqual([whole.truncated, whole.data], [false, many]);
    // What is known by now is too long for this asker, and is nevertheless not cut silently.
    const again = await asks(all.resolver, all.of, { name: "many.test" });
    assert.deepEqual([again.truncated, again.length <= 512, again.data], [true, true, []]);
    assert.deepEqual(
      all.first.received.map(({ overTcp }) => overTcp),
      [false, false, true],
    );
  });

  test("an answer over TCP is believed no more than one over UDP; the next server is asked", async () => {
    const lying: Behaviour = (received) =>
      received.overTcp ? answerTo(Buffer.from(received.packet).fill(0, 0, 2), { addresses: many }) : long(received);
    const hangingUp: Behaviour = ({ packet, overTcp }) => (overTcp ? new Uint8Array(0) : answerTo(packet, { truncated: true }));
    await using all = await setting(lying, hangingUp, long);
    assert.deepEqual((await asks(all.resolver, all.of, {}, true)).data, many);
  });
});

describe("what is kept", () => {
  test("answers, for as long as they say; the time that is left is told", async () => {
    await using all = await setting(({ packet }) => answerTo(packet, { addresses: [address], ttl: 2 }));
    for (const name of ["keep.test", "KEEP.test"]) assert.equal((await asks(all.resolver, all.of, { name })).question, name);
    assert.equal(all.first.received.length, 1);
    await sleep(1050);
    const [record] = (await asks(all.resolver, all.of, { name: "keep.test" })).answers;
    assert.deepEqual([record?.ttl, all.first.received.length], [1, 1]);
    await sleep(1000);
    await asks(all.resolver, all.of, { name: "keep.test" });
    assert.equal(all.first.received.length, 2);
  });

  test("that there is no such name, as the SOA record has it; without one, and errors, not", async () => {
    const codes = [{ code: 3, negativeTtl: 5 }, { code: 0, negativeTtl: 5 }, { code: 3, negativeTtl: 0 }, { code: 3 }, { code: 2 }];
    const asked: number[] = [];
    for (const how of codes) {
      await using all = await setting(({ packet }) => answerTo(packet, how));
      for (let round = 0; round < 2; round++) assert.equal((await asks(all.resolver, all.of, { name: "none.test" })).code, how.code);
      asked.push(all.first.received.length);
    }
    assert.deepEqual(asked, [1, 1, 2, 2, 2]);
  });

  test("for those alone who have the same upstreams, and ask in the same way", async () => {
    await using all = await setting(right, ({ packet }) => answerTo(packet, { addresses: ["192.0.2.2"] }));
    const [one, two] = all.servers;
    assert.ok(one && two);
    const name = "split.test";
    assert.deepEqual((await asks(all.resolver, client([one.upstream]), { name })).data, [address]);
    assert.deepEqual((await asks(all.resolver, client([two.upstream]), { name })).data, ["192.0.2.2"]);
    await asks(all.resolver, client([one.upstream], "another"), { name });
    assert.equal(one.received.length, 1);
    await asks(all.resolver, client([one.upstream]), { name, udpLimit: 1232 });
    await asks(all.resolver, client([one.upstream]), { name, udpLimit: 1232, dnssecOk: true });
    assert.equal(one.received.length, 3);
  });

  test("the same question of several is put once", async () => {
    await using all = await setting(after(50, right));
    const replies = await Promise.all(Array.from({ length: 20 }, (_, id) => asks(all.resolver, all.of, { name: "same.test", id })));
    assert.deepEqual(
      replies.map(({ id }) => id),
      Array.from({ length: 20 }, (_, id) => id),
    );
    assert.equal(all.first.received.length, 1);
  });
});

describe("limits", () => {
  test("of questions under way, for each container and for all; beyond, SERVFAIL at once", async () => {
    await using all = await setting(after(300, right));
    const { upstreams } = all.of;
    const begin = (id: string, count: number) => Array.from({ length: count }, () => asks(all.resolver, client(upstreams, id)));
    const mine = begin("a", 300);
    const others = [...begin("b", 256), ...begin("c", 256), ...begin("d", 256), ...begin("e", 50)];
    const codes = (await Promise.all(mine)).map(({ code, ms }) => [code, ms] as const);
    assert.equal(codes.filter(([code]) => code === 0).length, 256);
    assert.ok(codes.filter(([code]) => code === 2).every(([, ms]) => ms < 250));
    const rest = (await Promise.all(others)).map(({ code }) => code);
    assert.equal(rest.filter((code) => code === 0).length, 768);
    // All places are free again.
    assert.equal((await asks(all.resolver, client(upstreams, "a"))).code, 0);
  });

  test("no socket stays open: of answered questions, of unanswered ones, of those over TCP", async () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    // Over TCP only the connection comes about.
    const cutting: Behaviour = ({ packet, overTcp }) => (overTcp ? undefined : answerTo(packet, { truncated: true }));
    await using all = await setting(dead, right, cutting);
    const before = open();
    const [first, second, third] = all.servers.map(({ upstream }) => client([upstream]));
    assert.ok(first && second && third);
    const asking = [all.of, first, second, third].flatMap((of) => [asks(all.resolver, of), asks(all.resolver, of, {}, true)]);
    await Promise.all(asking);
    await sleep(1200);
    // The connection that the sample server holds goes a moment after ours.
    assert.ok(open() <= before, `${open()} ${before}`);
  });

  test("closing ends what is under way", async () => {
    await using all = await setting(dead);
    const reply = asks(all.resolver, all.of);
    await sleep(20);
    all.resolver.close();
    const { code, ms } = await reply;
    assert.ok(code === 2 && ms < 500, `${code} ${ms}`);
    assert.equal((await asks(all.resolver, all.of)).code, 2);
  });
});

test("the host's resolvers are read again when the file changes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "resolv-"));
  const path = join(folder, "resolv.conf");
  const servers = hostServersFile(path);
  assert.deepEqual(await servers(), ["8.8.8.8", "8.8.4.4"]);
  await writeFile(path, "# one\nnameserver 192.0.2.1\nnameserver nowhere\n nameserver 2001:db8::1 \n");
  await sleep(1050);
  assert.deepEqual(await servers(), ["192.0.2.1", "2001:db8::1"]);
  await writeFile(path, "nameserver 192.0.2.9\n");
  await utimes(path, 1, 1);
  assert.deepEqual(await servers(), ["192.0.2.1", "2001:db8::1"]);
  await sleep(1050);
  assert.deepEqual(await servers(), ["192.0.2.9"]);
  await rm(folder, { recursive: true });
});
