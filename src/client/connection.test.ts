/** The HTTP client against a server whose every byte the test writes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isEngineError } from "../base/errors.ts";
import { parseAddress } from "./address.ts";
import { request } from "./connection.ts";
import { EngineClient, isNotRunning } from "./engine-client.ts";

const folder = mkdtempSync("/tmp/berth-test-client-");
const path = join(folder, "s.sock");
let server: Server;
const sockets = new Set<Socket>();
let answer: (socket: Socket, asked: string) => void = () => {};

const readBody = async (body: AsyncIterable<Buffer>): Promise<string> => {
  let text = "";
  for await (const chunk of body) text += chunk.toString();
  return text;
};

before(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    let asked = "";
    let answered = false;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      asked += chunk.toString();
      const head = asked.indexOf("\r\n\r\n");
      if (answered || head < 0) return;
      answered = true;
      answer(socket, asked);
    });
  });
  await new Promise<void>((done) => server.listen(path, done));
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true, force: true });
});

const address = parseAddress(`unix://${path}`);

/** Writes pieces one turn of the event loop apart, so that they arrive apart. */
async function drip(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((done) => setTimeout(done, 3));
  }
  socket.end();
}

describe("request", () => {
  test("an answer that comes before the body is sent is read", async () => {
    const text = "no room";
    answer = (socket, asked) => {
      assert.doesNotMatch(asked, /^Connection: close/im, "a daemon that closes would cut its answer off");
      socket.write(`HTTP/1.1 507 Full\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    };
    async function* endless(): AsyncGenerator<Buffer, void> {
      for (;;) yield Buffer.alloc(1 << 16);
    }
    for (let times = 0; times < 20; times++) {
      const response = await request(address, "PUT", "/", { body: endless() });
      assert.equal(response.status, 507);
      assert.equal(await readBody(response.body), text);
      response.close();
    }
  });

  test("reads a chunked body however it is cut", async () => {
    const whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10;x=y\r\n, chunked world!\r\n0\r\n\r\n";
    for (const step of [1, 2, 7, 50, whole.length]) {
      const pieces = whole.match(new RegExp(`[\\s\\S]{1,${step}}`, "g")) ?? [];
      answer = (socket) => void drip(socket, pieces.length > 60 ? [whole.slice(0, 60), ...whole.slice(60)] : pieces);
      const response = await request(address, "GET", "/");
      assert.equal(await readBody(response.body), "hello, chunked world!");
    }
  });

  test("refuses a chunked body that is cut off or malformed", async () => {
    for (const tail of ["5\r\nhel", "zz\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n"]) {
      answer = (socket) => socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${tail}`);
      const response = await request(address, "GET", "/");
      await assert.rejects(readBody(response.body), (error) => isEngineError(error, "System"));
    }
  });

  test("reads bodies of a stated length and up to the end of the connection", async () => {
    answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabcXYZ");
    assert.equal(await readBody((await request(address, "GET", "/")).body), "abc");
    answer = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nto the end");
    assert.equal(await readBody((await request(address, "GET", "/")).body), "to the end");
    answer = (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    await assert.rejects(readBody((await request(address, "GET", "/")).body), /unexpected EOF/);
  });

  test("passes over 100 Continue, and needs no body for 204", async () => {
    answer = (socket) => socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX-A:  b \r\n\r\n");
    const response = await request(address, "POST", "/");
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("x-a"), "b");
    assert.equal(await readBody(response.body), "");
  });

  test("says when nobody answers, the daemon hangs up, or speaks something else", async () => {
    await assert.rejects(request(parseAddress("unix:///nonexistent/x.sock"), "GET", "/"), (error) => {
      assert.ok(isNotRunning(error));
      assert.match(String(error), /Cannot connect to the Berth daemon at unix:\/\/\/nonexistent\/x\.sock\. Is the berth daemon running\?/);
      return true;
    });
    answer = (socket) => socket.destroy();
    await assert.rejects(request(address, "GET", "/"), (error) => isEngineError(error, "Unavailable") && !isNotRunning(error));
    answer = (socket) => socket.end("SSH-2.0-OpenSSH\r\n\r\n");
    await assert.rejects(request(address, "GET", "/"), /malformed HTTP response/);
    answer = (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${"a".repeat(70_000)}`);
    await assert.rejects(request(address, "GET", "/"), /too long/);
  });

  test("streams a body in chunks, and gives the answer though the daemon did not read all of it", async () => {
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from("abc");
      yield Buffer.from("");
      yield Buffer.from("defg");
    }
    let seen = "";
    answer = (socket, asked) => {
      seen = asked;
      socket.on("data", (chunk) => {
        seen += chunk.toString();
        if (seen.endsWith("0\r\n\r\n")) socket.end("HTTP/1.1 200 OK\r\n\r\nok");
      });
      if (seen.endsWith("0\r\n\r\n")) socket.end("HTTP/1.1 200 OK\r\n\r\nok");
    };
    assert.equal(await readBody((await request(address, "POST", "/", { body: body() })).body), "ok");
    assert.match(seen, /transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n$/i);

    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(65536);
    }
    answer = (socket) => {
      socket.pause();
      socket.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno", () => setTimeout(() => socket.destroy(), 20));
    };
    const response = await request(address, "POST", "/", { body: endless() });
    assert.equal(response.status, 400);
    response.close();
  });

  test("a source that fails ends the request with its error", async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from("abc");
      throw new Error("the file went away");
    }
    answer = () => {};
    await assert.rejects(request(address, "POST", "/", { body: broken() }), /the file went away/);
  });

  test("keeps header injection out", async () => {
    let seen = "";
    answer = (socket, asked) => {
      seen = asked;
      socket.end("HTTP/1.1 200 OK\r\n\r\n");
    };
    (await request(address, "GET", "/", { headers: { "X-A": "1\r\nX-B: 2" } })).close();
    assert.match(seen, /\r\nX-A: 1X-B: 2\r\n/);
  });
});

describe("EngineClient", () => {
  test("takes up the version of an older daemon, asking once", async () => {
    const lines: string[] = [];
    answer = (socket, asked) => {
      const line = asked.split("\r\n")[0] ?? "";
      lines.push(line);
      if (line.includes("/v1.51/"))
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n{"message":"client version 1.51 is too new. Maximum supported API version is 1.41"}\n');
      else socket.end('HTTP/1.1 200 OK\r\n\r\n{"ok":true}\n');
    };
    const client = new EngineClient(`unix://${path}`);
    assert.deepEqual(await client.json("GET", "/info"), { ok: true });
    assert.deepEqual(await client.json("GET", "/info"), { ok: true });
    assert.deepEqual(lines, ["GET /v1.51/info HTTP/1.1", "GET /v1.41/info HTTP/1.1", "GET /v1.41/info HTTP/1.1"]);
  });

  test("turns the daemon's refusals into errors with its words and their code", async () => {
    const client = new EngineClient(`unix://${path}`);
    for (const [status, code] of [
      [404, "NotFound"],
      [409, "Conflict"],
      [400, "InvalidParameter"],
      [500, "System"],
      [501, "NotImplemented"],
    ] as const) {
      answer = (socket) => socket.end(`HTTP/1.1 ${status} X\r\n\r\n{"message":"why ${status}"}\n`);
      await assert.rejects(client.json("GET", "/x"), (error) => {
        assert.ok(isEngineError(error, code), String(error));
        assert.equal(error.message, `Error response from daemon: why ${status}`);
        return true;
      });
    }
    answer = (socket) => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>proxy</html>");
    await assert.rejects(client.json("GET", "/x"), /<html>proxy/);
  });

  test("hijacks in both directions, each of which may end first", async () => {
    answer = (socket) => {
      socket.write("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nUpgrade: tcp\r\n\r\nfirst ");
      let got = "";
      socket.on("data", (chunk) => {
        got += chunk.toString();
      });
      socket.on("end", () => socket.end(`got ${got}`));
    };
    const { socket, multiplexed } = await new EngineClient(`unix://${path}`).hijack("/containers/x/attach");
    assert.equal(multiplexed, true);
    socket.end("typed");
    assert.equal(await readBody(socket), "first got typed");
  });

  test("starts what is not running, once, and asks again", async () => {
    const client = new EngineClient(`unix://${folder}/later.sock`);
    let starts = 0;
    const late = createServer((socket) => socket.resume().end("HTTP/1.1 200 OK\r\n\r\n[]"));
    client.whenNotRunning = async () => {
      starts++;
      await new Promise<void>((done) => late.listen(`${folder}/later.sock`, done));
    };
    assert.deepEqual(await client.json("GET", "/containers/json"), []);
    assert.equal(starts, 1);
    await new Promise((done) => late.close(done));
  });
});

test("addresses", () => {
  assert.deepEqual(parseAddress("tcp://[::1]:99"), { kind: "tcp", host: "::1", port: 99, text: "tcp://[::1]:99" });
  assert.deepEqual(parseAddress("tcp://h"), { kind: "tcp", host: "h", port: 2375, text: "tcp://h" });
  assert.deepEqual(parseAddress("tcp://h", { verify: true }), {
    kind: "tcp",
    host: "h",
    port: 2376,
    text: "tcp://h",
    tls: { verify: true },
  });
  const ssh = { kind: "ssh", user: "u", host: "h", port: "22", path: "/run/x.sock", text: "ssh://u@h:22/run/x.sock" };
  assert.deepEqual(parseAddress("ssh://u@h:22/run/x.sock"), ssh);
  assert.throws(() => parseAddress("ssh://u:secret@h"), /plain-text password is not supported/);
  assert.throws(() => parseAddress("ssh://-oProxyCommand=x"), /invalid SSH URL/);
  assert.throws(() => parseAddress("/run/x.sock"), /unable to parse docker host/);
  assert.throws(() => parseAddress("npipe://x"), /protocol not available/);
});
