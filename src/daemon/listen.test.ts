import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, describe, test } from "node:test";
import { listen, parseHost } from "./listen.ts";

const folder = mkdtempSync("/tmp/berth-test-listen-");
after(() => rmSync(folder, { recursive: true }));

describe("-H", () => {
  test("names sockets and addresses", () => {
    assert.deepEqual(parseHost("unix:///run/x.sock", false), [{ kind: "unix", path: "/run/x.sock" }]);
    assert.deepEqual(parseHost("tcp://0.0.0.0:1234", false), [{ kind: "tcp", host: "0.0.0.0", port: 1234 }]);
    assert.deepEqual(parseHost("tcp://", false), [{ kind: "tcp", host: "127.0.0.1", port: 2375 }]);
    assert.deepEqual(parseHost("tcp://[::1]", true), [{ kind: "tcp", host: "::1", port: 2376 }]);
    assert.deepEqual(parseHost("127.0.0.1:99", false), [{ kind: "tcp", host: "127.0.0.1", port: 99 }]);
  });

  test("that is neither is refused", () => {
    for (const host of ["foo://bar", "unix://relative", "tcp://x:99999", "tcp://a:b", "npipe:////./pipe/x"]) {
      assert.throws(() => parseHost(host, false), { message: `Invalid bind address format: ${host}` });
    }
    assert.throws(() => parseHost("fd://", false), /no sockets found via socket activation/);
  });
});

describe("a unix socket", () => {
  test("is its group's and nobody else's, and takes the place of one left behind", async () => {
    const path = `${folder}/deep/d.sock`;
    for (let round = 0; round < 2; round++) {
      const server = createServer();
      await listen(server, { kind: "unix", path }, String(process.getgid?.() ?? 0));
      assert.equal(statSync(path).mode & 0o777, 0o660);
      await new Promise((done) => server.close(done));
      writeFileSync(path, "");
    }
  });

  test("of a server that answers is left alone", async () => {
    const path = `${folder}/live.sock`;
    const first = createServer();
    await listen(first, { kind: "unix", path }, undefined);
    await assert.rejects(listen(createServer(), { kind: "unix", path }, undefined), /bind: address already in use/);
    await new Promise((done) => first.close(done));
  });

  test("for a group that is not there is refused", async () => {
    const server = createServer();
    await assert.rejects(listen(server, { kind: "unix", path: `${folder}/g.sock` }, "no-such-group"), /group no-such-group not found/);
    server.close();
  });

  test("that cannot be made says why", async () => {
    await assert.rejects(
      listen(createServer(), { kind: "unix", path: `${folder}/${"x".repeat(200)}` }, undefined),
      /failed to load listeners: can't create unix socket/,
    );
  });
});
