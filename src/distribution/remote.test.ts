import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "../base/base.ts";
import { mediaTypes } from "../spec/spec.ts";
import { challengesOf } from "./challenges.ts";
import { credentialsOf, credentialsOfHeader } from "./credentials.ts";
import { inSubnet, proxyFor } from "./proxies.ts";
import { type Behaviour, blobOf, certificates, refuse, rough, scratch, send } from "./rough-registry.ts";
import { isOfSameSite } from "./same-site.ts";

const blob = blobOf(5000);
const config = blobOf(100, 7);
const image = {
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifest,
  config: { mediaType: mediaTypes.dockerConfig, digest: config.digest, size: config.size },
  layers: [{ mediaType: `${mediaTypes.dockerLayer}.gzip`, digest: blob.digest, size: blob.size }],
};
const text = JSON.stringify(image);
const password = { kind: "password", username: "me", password: "secret" } as const;
const asBasic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
const type = { "content-type": mediaTypes.dockerManifest };

describe("manifests", () => {
  test("by tag and by digest, as they are", async () => {
    await using registry = await rough((_, response) => send(response, 200, type, text));
    await using setting = await scratch();
    const remote = setting.remote(`${registry.host}/team/a:1`);
    const found = await remote.manifest();
    assert.equal(found.digest, digestOf(text));
    assert.equal(Buffer.from(found.bytes).toString(), text);
    assert.equal(found.content.kind, "image");
    assert.deepEqual((await remote.manifest(found.digest)).content, { kind: "image", manifest: image });
    assert.deepEqual(
      registry.seen.map(({ url }) => url),
      ["/v2/team/a/manifests/1", `/v2/team/a/manifests/${found.digest}`],
    );
    assert.match(registry.seen[0]?.headers.accept ?? "", /docker\.distribution\.manifest\.list\.v2\+json.*oci\.image\.index/);
  });

  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
  const refused: [string, unknown, string, RegExp][] = [
    [
      "both layers and manifests (CVE-2021-41190)",
      { ...image, manifests: [] },
      mediaTypes.dockerManifest,
      /has "manifests", which makes it ambiguous/,
    ],
    ["an index with layers (CVE-2021-41190)", { ...index, layers: [] }, mediaTypes.ociIndex, /has "layers", which makes it ambiguous/],
    [
      "a media type in the body that is not the header's",
      image,
      mediaTypes.ociIndex,
      /mediaType in manifest should be 'application\/vnd.oci.image.index/,
    ],
    [
      "schema 1",
      { schemaVersion: 1, fsLayers: [] },
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      /^Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed\. Suggest the author of 127/,
    ],
    [
      "a digest that is none",
      { ...image, layers: [{ ...image.layers[0], digest: "sha256:../../etc" }] },
      mediaTypes.dockerManifest,
      /layers\[0\] has an unsupported digest/,
    ],
    ["a negative size", { ...image, config: { ...image.config, size: -1 } }, mediaTypes.dockerManifest, /config has an invalid size -1/],
    ["something else", { schemaVersion: 2 }, "text/html", /unsupported manifest media type/],
    ["no object", [], mediaTypes.ociManifest, /not a JSON object/],
  ];
  for (const [name, body, contentType, message] of refused) {
    test(`refused: ${name}`, async () => {
      await using registry = await rough((_, response) => send(response, 200, { "content-type": contentType }, JSON.stringify(body)));
      await using setting = await scratch();
      await assert.rejects(setting.remote(`${registry.host}/a`).manifest(), { code: "InvalidParameter", message });
    });
  }

  test("refused: other bytes than the digest's, whatever the header says", async () => {
    const wanted = digestOf("wanted");
    await using registry = await rough((_, response) => send(response, 200, { ...type, "docker-content-digest": wanted }, text));
    await using setting = await scratch();
    await assert.rejects(setting.remote(`${registry.host}/a`).manifest(wanted), {
      code: "InvalidParameter",
      message: `manifest verification failed for digest ${wanted}`,
    });
  });

  test("without end, or a byte at a time: given up", async () => {
    await using endless = await rough((_, response) => {
      response.writeHead(200, type);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65536, " ")));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    await using slow = await rough((_, response) => {
      response.writeHead(200, type);
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    });
    await using setting = await scratch({ timings: { answerMs: 200 } });
    await assert.rejects(setting.remote(`${endless.host}/a`).manifest(), { code: "InvalidParameter", message: /more than 4194304 bytes/ });
    await assert.rejects(setting.remote(`${slow.host}/a`).manifest(), { message: /Client.Timeout exceeded while reading body/ });
  });

  test("Docker's words for what is not there, or not to be had", async () => {
    const says = async (status: number, code: string, words: string): Promise<string> => {
      await using registry = await rough((_, response) => refuse(response, status, code, words));
      await using setting = await scratch();
      const error = await setting
        .remote(`${registry.host}/a:1`)
        .manifest()
        .catch((thrown: unknown) => thrown);
      return `${(error as { code: string }).code} ${(error as Error).message}`.replaceAll(registry.host, "R");
    };
    assert.equal(
      await says(404, "MANIFEST_UNKNOWN", "manifest unknown"),
      "NotFound manifest for R/a:1 not found: manifest unknown: manifest unknown",
    );
    assert.equal(
      await says(404, "NAME_UNKNOWN", ""),
      "NotFound repository R/a not found: name unknown: repository name not known to registry",
    );
    assert.equal(
      await says(403, "DENIED", "requested access to the resource is denied"),
      "NotFound pull access denied for R/a, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    );
    assert.equal(await says(401, "UNAUTHORIZED", "authentication required"), "Unauthorized unauthorized: authentication required");
    assert.equal(
      await says(429, "TOOMANYREQUESTS", "You have reached your pull rate limit."),
      "Unavailable toomanyrequests: You have reached your pull rate limit.",
    );
    assert.equal(await says(404, "MANIFEST_UNKNOWN", "\u001b[31mred"), "NotFound manifest for R/a:1 not found: manifest unknown: [31mred");
  });
});

/** A registry that wants a token of a token server, which wants the password. */
function guarded(realm: string, inner: Behaviour, accepted: () => string = () => "good"): Behaviour {
  return (request, response, index) => {
    if (request.headers.authorization === `Bearer ${accepted()}`) return inner(request, response, index);
    return refuse(response, 401, "UNAUTHORIZED", "authentication required", {
      "www-authenticate": `Bearer realm="${realm}",service="reg",scope="repository:a:pull"`,
    });
  };
}

function tokenServer(give: () => string = () => "good"): Behaviour {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const body = Buffer.concat((await request.toArray()) as Buffer[]).toString();
    const isKnown = request.headers.authorization === asBasic || body.includes("refresh_token=refresh");
    if (!isKnown) return send(response, 401, {}, JSON.stringify({ details: "incorrect username or password" }));
    return send(response, 200, {}, JSON.stringify({ token: give(), refresh_token: "refresh", expires_in: 300 }));
  };
}

describe("authentication", () => {
  test("basic", async () => {
    await using registry = await rough((request, response) =>
      request.headers.authorization === asBasic
        ? send(response, 200, type, text)
        : refuse(response, 401, "UNAUTHORIZED", "", { "www-authenticate": 'Basic realm="x"' }),
    );
    await using setting = await scratch();
    await setting.remote(`${registry.host}/a`, password).manifest();
    await assert.rejects(setting.remote(`${registry.host}/a`).manifest(), {
      code: "Unauthorized",
      message: `Head "http://${registry.host}/v2/a/manifests/latest": no basic auth credentials`,
    });
    await assert.rejects(setting.remote(`${registry.host}/a`).hasBlob(digestOf(text)), {
      code: "Unauthorized",
      message: "no basic auth credentials",
    });
    await assert.rejects(setting.remote(`${registry.host}/a`, { ...password, password: "no" }).manifest(), { code: "Unauthorized" });
    assert.deepEqual(await setting.client.checkCredentials(registry.host, password), {});
    await assert.rejects(setting.client.checkCredentials(registry.host, { ...password, password: "no" }), {
      code: "Unauthorized",
      message: `login attempt to http://${registry.host}/v2/ failed with status: 401 Unauthorized`,
    });
  });

  test("by tokens: asked for once for a scope, kept, and renewed once when refused", async () => {
    let good = "good";
    await using tokens = await rough(tokenServer(() => good));
    await using registry = await rough(
      guarded(
        `http://${tokens.host}/token`,
        (_, response) => send(response, 200, type, text),
        () => good,
      ),
    );
    await using setting = await scratch();
    await Promise.all([1, 2, 3].map(() => setting.remote(`${registry.host}/a`, password).manifest()));
    assert.equal(tokens.seen.length, 1);
    assert.equal(tokens.seen[0]?.url, "/token?service=reg&scope=repository%3Aa%3Apull&account=me");
    good = "better";
    await setting.remote(`${registry.host}/a`, password).manifest();
    assert.equal(tokens.seen.length, 2);
    await setting.remote(`${registry.host}/a`, { kind: "identityToken", token: "refresh" }).manifest();
    assert.deepEqual([tokens.seen[2]?.method, tokens.seen[2]?.headers.authorization], ["POST", undefined]);
    await setting.remote(`${registry.host}/a`, { kind: "registryToken", token: "better" }).manifest();
    assert.equal(tokens.seen.length, 3);
    assert.deepEqual(await setting.client.checkCredentials(registry.host, password), { identityToken: "refresh" });
    await assert.rejects(setting.client.checkCredentials(registry.host, { ...password, password: "no" }), {
      code: "Unauthorized",
      message: `Get "http://${registry.host}/v2/": unauthorized: incorrect username or password`,
    });
  });

  test("who leaves does not wait for a token server that says nothing", async () => {
    await using tokens = await rough(() => undefined);
    await using registry = await rough(guarded(`http://${tokens.host}/token`, () => undefined));
    await using setting = await scratch();
    const leaving = AbortSignal.timeout(100);
    const started = performance.now();
    await assert.rejects(setting.remote(`${registry.host}/a`).manifest("1", leaving), { name: "TimeoutError" });
    {
      await using fetch = await setting.remote(`${registry.host}/a`).fetchBlob(blob, { signal: AbortSignal.timeout(100) });
      await assert.rejects(Array.fromAsync(fetch.arrival), { name: "TimeoutError" });
    }
    assert.ok(performance.now() - started < 1500);
  });

  test("a registry that refuses every token is asked three times, not for ever", async () => {
    await using tokens = await rough(tokenServer());
    await using registry = await rough(
      guarded(
        `http://${tokens.host}/token`,
        () => undefined,
        () => "none",
      ),
    );
    await using setting = await scratch();
    await assert.rejects(setting.remote(`${registry.host}/a`, password).manifest(), { code: "Unauthorized" });
    assert.equal(registry.seen.length, 3);
  });

  test("a token server by HTTP is not asked for a registry by HTTPS, nor is one that redirects followed", async () => {
    const pems = await certificates();
    await using tokens = await rough(tokenServer());
    await using elsewhere = await rough(tokenServer());
    await using redirecting = await rough((_, response) => send(response, 307, { location: `http://${elsewhere.host}/token` }));
    await using secure = await rough(
      guarded(`http://${tokens.host}/token`, () => undefined),
      pems,
    );
    await using plain = await rough(guarded(`http://${redirecting.host}/token`, () => undefined));
    await using setting = await scratch();
    await assert.rejects(setting.remote(`${secure.host}/a`, password).manifest(), { code: "Unauthorized", message: /would be by HTTP/ });
    await assert.rejects(setting.remote(`${plain.host}/a`, password).manifest(), { message: /redirects/ });
    assert.equal(tokens.seen.length, 0);
    assert.equal(elsewhere.seen.length, 0);
  });

  test("a realm of another domain sees no credentials, unless the administrator names it", async () => {
    await using tokens = await rough(tokenServer());
    // Another name for the same machine, which is nobody the registry belongs to.
    const realm = `http://127.0.0.1.nip.invalid:${tokens.port}/token`;
    await using registry = await rough(guarded(realm, (_, response) => send(response, 200, type, text)));
    await using setting = await scratch();
    for (const credentials of [password, { kind: "identityToken", token: "refresh" } as const])
      await assert.rejects(setting.remote(`${registry.host}/a`, credentials).manifest(), {
        code: "Unauthorized",
        message: new RegExp(
          `asks for credentials to be sent to 127\\.0\\.0\\.1\\.nip\\.invalid:${tokens.port}, which is of another domain`,
        ),
      });
    await assert.rejects(setting.client.checkCredentials(registry.host, password), { message: /of another domain/ });
    // Without credentials it is asked as any other; here its name leads nowhere.
    await assert.rejects(setting.remote(`${registry.host}/a`).manifest(), { message: /nip\.invalid/, code: "System" });
    setting.client.configure({ tokenServers: ["127.0.0.1.nip.invalid"] });
    await assert.rejects(setting.remote(`${registry.host}/a`, password).manifest(), { message: /nip\.invalid/, code: "System" });
    assert.equal(tokens.seen.length, 0);
  });

  test("whose host a host is", () => {
    for (const [one, other] of [
      ["auth.docker.io", "registry-1.docker.io"],
      ["gitlab.com", "registry.gitlab.com"],
      ["sso.redhat.com", "registry.connect.redhat.com"],
      ["localhost", "127.0.0.1"],
      ["[::1]", "localhost"],
      ["a.example.co.uk", "example.co.uk"],
      ["registry", "registry"],
      ["10.0.0.1", "10.0.0.1"],
    ] as const)
      assert.equal(isOfSameSite(one, other), true, `${one} ${other}`);
    for (const [one, other] of [
      ["evil.io", "docker.io"],
      ["docker.io.evil.io", "docker.io"],
      ["evildocker.io", "docker.io"],
      ["a.co.uk", "b.co.uk"],
      ["auth", "registry"],
      ["10.0.0.1", "20.0.0.1"],
      ["10.0.0.1", "10.0.0.2"],
      ["[fe80::1]", "[fe80::2]"],
      ["127.0.0.1.evil.io", "127.0.0.1"],
    ] as const)
      assert.equal(isOfSameSite(one, other), false, `${one} ${other}`);
  });

  test("credentials and tokens go to no other host, port or scheme that a redirect, an upload or a layer's urls lead to (CVE-2020-15157)", async () => {
    await using elsewhere = await rough((request, response) => {
      if (request.method === "GET") return send(response, 200, {}, blob.bytes);
      request.resume().on("end", () => send(response, 201, {}));
      return undefined;
    });
    const away = { location: `http://user:pass@${elsewhere.host}/there` };
    await using registry = await rough((request, response) => {
      if (request.headers.authorization !== asBasic)
        return refuse(response, 401, "UNAUTHORIZED", "", { "www-authenticate": 'Basic realm="x"' });
      if (request.method === "POST") return send(response, 202, away);
      if (request.method === "HEAD" || request.url?.includes("/gone/")) return refuse(response, 404, "BLOB_UNKNOWN", "");
      return send(response, 307, away);
    });
    await using setting = await scratch();
    assert.deepEqual(Buffer.from(await setting.remote(`${registry.host}/a`, password).readBlob(blob)), blob.bytes);
    const foreign = { ...blob, urls: ["file:///etc/passwd", `http://${elsewhere.host}/foreign`] };
    assert.deepEqual(Buffer.from(await setting.remote(`${registry.host}/gone/a`, password).readBlob(foreign)), blob.bytes);
    const source = { digest: blob.digest, size: blob.size, open: async () => (await import("node:stream")).Readable.from([blob.bytes]) };
    assert.equal((await setting.remote(`${registry.host}/a`, password).pushBlob(source)).kind, "pushed");
    assert.deepEqual(
      elsewhere.seen.map(({ method, url }) => `${method} ${url?.split("?")[0]}`),
      ["GET /there", "GET /foreign", "PUT /there"],
    );
    assert.ok(elsewhere.seen.every(({ headers }) => headers.authorization === undefined && headers.cookie === undefined));
  });

  test("what clients send as X-Registry-Auth", () => {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    assert.deepEqual(credentialsOfHeader(encode({ username: "me", password: "secret" })), password);
    assert.deepEqual(credentialsOfHeader(encode({ username: "me", identitytoken: "t" })), { kind: "identityToken", token: "t" });
    assert.deepEqual(credentialsOfHeader(encode({ registrytoken: "t" })), { kind: "registryToken", token: "t" });
    assert.deepEqual(credentialsOfHeader(undefined), { kind: "anonymous" });
    assert.deepEqual(credentialsOfHeader(encode({})), { kind: "anonymous" });
    assert.deepEqual(credentialsOf({ auth: Buffer.from("me:secret").toString("base64") }), password);
    assert.deepEqual(credentialsOfHeader("%%%"), { kind: "anonymous" });
  });

  test("challenges, also such as nobody should send", () => {
    assert.deepEqual(
      challengesOf('Bearer realm="https://a/t?x=\\"1\\"",service=reg , Basic realm="b, c"').map(({ scheme, parameters }) => [
        scheme,
        { ...parameters },
      ]),
      [
        ["bearer", { realm: 'https://a/t?x="1"', service: "reg" }],
        ["basic", { realm: "b, c" }],
      ],
    );
    for (const odd of ["", ",,,", "=", 'Bearer realm="', "Bearer __proto__=x", 'Bearer a="\\', "\u0000"])
      assert.ok(challengesOf(odd).length <= 1);
  });
});

describe("connections", () => {
  test("refused, unknown, not trusted, and HTTP where HTTPS was spoken: in Go's words", async () => {
    const pems = await certificates();
    await using gone = await rough(() => undefined);
    await gone[Symbol.asyncDispose]();
    await using setting = await scratch();
    await assert.rejects(setting.remote(`${gone.host}/a`).manifest(), {
      code: "System",
      message: `Get "http://${gone.host}/v2/": dial tcp ${gone.host}: connect: connection refused`,
    });
    // Verified: not by the loopback's rule, but as a mirror by a name that only we know.
    await using secure = await rough((_, response) => send(response, 200, type, text), pems);
    const { Endpoints } = await import("./endpoints.ts");
    const { Transport } = await import("./transport.ts");
    const { tlsSettings } = await import("./certificates.ts");
    const transport = new Transport(
      { connectMs: 2000, answerMs: 2000, stallMs: 300, retryMs: 10, retryAfterMs: 10, progressMs: 5, keepMs: 10 },
      "test",
      {},
    );
    const url = new URL(`https://${secure.host}/v2/`);
    const folder = join(setting.folder, "certs.d");
    const call = async (): Promise<number> => {
      const answer = await transport.call({
        method: "GET",
        url,
        headers: {},
        tls: await tlsSettings(folder, secure.host, { verify: true }),
      });
      answer.body.resume();
      return answer.status;
    };
    await assert.rejects(call(), { message: "tls: failed to verify certificate: x509: certificate signed by unknown authority" });
    await mkdir(join(folder, secure.host), { recursive: true });
    await writeFile(join(folder, secure.host, "ca.crt"), pems.ca);
    assert.equal(await call(), 200);
    await writeFile(join(folder, secure.host, "client.cert"), pems.cert);
    await assert.rejects(call(), {
      message: "missing key client.key for client certificate client.cert. CA certificates must use the extension .crt",
    });
    await using plain = await rough((_, response) => send(response, 200, {}));
    const tls = await new Endpoints({}).tls(new URL(`https://${plain.host}`));
    await assert.rejects(transport.call({ method: "GET", url: new URL(`https://${plain.host}/v2/`), headers: {}, tls }), {
      message: "http: server gave HTTP response to HTTPS client",
    });
    transport.close();
  });

  test("the loopback is asked by HTTPS, whoever has signed for it, then by HTTP; one that has answered by HTTPS never is", async () => {
    const pems = await certificates();
    await using secure = await rough((_, response, index) => (index === 0 ? send(response, 200, type, text) : response.destroy()), pems);
    await using setting = await scratch();
    const remote = setting.remote(`${secure.host}/a`);
    await remote.manifest();
    await assert.rejects(remote.manifest(), { message: /^Get "https:/ });
  });

  test("are kept, also past refusals and redirects, and made anew where the server has closed them", async () => {
    await using registry = await rough((request, response) => {
      if (request.url?.includes("/manifests/1")) return refuse(response, 404, "MANIFEST_UNKNOWN", "");
      if (request.url?.includes("/manifests/2")) return send(response, 307, { location: "/v2/a/manifests/3" });
      return send(response, 200, type, text);
    });
    await using setting = await scratch({ timings: { retryMs: 5000 } });
    const remote = setting.remote(`${registry.host}/a`);
    await remote.manifest();
    const count = registry.connections.length;
    for (const which of ["1", "2", "3"]) await remote.manifest(which).catch(() => undefined);
    assert.equal(registry.connections.length, count);
    // As a server does that has come to its own limit just when a request is on its way.
    for (const socket of registry.connections) socket.prependOnceListener("data", () => socket.resetAndDestroy());
    await remote.manifest();
    assert.equal(registry.connections.length, count + 1);
  });

  test("certs.d is read again when it changes, and only then made anew", async () => {
    const pems = await certificates();
    await using setting = await scratch();
    const { Endpoints } = await import("./endpoints.ts");
    const folder = join(setting.folder, "certs.d", "registry.test");
    const endpoints = new Endpoints({ certificates: join(setting.folder, "certs.d") });
    const url = new URL("https://registry.test");
    const before = await endpoints.tls(url);
    assert.equal(before.verify, true);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "ca.crt"), pems.ca);
    assert.equal(await endpoints.tls(url), before, "read a moment ago");
    await sleep(1050);
    const after = await endpoints.tls(url);
    assert.notEqual(after, before);
    await sleep(1050);
    assert.equal(await endpoints.tls(url), after, "nothing has changed");
  });

  test("mirrors come first, are told whose content is wanted, see no credentials, and are passed over when they fail", async () => {
    await using mirror = await rough((request, response) =>
      request.url?.includes("/manifests/")
        ? send(response, 200, type, text)
        : refuse(response, 401, "UNAUTHORIZED", "", { "www-authenticate": 'Basic realm="x"' }),
    );
    await using registry = await rough((request, response) =>
      request.headers.authorization === asBasic
        ? send(response, 200, {}, blob.bytes)
        : refuse(response, 401, "UNAUTHORIZED", "", { "www-authenticate": 'Basic realm="x"' }),
    );
    await using setting = await scratch({ mirrors: { [registry.host]: ["http://127.0.0.1:1", `http://${mirror.host}/prefix/`] } });
    const remote = setting.remote(`${registry.host}/a`, password);
    await remote.manifest();
    assert.deepEqual(Buffer.from(await remote.readBlob(blob)), blob.bytes);
    assert.deepEqual(
      mirror.seen.map(({ url }) => url),
      [
        `/prefix/v2/a/manifests/latest?ns=${encodeURIComponent(registry.host)}`,
        `/prefix/v2/a/blobs/${blob.digest}?ns=${encodeURIComponent(registry.host)}`,
      ],
    );
    assert.ok(mirror.seen.every(({ headers }) => headers.authorization === undefined));
    await assert.rejects(scratch({ registryMirrors: ["ftp://x"] }), {
      code: "InvalidParameter",
      message: 'invalid mirror: unsupported scheme "ftp" in "ftp://x"',
    });
    await assert.rejects(scratch({ registryMirrors: ["http://a:b@x"] }), { message: /username\/password not allowed/ });
  });

  test("mirrors of Docker Hub, as registry-mirrors of daemon.json", async () => {
    await using mirror = await rough((_, response) => send(response, 200, type, text));
    await using setting = await scratch({ registryMirrors: [`http://${mirror.host}`] });
    await setting.remote("busybox", password).manifest();
    assert.equal(mirror.seen.at(-1)?.url, "/v2/library/busybox/manifests/latest");
    assert.equal(mirror.seen.at(-1)?.headers.authorization, undefined);
  });

  test("a token that lacks a scope is a denial, in the challenge's words", async () => {
    await using tokens = await rough(tokenServer());
    await using registry = await rough((request, response) => {
      const lacks = request.headers.authorization === undefined ? "" : ',error="insufficient_scope"';
      refuse(response, 401, "UNAUTHORIZED", "", { "www-authenticate": `Bearer realm="http://${tokens.host}/t",service="s"${lacks}` });
    });
    await using setting = await scratch();
    await assert.rejects(setting.remote(`${registry.host}/a`, password).manifest(), {
      code: "NotFound",
      message: `pull access denied for ${registry.host}/a, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    });
  });

  test("proxies: HTTP by its full address, HTTPS through CONNECT, and not for those who are excepted", async () => {
    const pems = await certificates();
    const lines: string[] = [];
    const upstreams = new Map<string, number>();
    const proxy = createTcpServer((socket: Socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (head: Buffer) => {
        const line = head.toString().split("\r\n")[0] ?? "";
        lines.push(line);
        const isConnect = line.startsWith("CONNECT ");
        const target = connect(upstreams.get(isConnect ? "https" : "http") ?? 1, "127.0.0.1", () => {
          if (isConnect) socket.write("HTTP/1.1 200 OK\r\n\r\n");
          else target.write(head);
          socket.pipe(target).pipe(socket);
        });
        target.on("error", () => socket.destroy());
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(proxy.address() as { port: number }).port}`;
    await using secure = await rough((_, response) => send(response, 200, type, text), pems);
    await using plain = await rough((_, response) => send(response, 200, type, text));
    upstreams.set("https", secure.port).set("http", plain.port);
    await using setting = await scratch({
      proxies: { httpProxy: address, httpsProxy: address, noProxy: "not.test" },
      mirrors: { "plain.test": ["http://plain.test"] },
    });
    await mkdir(join(setting.folder, "certs.d", "registry.test"), { recursive: true });
    await writeFile(join(setting.folder, "certs.d", "registry.test", "ca.crt"), pems.ca);
    await setting.remote("registry.test/a").manifest();
    await setting.remote("plain.test/a").manifest();
    await assert.rejects(setting.remote("not.test/a").manifest(), /no such host|name resolution/);
    assert.deepEqual(lines, ["CONNECT registry.test:443 HTTP/1.1", "GET http://plain.test/v2/a/manifests/latest?ns=plain.test HTTP/1.1"]);
    await setting.client[Symbol.asyncDispose]();
    proxy.close();
  });

  test("whom a proxy leads to, as Go has it", () => {
    const by = (url: string, noProxy = ""): string | undefined =>
      proxyFor(new URL(url), { httpProxy: "p:1", httpsProxy: "http://q:2", noProxy });
    assert.equal(by("http://a.test"), "http://p:1");
    assert.equal(by("https://a.test"), "http://q:2");
    for (const local of ["http://localhost:5000", "http://127.0.0.5", "http://[::1]:1"]) assert.equal(by(local), undefined);
    for (const except of ["*", "a.test", "test", ".test", "*.test", "b, a.test:443"])
      assert.equal(by("https://a.test", except), undefined, except);
    for (const other of ["b.test", ".a.test", "a.test:80", "10.0.0.0/8", "est"])
      assert.equal(by("https://a.test", other), "http://q:2", other);
    assert.equal(by("https://10.1.2.3", "10.0.0.0/8"), undefined);
    assert.equal(inSubnet("::ffff", "::/64"), true);
    assert.equal(inSubnet("10.0.0.1", "nonsense/99"), false);
  });
});
