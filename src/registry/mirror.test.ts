/** Copies of another registry's repositories: of a second registry of ours, behind a front that misbehaves as it is told. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { mediaTypes } from "./manifest.ts";
import type { MirrorOptions } from "./mirror.ts";
import { descriptor, imageManifest, ScratchRegistry, sha256 } from "./scratch-registry.ts";

/** What the front does with a request; `pass` asks the registry behind it and answers with that. */
type Behaviour = (request: IncomingMessage, response: ServerResponse, pass: () => void) => void;

class Front implements AsyncDisposable {
  readonly #server: Server;
  readonly host: string;
  behaviour: Behaviour = (_request, _response, pass) => pass();
  /** `METHOD path` of what came. */
  seen: { readonly line: string; readonly authorization: string | undefined; readonly range: string | undefined }[] = [];

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.host = host;
  }

  static async open(port: number | undefined, host = "127.0.0.1"): Promise<Front> {
    const server = createServer((request, response) => {
      const { authorization, range } = request.headers;
      front.seen.push({ line: `${request.method} ${request.url}`, authorization, range });
      response.on("error", () => undefined);
      front.behaviour(request, response, () => {
        const { host: _, ...headers } = request.headers;
        const onward = httpRequest({ host: "127.0.0.1", port, method: request.method, path: request.url, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
        onward.on("error", () => response.destroy());
        request.pipe(onward);
      });
    });
    const front = new Front(server, host);
    server.listen(0, host);
    await once(server, "listening");
    return front;
  }

  get url(): string {
    return `http://${this.host}:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

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

const credentials = { user: "sailor", password: "secret" };
const secret = `Basic ${Buffer.from("sailor:secret").toString("base64")}`;

/** A registry that copies what is behind the front to `up/`. */
function openMirror(more: Partial<MirrorOptions> = {}, prefix = "up"): Promise<ScratchRegistry> {
  front.behaviour = (_request, _response, pass) => pass();
  front.seen = [];
  const upstreams = new Map([[prefix, new URL(front.url)]]);
  return ScratchRegistry.open({
    mirror: { upstreams, tagTtlMs: 0, idleMs: 300, retryDelayMs: 5, credentialsFor: () => credentials, ...more },
  });
}

const isBlob = (request: IncomingMessage): boolean => /\/blobs\//.test(request.url ?? "");

describe("copies", () => {
  test("an image is asked for once, by whatever name for its registry", async () => {
    const { digest, blobs, manifest } = await upstream.pushImage("lib/image", "v1");
    await using mirror = await openMirror({ tagTtlMs: 60_000 });
    for (const path of ["/v2/up/lib/image/", "/v2/lib/image/"]) {
      const query = path.startsWith("/v2/up") ? "" : "?ns=up";
      for (const reference of ["v1", digest])
        assert.equal((await mirror.ask("GET", `${path}manifests/${reference}${query}`)).body.toString(), manifest);
      for (const blob of blobs) {
        const answer = await mirror.ask("GET", `${path}blobs/${blob}${query}`);
        assert.deepEqual([answer.status, sha256(answer.body), answer.headers["docker-content-digest"]], [200, blob, blob]);
      }
    }
    const asked = front.seen.map(({ line }) => line.replace(/sha256:.*/, "…"));
    assert.deepEqual(asked, [
      "HEAD /v2/lib/image/manifests/v1",
      "GET /v2/lib/image/manifests/…",
      ...blobs.map(() => "GET /v2/lib/image/blobs/…"),
    ]);
    assert.deepEqual(await mirror.filesOf("uploads"), []);
  });

  test("its names are not mixed with others, nor pushed to", async () => {
    await upstream.pushImage("lib/mine", "v1");
    await using mirror = await openMirror();
    await mirror.pushImage("lib/mine", "own");
    assert.equal((await mirror.ask("GET", "/v2/lib/mine/manifests/own?ns=up")).status, 404);
    assert.equal((await mirror.ask("GET", "/v2/lib/mine/manifests/own?ns=other.example")).status, 404);
    assert.equal((await mirror.ask("GET", "/v2/lib/mine/manifests/v1")).status, 404);
    for (const path of ["/v2/up/lib/mine/blobs/uploads/", "/v2/lib/mine/blobs/uploads/?ns=up"]) {
      const answer = await mirror.ask("POST", path);
      assert.deepEqual([answer.status, answer.json.errors?.[0]?.code], [403, "DENIED"]);
    }
    assert.equal((await mirror.putManifest("up/lib/mine", "v1", imageManifest(["{}"]))).status, 403);
  });

  test("with no prefix, names that nobody pushed to are the upstream's", async () => {
    await upstream.pushImage("hub/one", "v1");
    await upstream.pushImage("hub/two", "v1");
    await using mirror = await openMirror({}, "");
    await mirror.pushImage("hub/two", "own");
    assert.equal((await mirror.ask("GET", "/v2/hub/one/manifests/v1")).status, 200);
    assert.equal((await mirror.ask("GET", "/v2/hub/two/manifests/v1")).status, 404);
    assert.equal((await mirror.ask("POST", "/v2/hub/one/blobs/uploads/")).status, 403);
  });

  test("a tag that moved is seen when its time is over; one that is gone is gone", async () => {
    const first = await upstream.pushImage("lib/moves", "v1");
    await using mirror = await openMirror();
    const seen = async (): Promise<unknown> => (await mirror.ask("HEAD", "/v2/up/lib/moves/manifests/v1")).headers["docker-content-digest"];
    assert.equal(await seen(), first.digest);
    const second = await upstream.pushImage("lib/moves", "v1");
    assert.equal(await seen(), second.digest);
    await upstream.ask("DELETE", "/v2/lib/moves/manifests/v1");
    assert.equal(await seen(), undefined);
    assert.equal((await mirror.ask("GET", `/v2/up/lib/moves/manifests/${first.digest}`)).status, 200, "what has a digest stays");
  });

  test("without its upstream, what is here is served", async () => {
    const { manifest, blobs } = await upstream.pushImage("lib/off", "v1", 1);
    await using mirror = await openMirror();
    const [blob, other = ""] = blobs;
    await mirror.ask("GET", "/v2/up/lib/off/manifests/v1");
    await mirror.ask("GET", `/v2/up/lib/off/blobs/${blob}`);
    for (const behaviour of [
      (_: unknown, response: ServerResponse) => response.destroy(),
      (_: unknown, response: ServerResponse) => response.writeHead(503).end(),
      (_: unknown, response: ServerResponse) => response.writeHead(429, { "Retry-After": "999" }).end(),
    ]) {
      front.behaviour = behaviour;
      assert.equal((await mirror.ask("GET", "/v2/up/lib/off/manifests/v1")).body.toString(), manifest);
      assert.deepEqual((await mirror.ask("GET", "/v2/up/lib/off/tags/list")).json["tags"], ["v1"]);
      assert.equal((await mirror.ask("GET", `/v2/up/lib/off/blobs/${blob}`)).status, 200);
      assert.ok([502, 429].includes((await mirror.ask("GET", "/v2/up/lib/never/tags/list")).status));
      const missing = await mirror.ask("GET", `/v2/up/lib/off/blobs/${other}`);
      assert.ok([502, 429].includes(missing.status), `${missing.status}`);
    }
  });

  test("tags and referrers are the upstream's", async () => {
    const { digest, manifest } = await upstream.pushImage("lib/lists", "a");
    await upstream.putManifest("lib/lists", "b", manifest);
    await upstream.pushBlob("lib/lists", "{}");
    const sbom = JSON.stringify(
      imageManifest(["{}"], { subject: { mediaType: mediaTypes.ociManifest, digest, size: 1 }, artifactType: "x/sbom" }),
    );
    await upstream.putManifest("lib/lists", sha256(sbom), sbom);
    await using mirror = await openMirror();
    const page = await mirror.ask("GET", "/v2/up/lib/lists/tags/list?n=1");
    assert.deepEqual([page.json["tags"], page.headers.link], [["a"], '</v2/up/lib/lists/tags/list?n=1&last=a>; rel="next"']);
    const expected = [{ ...descriptor(mediaTypes.ociManifest, sbom), artifactType: "x/sbom" }];
    assert.deepEqual((await mirror.ask("GET", `/v2/up/lib/lists/referrers/${digest}?artifactType=x/sbom`)).json["manifests"], expected);
    assert.deepEqual((await mirror.ask("GET", `/v2/up/lib/lists/referrers/${digest}?artifactType=x/other`)).json["manifests"], []);
    // An upstream without the API keeps them under a tag.
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: expected };
    await upstream.putManifest("lib/lists", digest.replace(":", "-"), index);
    front.behaviour = (request, response, pass) => (/referrers/.test(request.url ?? "") ? response.writeHead(404).end() : pass());
    assert.deepEqual((await mirror.ask("GET", `/v2/up/lib/lists/referrers/${digest}`)).json["manifests"], expected);
  });
});

test("several upstreams beside own pushes: what one does not answer is no matter for the others", async () => {
  await using second = await ScratchRegistry.open();
  await using secondFront = await Front.open(second.port);
  await using third = await ScratchRegistry.open();
  const images = new Map<string, { readonly manifest: string; readonly blobs: string[] }>();
  for (const [prefix, registry] of [
    ["up", upstream],
    ["second", second],
    ["", third],
  ] as const)
    images.set(prefix === "" ? "several/x" : `${prefix}/several/x`, await registry.pushImage("several/x", "v1"));
  const upstreams = new Map([
    ["up", new URL(front.url)],
    ["second", new URL(secondFront.url)],
    ["", new URL(`http://127.0.0.1:${third.port}`)],
  ]);
  await using mirror = await openMirror({ upstreams, tagTtlMs: 0 });
  images.set("own/x", await mirror.pushImage("own/x", "v1"));
  const readAll = async (): Promise<void> => {
    const reading = [...images].map(async ([name, { manifest, blobs }]) => {
      assert.equal((await mirror.ask("GET", `/v2/${name}/manifests/v1`)).body.toString(), manifest, name);
      for (const blob of blobs) assert.equal(sha256((await mirror.ask("GET", `/v2/${name}/blobs/${blob}`)).body), blob, name);
    });
    await Promise.all(reading);
  };
  await readAll();
  front.behaviour = (_request, response) => void response.destroy();
  await readAll();
  // The second begins to say that there is too much of it, and then no more.
  let refused = 0;
  secondFront.behaviour = (_request, response, pass) =>
    ++refused > 3 ? pass() : void response.writeHead(429, { "Retry-After": "999" }).end();
  await readAll();
  await mirror.pushImage("own/y", "v1");
  const moved = await second.pushImage("several/x", "v1");
  images.set("second/several/x", moved);
  while (refused <= 3) await mirror.ask("GET", "/v2/second/several/x/manifests/v1");
  await readAll();
  const catalog = (await mirror.ask("GET", "/v2/_catalog")).json["repositories"];
  assert.deepEqual(catalog, ["own/x", "own/y", "second/several/x", "several/x", "up/several/x"]);
});

test("an upstream that has failed is not waited for by everybody", async () => {
  const { manifest } = await upstream.pushImage("lib/silent", "v1");
  let time = 1_000_000;
  const upstreams = new Map([["up", new URL(front.url)]]);
  await using mirror = await ScratchRegistry.open({ now: () => time, mirror: { upstreams, tagTtlMs: 5000, idleMs: 100 } });
  front.behaviour = (_request, _response, pass) => pass();
  const get = async (): Promise<string> => (await mirror.ask("GET", "/v2/up/lib/silent/manifests/v1")).body.toString();
  assert.equal(await get(), manifest);
  time += 6000;
  front.behaviour = () => undefined;
  front.seen = [];
  for (let count = 0; count < 5; count++) assert.equal(await get(), manifest);
  assert.equal(front.seen.length, 1, "one has waited");
  time += 6000;
  front.behaviour = (_request, _response, pass) => pass();
  const moved = await upstream.pushImage("lib/silent", "v1");
  assert.equal(await get(), moved.manifest);
});

describe("blobs on their way", () => {
  const data = randomBytes(3_000_000);
  const digest = sha256(data);
  const path = `/v2/up/big/blobs/${digest}`;
  before(() => upstream.pushBlob("big", data));

  test("many ask at once, the upstream is asked once, and everybody reads as it arrives", async () => {
    await using mirror = await openMirror({ idleMs: 5000 });
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

  test("what has come of a blob stays when its upstream fails or the registry ends, and only the rest is asked for", async () => {
    const half = 1_500_000;
    const sendHalf: Behaviour = (request, response) => {
      if (request.headers.range !== undefined) return void response.writeHead(503).end();
      response.writeHead(200, { "Content-Length": data.length });
      response.write(data.subarray(0, half));
    };
    const cases: [string, Behaviour, (mirror: ScratchRegistry) => Promise<void>][] = [
      [
        "fails for long",
        (request, response, pass) => {
          sendHalf(request, response, pass);
          setTimeout(() => response.destroy(), 50);
        },
        async () => undefined,
      ],
      ["fails, then a restart", sendHalf, restart],
      ["a restart on the way", sendHalf, restart],
    ];
    async function restart(mirror: ScratchRegistry): Promise<void> {
      await mirror.stop();
      await mirror.start();
    }
    for (const [name, behaviour, between] of cases) {
      const isOnTheWay = name === "a restart on the way";
      await using mirror = await openMirror({ idleMs: isOnTheWay ? 60_000 : 200 });
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
    await using mirror = await openMirror({ idleMs: 100 });
    front.behaviour = (request, response) => {
      if (request.headers.range !== undefined) return void response.writeHead(503).end();
      response.writeHead(200, { "Content-Length": data.length }).write("wrong");
    };
    await assert.rejects(mirror.ask("GET", path));
    front.behaviour = (_request, _response, pass) => pass();
    await assert.rejects(mirror.ask("GET", path), "it never is whole");
    assert.ok((await mirror.ask("GET", path)).body.equals(data));
  });

  test("a blob of which only the end was not written down is not asked for again", async () => {
    await using mirror = await openMirror({ idleMs: 100 });
    front.behaviour = (request, response) => {
      if (request.headers.range !== undefined) return void response.writeHead(503).end();
      // One byte more is announced than there is.
      response.writeHead(200, { "Content-Length": data.length + 1 }).write(data);
    };
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

  test("an upstream that stalls is left, in the end with an error", async () => {
    await using mirror = await openMirror({ idleMs: 100 });
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

describe("credentials", () => {
  const body = Buffer.from("behind a login");
  const path = `/v2/up/login/blobs/${sha256(body)}`;
  before(() => upstream.pushBlob("login", body));

  test("basic ones are said to the upstream when it asks, and not along a redirect", async () => {
    await using other = await Front.open(upstream.port, "127.0.0.2");
    await using mirror = await openMirror();
    front.behaviour = (request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(401, { "WWW-Authenticate": 'Basic realm="x"' }).end();
      else response.writeHead(307, { Location: `${other.url}${request.url}` }).end();
    };
    assert.ok((await mirror.ask("GET", path)).body.equals(body));
    assert.deepEqual(
      front.seen.map(({ authorization }) => authorization),
      [undefined, secret],
    );
    assert.deepEqual(
      other.seen.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  test("a token service of another host gets none; its token goes to the upstream alone", async () => {
    await using service = await Front.open(undefined, "127.0.0.2");
    await using elsewhere = await Front.open(upstream.port, "127.0.0.3");
    await using mirror = await openMirror();
    service.behaviour = (_request, response) => void response.end(JSON.stringify({ token: "t0ken", expires_in: 300 }));
    front.behaviour = (request, response) => {
      const challenge = `Bearer realm="${service.url}/token",service="s",scope="repository:login:pull"`;
      if (request.headers.authorization !== "Bearer t0ken") response.writeHead(401, { "WWW-Authenticate": challenge }).end();
      else response.writeHead(302, { Location: `${elsewhere.url}${request.url}` }).end();
    };
    assert.ok((await mirror.ask("GET", path)).body.equals(body));
    assert.deepEqual(service.seen, [
      { line: `GET /token?service=s&scope=${encodeURIComponent("repository:login:pull")}`, authorization: undefined, range: undefined },
    ]);
    assert.deepEqual(
      elsewhere.seen.map(({ authorization }) => authorization),
      [undefined],
    );
    assert.equal((await mirror.ask("HEAD", `/v2/up/login/blobs/${sha256("other")}`)).status, 404, "the token is kept");
    assert.equal(service.seen.length, 1);
  });

  test("a token service on the upstream's own host gets them", async () => {
    await using mirror = await openMirror();
    front.behaviour = (request, response, pass) => {
      if ((request.url ?? "").startsWith("/token")) response.end(JSON.stringify({ access_token: "own" }));
      else if (request.headers.authorization === "Bearer own") pass();
      else response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${front.url}/token",service="s"` }).end();
    };
    assert.ok((await mirror.ask("GET", path)).body.equals(body));
    assert.deepEqual(
      front.seen.map(({ authorization }) => authorization),
      [undefined, secret, "Bearer own"],
    );
  });

  test("an upstream that denies, whatever it is asked with", async () => {
    await using mirror = await openMirror();
    for (const challenge of ['Basic realm="x"', 'Bearer realm="ftp://x/"', 'Bearer realm="http://127.0.0.1:1/"', "Digest x", ""]) {
      front.behaviour = (_request, response) => void response.writeHead(401, { "WWW-Authenticate": challenge }).end();
      const answer = await mirror.ask("GET", path);
      assert.ok([403, 502].includes(answer.status), `${challenge}: ${answer.status}`);
    }
  });

  test("a redirect that never ends, or leads to no web address", async () => {
    await using mirror = await openMirror({ retryDelayMs: 1 });
    for (const location of ["/v2/again", "file:///etc/passwd", "http://"]) {
      front.behaviour = (_request, response) => void response.writeHead(302, { Location: location }).end();
      assert.equal((await mirror.ask("GET", path)).status, 502);
    }
  });
});

test("manifests that are not what they say are not kept", async () => {
  const { digest, manifest } = await upstream.pushImage("lib/lies", "v1");
  await using mirror = await openMirror();
  const ambiguous = JSON.stringify({ ...JSON.parse(manifest), manifests: [] });
  for (const [body, headers] of [
    [`${manifest} `, { "Docker-Content-Digest": digest }],
    ["x".repeat(5 << 20), {}],
    [ambiguous, { "Docker-Content-Digest": sha256(ambiguous) }],
  ] as const) {
    front.behaviour = (_request, response) =>
      void response.writeHead(200, { "Content-Type": mediaTypes.ociManifest, ...headers }).end(body);
    for (const reference of ["v1", digest]) assert.equal((await mirror.ask("GET", `/v2/up/lib/lies/manifests/${reference}`)).status, 502);
  }
  front.behaviour = (_request, _response, pass) => pass();
  assert.equal((await mirror.ask("GET", "/v2/up/lib/lies/manifests/v1")).body.toString(), manifest);
});
