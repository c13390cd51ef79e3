/** Blobs that come from an upstream: read as they arrive, gone on with, verified. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MirrorOptions } from "./mirror.ts";
import { ScratchRegistry, sha256 } from "./scratch-registry.ts";
import { type Behaviour, Front, openMirror as openMirrorOf } from "./scratch-upstream.ts";

let upstream: ScratchRegistry;
let front: Front;
before(async () => {
  upstream = await ScratchRegistry.open();
  front = await Front.open(upstream.port);
});
after(async () => {
  await front[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const openMirror = (more?: Partial<MirrorOptions>, prefix?: string): Promise<ScratchRegistry> => openMirrorOf(front, more, prefix);
/** Sends so much and closes; has no more of it for who asks for the rest. */
function breakingOff(bytes: Buffer, announced: number): Behaviour {
  return (request, response) => {
    if (request.headers.range !== undefined) return void response.writeHead(503).end();
    response.writeHead(200, { "Content-Length": announced });
    // What is not read yet when a connection breaks is lost.
    response.write(bytes, () => setTimeout(() => response.destroy(), 200));
  };
}

const isBlob = (request: IncomingMessage): boolean => /\/blobs\//.test(request.url ?? "");

describe("blobs on their way", () => {
  const data = randomBytes(3_000_000);
  const digest = sha256(data);
  const path = `/v2/up/big/blobs/${digest}`;
  before(() => upstream.pushBlob("big", data));

  test("many ask at once, the upstream is asked once, and everybody reads as it arrives", async () => {
    await using mirror = await openMirror();
    let release: () => void = () => undefined;
    front.behaviour = (_request, response) => {
      response.writeHead(200, { "Content-Length": data.length });
      response.write(data.subarray(0, 1_000_000));
      release = () => response.end(data.subarray(1_000_000));
    };
    let early = 0;
    const read = (): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const chunks: Buffer[] = [];
        httpRequest({ host: "127.0.0.1", port: mirror.port, path, agent: false }, (answer) => {
          answer.on("data", (chunk: Buffer) => {
            early += chunk.length;
            chunks.push(chunk);
          });
          answer.on("end", () => resolve(Buffer.concat(chunks)));
          answer.on("error", reject);
        })
          .on("error", reject)
          .end();
      });
    const readers = [1, 2, 3, 4].map(read);
    for (let tries = 0; early < 4_000_000 && tries < 500; tries++) await sleep(10);
    assert.equal(early, 4_000_000, "what has arrived is passed on");
    release();
    for (const body of await Promise.all(readers)) assert.ok(body.equals(data));
    assert.equal(front.seen.length, 1);
  });

  test("an upstream that resets is asked for the rest", async () => {
    for (const knowsRanges of [true, false]) {
      await using mirror = await openMirror();
      let resets = 0;
      front.behaviour = (request, response) => {
        const start = knowsRanges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
        const headers = { "Content-Length": data.length - start };
        if (start === 0) response.writeHead(200, headers);
        else response.writeHead(206, { ...headers, "Content-Range": `bytes ${start}-${data.length - 1}/${data.length}` });
        if (++resets > 3) response.end(data.subarray(start));
        else response.write(data.subarray(start, start + 300_000 * resets), () => setTimeout(() => response.destroy(), 50));
      };
      const answer = await mirror.ask("GET", path);
      assert.ok(answer.body.equals(data));
      assert.equal(front.seen.length, 4);
      if (knowsRanges) assert.ok(front.seen.slice(1).every(({ range }) => /^bytes=[1-9]\d*-$/.test(range ?? "")));
    }
  });

  test("a part that is wanted is sent when it arrives, its last byte when the whole is right", async () => {
    await using mirror = await openMirror();
    let release: () => void = () => undefined;
    front.behaviour = (_request, response) => {
      response.writeHead(200, { "Content-Length": data.length });
      response.write(data.subarray(0, 2_000_000));
      release = () => response.end(data.subarray(2_000_000));
    };
    const chunks: Buffer[] = [];
    const headers = { Range: "bytes=500000-999999" };
    const ended = new Promise<number | undefined>((resolve, reject) => {
      httpRequest({ host: "127.0.0.1", port: mirror.port, path, headers, agent: false }, (answer) => {
        answer.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => resolve(answer.statusCode));
      })
        .on("error", reject)
        .end();
    });
    const arrived = (): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    for (let tries = 0; arrived() < 499_999 && tries < 500; tries++) await sleep(10);
    assert.equal(arrived(), 499_999);
    release();
    assert.equal(await ended, 206);
    assert.ok(Buffer.concat(chunks).equals(data.subarray(500_000, 1_000_000)));
    front.behaviour = () => assert.fail("it is here");
    assert.equal((await mirror.ask("GET", path, { headers: { "If-None-Match": `"${digest}"` } })).status, 304);
  });

  test("what has come of a blob stays when its upstream fails or the registry ends, and only the rest is asked for", async () => {
    const half = 1_500_000;
    const stall: Behaviour = (_request, response) => {
      response.writeHead(200, { "Content-Length": data.length });
      response.write(data.subarray(0, half));
    };
    const cases: [string, Behaviour, (mirror: ScratchRegistry) => Promise<void>][] = [
      ["fails for long", breakingOff(data.subarray(0, half), data.length), async () => undefined],
      ["fails, then a restart", breakingOff(data.subarray(0, half), data.length), restart],
      ["a restart on the way", stall, restart],
    ];
    async function restart(mirror: ScratchRegistry): Promise<void> {
      await mirror.stop();
      await mirror.start();
    }
    for (const [name, behaviour, between] of cases) {
      const isOnTheWay = name === "a restart on the way";
      await using mirror = await openMirror();
      front.behaviour = behaviour;
      const client = httpRequest({ host: "127.0.0.1", port: mirror.port, path, agent: false });
      const broken = new Promise((resolve) => {
        client.on("error", resolve);
        client.on("response", (answer) =>
          answer
            .on("error", resolve)
            .on("end", () => resolve("whole"))
            .resume(),
        );
      });
      client.end();
      if (isOnTheWay) {
        const sizes = async (): Promise<number> =>
          (await stat(join(mirror.root, "uploads", (await mirror.filesOf("uploads"))[0] ?? ""))).size;
        while ((await sizes()) < half) await sleep(10);
        // The one who asked has left; the registry would wait for him.
        client.destroy();
      }
      assert.notEqual(await broken, "whole");
      await between(mirror);
      assert.equal((await mirror.filesOf("uploads")).length, 1, name);
      await mirror.running.collectGarbage();
      front.behaviour = (_request, _response, pass) => pass();
      front.seen = [];
      assert.ok((await mirror.ask("GET", path)).body.equals(data));
      assert.deepEqual(
        front.seen.map(({ range }) => range),
        [`bytes=${half}-`],
        name,
      );
      assert.deepEqual(await mirror.filesOf("uploads"), []);
    }
  });

  test("what was left of a blob and is wrong goes; the next to ask gets it anew", async () => {
    await using mirror = await openMirror();
    front.behaviour = breakingOff(Buffer.from("wrong"), data.length);
    await assert.rejects(mirror.ask("GET", path));
    front.behaviour = (_request, _response, pass) => pass();
    await assert.rejects(mirror.ask("GET", path), "it never is whole");
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
  });

  test("a blob of which only the end was not written down is not asked for again", async () => {
    await using mirror = await openMirror();
    front.behaviour = breakingOff(data, data.length + 1);
    await assert.rejects(mirror.ask("GET", path));
    front.behaviour = (_request, _response, pass) => pass();
    front.seen = [];
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
    assert.deepEqual(
      front.seen.map(({ range }) => range),
      [`bytes=${data.length}-`],
    );
  });

  test("wrong bytes are never whole at a client, and do not stay", async () => {
    const wrong = Buffer.from(data);
    wrong[1000] = (wrong[1000] ?? 0) ^ 1;
    for (const body of [wrong, data.subarray(0, -1), Buffer.concat([data, Buffer.from("x")])]) {
      await using mirror = await openMirror();
      front.behaviour = (_request, response) => void response.writeHead(200, { "Content-Length": body.length }).end(body);
      const outcome = await mirror.ask("GET", path).then(
        (answer) => `whole ${answer.status} ${answer.body.length}`,
        () => "broken off",
      );
      assert.equal(outcome, "broken off");
      assert.deepEqual([await mirror.filesOf("blobs"), await mirror.filesOf("uploads")], [[], []]);
    }
  });

  test("a client waits as long as its upstream takes", async () => {
    const upstreams = new Map([["up", new URL(front.url)]]);
    await using mirror = await ScratchRegistry.open({ idleMs: 700, mirror: { upstreams, idleMs: 30_000 } });
    front.behaviour = (_request, response) => {
      setTimeout(() => {
        response.writeHead(200, { "Content-Length": data.length });
        response.write(data.subarray(0, 1_000_000));
        setTimeout(() => response.end(data.subarray(1_000_000)), 1000);
      }, 1000);
    };
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
  });

  test("an upstream that stalls is left, in the end with an error", async () => {
    await using mirror = await openMirror({ idleMs: 500 });
    let asked = 0;
    front.behaviour = (request, response, pass) => {
      if (++asked > 1) return pass();
      response.writeHead(200, { "Content-Length": data.length });
      response.write(data.subarray(0, 1000));
      assert.ok(isBlob(request));
    };
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
    front.behaviour = () => undefined;
    const never = await mirror.ask("GET", `/v2/up/big/blobs/${sha256("never")}`);
    assert.equal(never.status, 502);
    assert.deepEqual(await mirror.filesOf("uploads"), []);
  });

  test("without a length, and by Range, it is served when it is here", async () => {
    await using mirror = await openMirror();
    front.behaviour = (_request, response) => {
      response.write(data.subarray(0, 10));
      response.end(data.subarray(10));
    };
    const answer = await mirror.ask("GET", path, { headers: { Range: "bytes=5-9" } });
    assert.deepEqual([answer.status, answer.body], [206, data.subarray(5, 10)]);
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
    assert.equal(front.seen.length, 1);
  });

  test("a 429 is waited for, when it is not for long", async () => {
    await using mirror = await openMirror();
    let asked = 0;
    front.behaviour = (_request, response, pass) => (++asked > 1 ? pass() : void response.writeHead(429, { "Retry-After": "0" }).end());
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
    front.behaviour = (_request, response) => void response.writeHead(429, { "Retry-After": "3600" }).end();
    const busy = await mirror.ask("GET", `/v2/up/big/blobs/${sha256("busy")}`);
    assert.deepEqual([busy.status, busy.headers["retry-after"]], [429, "3600"]);
  });
});
