/** Copies of another registry's repositories: of a second registry of ours, behind a front that misbehaves as it is told. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import { mediaTypes } from "./manifest.ts";
import type { MirrorOptions } from "./mirror.ts";
import { descriptor, imageManifest, ScratchRegistry, sha256 } from "./scratch-registry.ts";
import { credentials, Front, openMirror as openMirrorOf } from "./scratch-upstream.ts";

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

const secret = `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`;
const openMirror = (more?: Partial<MirrorOptions>, prefix?: string): Promise<ScratchRegistry> => openMirrorOf(front, more, prefix);

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
  await using mirror = await ScratchRegistry.open({ now: () => time, mirror: { upstreams, tagTtlMs: 5000 } });
  front.behaviour = (_request, _response, pass) => pass();
  const get = async (): Promise<string> => (await mirror.ask("GET", "/v2/up/lib/silent/manifests/v1")).body.toString();
  assert.equal(await get(), manifest);
  time += 6000;
  front.behaviour = (_request, response) => void response.writeHead(503).end();
  front.seen = [];
  for (let count = 0; count < 5; count++) assert.equal(await get(), manifest);
  assert.equal(front.seen.length, 1, "one has asked");
  time += 6000;
  front.behaviour = (_request, _response, pass) => pass();
  const moved = await upstream.pushImage("lib/silent", "v1");
  assert.equal(await get(), moved.manifest);
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
