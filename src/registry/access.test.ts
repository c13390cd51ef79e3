/** Who is let in: the password file, tokens, TLS; and what strangers cannot do. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get as secureGet } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { checkBcrypt, isBcryptHash, makeBcrypt } from "./bcrypt.ts";
import { openRegistry } from "./open.ts";
import { type Answer, ScratchRegistry, sha256 } from "./scratch-registry.ts";

let folder: string;
before(() => {
  folder = mkdtempSync("/var/tmp/berth-test-access-");
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Made by crypt(3) of libxcrypt; the second and third are of the test vectors that OpenBSD's and Openwall's bcrypt share. */
const hashes = [
  ["berth", "$2b$04$abcdefghijklmnopqrstuuSMffXuQG3uO/6Y4rItKWVIUNEP6McsC"],
  ["U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
  ["", "$2y$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."],
  [`пароль ☃ ${"x".repeat(80)}`, "$2b$04$......................OI8s1X22F291HjkwIopTg21j1BZmUgG"],
] as const;

const basic = (user: string, password: string): { Authorization: string } => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const codeOf = (answer: Answer): string | undefined => answer.json.errors?.[0]?.code;

describe("bcrypt", () => {
  for (const [password, hash] of hashes) {
    test(`what crypt(3) made of ${JSON.stringify(password.slice(0, 20))}`, async () => {
      assert.ok(isBcryptHash(hash));
      assert.equal(await checkBcrypt(password, hash), true);
      assert.equal(await checkBcrypt(`${password}.`.slice(-70), hash), false);
      assert.equal(
        await checkBcrypt(
          password,
          hash.replace(/.$/, (last) => (last === "O" ? "e" : "O")),
        ),
        false,
      );
    });
  }

  test("what is made here is as good", async () => {
    for (const password of ["berth", "", `пароль ☃`]) {
      const hash = await makeBcrypt(password, 4);
      assert.match(hash, /^\$2y\$04\$[./A-Za-z0-9]{53}$/);
      assert.deepEqual([await checkBcrypt(password, hash), await checkBcrypt(`${password}.`, hash)], [true, false]);
    }
  });

  test("other hashes are none of bcrypt's", () => {
    for (const hash of [
      "",
      "{SHA}x",
      "$apr1$x$y",
      "$2y$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
      "$2y$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ])
      assert.equal(isBcryptHash(hash), false);
  });
});

describe("htpasswd", () => {
  test("users of the file, and nobody else", async () => {
    const file = join(folder, "users");
    writeFileSync(file, `# people\nsailor:${hashes[0][1]}\nU:${hashes[1][1]}\n`);
    await using registry = await ScratchRegistry.open({ access: { kind: "htpasswd", file, realm: "harbour" } });
    for (const headers of [
      {},
      basic("sailor", "wrong"),
      basic("nobody", "berth"),
      { Authorization: "Basic !" },
      { Authorization: "Bearer x" },
    ]) {
      const answer = await registry.ask("GET", "/v2/", { headers });
      assert.deepEqual([answer.status, codeOf(answer)], [401, "UNAUTHORIZED"]);
      assert.equal(answer.headers["www-authenticate"], 'Basic realm="harbour", charset="UTF-8"');
    }
    const digest = sha256("x");
    assert.equal((await registry.ask("POST", `/v2/a/blobs/uploads/?digest=${digest}`, { body: "x" })).status, 401);
    const headers = basic("sailor", "berth");
    assert.equal((await registry.ask("POST", `/v2/a/blobs/uploads/?digest=${digest}`, { body: "x", headers })).status, 201);
    assert.equal((await registry.ask("GET", `/v2/a/blobs/${digest}`, { headers: basic("U", "U*U") })).status, 200);
    // A user who is taken out of the file is out when it is read again.
    writeFileSync(file, `U:${hashes[1][1]}\n`);
    assert.equal((await registry.ask("GET", "/v2/", { headers })).status, 200);
    registry.running.reload();
    assert.equal((await registry.ask("GET", "/v2/", { headers })).status, 401);
    writeFileSync(file, "broken\n");
    registry.running.reload();
    assert.equal((await registry.ask("GET", "/v2/", { headers: basic("U", "U*U") })).status, 200);
  });

  test("who guesses is told to wait; who is known is not", async () => {
    const file = join(folder, "guessed");
    writeFileSync(file, `sailor:${hashes[0][1]}\n`);
    await using registry = await ScratchRegistry.open({ access: { kind: "htpasswd", file, realm: "r" } });
    assert.equal((await registry.ask("GET", "/v2/", { headers: basic("sailor", "berth") })).status, 200);
    const statuses: number[] = [];
    for (let guess = 0; guess < 12; guess++)
      statuses.push((await registry.ask("GET", "/v2/", { headers: basic("sailor", `${guess}`) })).status);
    assert.deepEqual(statuses, [...Array<number>(10).fill(401), 429, 429]);
    assert.equal((await registry.ask("GET", "/v2/", { headers: basic("sailor", "berth") })).status, 200);
  });

  test("a file with weaker hashes is refused at start", async () => {
    const file = join(folder, "weak");
    writeFileSync(file, "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
    await assert.rejects(ScratchRegistry.open({ access: { kind: "htpasswd", file, realm: "r" } }), /:1: only bcrypt hashes/);
  });
});

describe("tokens", () => {
  const keys = {
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    EdDSA: generateKeyPairSync("ed25519"),
  };
  const options = { kind: "token", realm: "https://auth.example/token", service: "harbour", issuer: "harbourmaster" } as const;
  const now = (): number => Math.floor(Date.now() / 1000);

  const token = (algorithm: string, claims: object, key?: KeyObject): string => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const data = `${part({ typ: "JWT", alg: algorithm })}.${part({ iss: "harbourmaster", aud: "harbour", exp: now() + 300, ...claims })}`;
    if (key === undefined) return `${data}.${Buffer.from("none").toString("base64url")}`;
    const signature = sign(algorithm === "EdDSA" ? null : "sha256", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" });
    return `${data}.${signature.toString("base64url")}`;
  };
  const bearer = (text: string): { headers: { Authorization: string } } => ({ headers: { Authorization: `Bearer ${text}` } });
  const access = (...entries: [string, string[]][]): object => ({
    access: entries.map(([name, actions]) => ({ type: "repository", name, actions })),
  });

  const open = (): Promise<ScratchRegistry> => {
    const keyFile = join(folder, "keys.pem");
    writeFileSync(
      keyFile,
      Object.values(keys)
        .map(({ publicKey }) => publicKey.export({ type: "spki", format: "pem" }))
        .join(""),
    );
    return ScratchRegistry.open({ access: { ...options, keyFile } });
  };

  test("the challenge says where to get which token", async () => {
    await using registry = await open();
    const challenge = async (method: string, path: string, question = {}): Promise<unknown> => {
      const answer = await registry.ask(method, path, question);
      assert.equal(answer.status, 401);
      return answer.headers["www-authenticate"];
    };
    const start = 'Bearer realm="https://auth.example/token",service="harbour"';
    assert.equal(await challenge("GET", "/v2/"), start);
    assert.equal(await challenge("GET", "/v2/a/b/tags/list"), `${start},scope="repository:a/b:pull"`);
    assert.equal(await challenge("PUT", "/v2/a/b/manifests/x"), `${start},scope="repository:a/b:pull,push"`);
    assert.equal(await challenge("DELETE", "/v2/a/b/manifests/x"), `${start},scope="repository:a/b:delete"`);
    assert.equal(await challenge("GET", "/v2/_catalog"), `${start},scope="registry:catalog:*"`);
    assert.equal(
      await challenge("POST", `/v2/a/blobs/uploads/?mount=${sha256("x")}&from=b/c`),
      `${start},scope="repository:a:pull,push repository:b/c:pull"`,
    );
    const pull = bearer(token("ES256", access(["a", ["pull"]]), keys.ES256.privateKey));
    assert.equal(
      await challenge("POST", "/v2/a/blobs/uploads/", pull),
      `${start},scope="repository:a:pull,push",error="insufficient_scope"`,
    );
  });

  test("signed by any of the keys, for what it says", async () => {
    await using registry = await open();
    const digest = sha256("x");
    for (const [algorithm, { privateKey }] of Object.entries(keys)) {
      const push = bearer(token(algorithm, access([`repo/${algorithm.toLowerCase()}`, ["pull", "push"]]), privateKey));
      const path = `/v2/repo/${algorithm.toLowerCase()}/blobs`;
      assert.equal((await registry.ask("GET", "/v2/", push)).status, 200, algorithm);
      assert.equal((await registry.ask("POST", `${path}/uploads/?digest=${digest}`, { body: "x", ...push })).status, 201, algorithm);
      assert.equal((await registry.ask("GET", `${path}/${digest}`, push)).status, 200);
      assert.equal((await registry.ask("DELETE", `${path}/${digest}`, push)).status, 401);
      assert.equal((await registry.ask("GET", `/v2/other/blobs/${digest}`, push)).status, 401);
      assert.equal((await registry.ask("GET", "/v2/_catalog", push)).status, 401);
    }
    const all = token("RS256", { access: [{ type: "registry", name: "catalog", actions: ["*"] }] }, keys.RS256.privateKey);
    assert.equal((await registry.ask("GET", "/v2/_catalog", bearer(all))).status, 200);
  });

  test("tokens that are not valid open nothing", async () => {
    await using registry = await open();
    const { privateKey } = keys.ES256;
    const pull = access(["a", ["pull"]]);
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const good = token("ES256", pull, privateKey);
    const [head = "", body = "", signature = ""] = good.split(".");
    const bad: Record<string, string> = {
      expired: token("ES256", { ...pull, exp: now() - 120 }, privateKey),
      "not yet": token("ES256", { ...pull, nbf: now() + 120 }, privateKey),
      "without end": token("ES256", { ...pull, exp: undefined }, privateKey),
      "another service's": token("ES256", { ...pull, aud: ["other"] }, privateKey),
      "another issuer's": token("ES256", { ...pull, iss: "other" }, privateKey),
      "a stranger's": token("ES256", pull, stranger),
      none: token("none", pull),
      "of another algorithm": token("HS256", pull),
      "changed after signing": `${head}.${body.slice(0, -2)}AA.${signature}`,
      "with another head": `${Buffer.from('{"alg":"RS256"}').toString("base64url")}.${body}.${signature}`,
      "no JSON": `AAAA.${body}.${signature}`,
    };
    for (const [name, text] of Object.entries(bad)) {
      const answer = await registry.ask("GET", "/v2/a/tags/list", bearer(text));
      assert.equal(answer.status, 401, name);
      assert.match(String(answer.headers["www-authenticate"]), /error="invalid_token"/, name);
    }
    assert.equal((await registry.ask("GET", "/v2/a/tags/list", bearer(good))).status, 404);
    assert.equal(
      (await registry.ask("GET", "/v2/a/tags/list", bearer(token("ES256", { ...pull, aud: ["x", "harbour"] }, privateKey)))).status,
      404,
    );
  });

  test("a blob of a repository that may not be read is not mounted", async () => {
    await using registry = await open();
    const { privateKey } = keys.EdDSA;
    const digest = sha256("secret");
    const owner = bearer(token("EdDSA", access(["private", ["pull", "push"]]), privateKey));
    assert.equal((await registry.ask("POST", `/v2/private/blobs/uploads/?digest=${digest}`, { body: "secret", ...owner })).status, 201);
    const thief = bearer(token("EdDSA", access(["mine", ["pull", "push"]]), privateKey));
    for (const query of [`mount=${digest}&from=private`, `mount=${digest}`])
      assert.equal((await registry.ask("POST", `/v2/mine/blobs/uploads/?${query}`, thief)).status, 202, query);
    assert.equal((await registry.ask("GET", `/v2/mine/blobs/${digest}`, thief)).status, 404);
    const friend = bearer(token("EdDSA", access(["mine", ["pull", "push"]], ["private", ["pull"]]), privateKey));
    assert.equal((await registry.ask("POST", `/v2/mine/blobs/uploads/?mount=${digest}&from=private`, friend)).status, 201);
  });

  test("a private key is not taken for a public one", async () => {
    const keyFile = join(folder, "private.pem");
    writeFileSync(keyFile, keys.EdDSA.privateKey.export({ type: "pkcs8", format: "pem" }));
    assert.ok(createPrivateKey(readFileSync(keyFile)));
    await assert.rejects(ScratchRegistry.open({ access: { ...options, keyFile } }), /a private key/);
  });
});

test("read-only: nothing is taken or deleted", async () => {
  await using registry = await ScratchRegistry.open();
  const { digest } = await registry.pushImage("a", "v1");
  await registry.stop();
  const address = { host: "127.0.0.1", port: 0 };
  await using running = await openRegistry({ root: registry.root, address, gcIntervalMs: 0, readOnly: true });
  const { ask } = await import("./scratch-registry.ts");
  assert.equal((await ask(running.port, "GET", "/v2/a/manifests/v1")).status, 200);
  for (const [method, path] of [
    ["POST", "/v2/a/blobs/uploads/"],
    ["PUT", "/v2/a/manifests/v2"],
    ["DELETE", "/v2/a/manifests/v1"],
    ["DELETE", `/v2/a/manifests/${digest}`],
    ["DELETE", `/v2/a/blobs/${digest}`],
  ] as const) {
    const answer = await ask(running.port, method, path, { body: "x" });
    assert.deepEqual([answer.status, codeOf(answer)], [405, "UNSUPPORTED"], `${method} ${path}`);
  }
});

test("TLS, with another certificate after a reload", async () => {
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const make = (name: string): void => {
    const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", keyFile, "-out", certFile];
    execFileSync("openssl", ["req", "-x509", "-days", "2", ...key, ...subject], { stdio: "ignore" });
  };
  make("first");
  await using registry = await ScratchRegistry.open({ tls: { certFile, keyFile } });
  const nameSeen = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: registry.port, path: "/v2/", rejectUnauthorized: false, agent: false } as const;
      secureGet(options, (answer) => {
        const { CN } = (answer.socket as TLSSocket).getPeerCertificate().subject;
        answer.resume().on("end", () => resolve(answer.statusCode === 200 ? String(CN) : `status ${answer.statusCode}`));
      }).on("error", reject);
    });
  assert.equal(await nameSeen(), "first");
  make("second");
  registry.running.reload();
  assert.equal(await nameSeen(), "second");
  writeFileSync(certFile, "broken");
  registry.running.reload();
  assert.equal(await nameSeen(), "second");
});

describe("clients that mean harm", () => {
  /** Everything that comes back until the server closes. */
  const raw = (port: number, text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(text));
      let seen = "";
      socket.on("data", (chunk) => {
        seen += chunk.toString("latin1");
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(seen));
    });

  test("two lengths, both ways to end a body, bad headers and huge ones", async () => {
    await using registry = await ScratchRegistry.open();
    const head = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n";
    for (const [headers, status] of [
      ["Content-Length: 5\r\nContent-Length: 6\r\n", 400],
      ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400],
      ["Transfer-Encoding: chunked, identity\r\n", 400],
      ["Transfer-Encoding : chunked\r\n", 400],
      ["X: a\rY: b\r\n", 400],
      [`X: ${"a".repeat(40_000)}\r\n`, 431],
    ] as const)
      assert.match(await raw(registry.port, `${head}${headers}\r\n`), new RegExp(`^HTTP/1.1 ${status} `), headers.slice(0, 50));
  });

  test("a client that sends nothing more is left", async () => {
    await using registry = await ScratchRegistry.open({ idleMs: 200 });
    const started = Date.now();
    await raw(registry.port, "POST /v2/a/blobs/uploads/?digest=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
    const location = String((await registry.ask("POST", "/v2/a/blobs/uploads/")).headers.location);
    await raw(registry.port, `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc`);
    assert.ok(Date.now() - started < 10_000);
    assert.equal((await registry.ask("GET", location)).headers.range, "0-2", "what came is kept for its next try");
  });

  test("a blob that is too large, and too many unfinished uploads", async () => {
    await using registry = await ScratchRegistry.open({ maxUploadBytes: 1000, maxUploads: 3 });
    const body = "x".repeat(1001);
    const large = await registry.ask("POST", `/v2/a/blobs/uploads/?digest=${sha256(body)}`, { body });
    assert.deepEqual([large.status, codeOf(large)], [413, "SIZE_INVALID"]);
    const location = String((await registry.ask("POST", "/v2/a/blobs/uploads/")).headers.location);
    for (const expected of [202, 413]) assert.equal((await registry.ask("PATCH", location, { body: "x".repeat(600) })).status, expected);
    assert.deepEqual(await registry.filesOf("uploads"), []);
    for (const expected of [202, 202, 202, 429]) assert.equal((await registry.ask("POST", "/v2/a/blobs/uploads/")).status, expected);
  });
});
