import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cancelled, conflict, EngineError, type ErrorCode, httpStatus, notFound } from "../base/base.ts";
import { TestServer } from "./scripted-backends.ts";

const message = (body: string): unknown => (JSON.parse(body) as { message: unknown }).message;

describe("every request", () => {
  test("is told who answers", async () => {
    await using server = await TestServer.start();
    const { status, headers, body } = await server.request("GET", "/_ping");
    assert.equal(status, 200);
    assert.equal(body, "OK");
    assert.equal(headers["api-version"], "1.51");
    assert.equal(headers["server"], "Berth/1.2.3 (linux)");
    assert.equal(headers["ostype"], "linux");
    assert.equal(headers["docker-experimental"], "false");
    assert.equal(headers["swarm"], "inactive");
    assert.ok(headers["builder-version"]);
    const head = await server.request("HEAD", "/v1.30/_ping");
    assert.equal(head.status, 200);
    assert.equal(head.headers["content-length"], "0");
    assert.equal(head.body, "");
  });

  test("has a version that is served, or none", async () => {
    await using server = await TestServer.start({ networks: { list: async () => [] } });
    for (const version of ["", "/v1.24", "/v1.41", "/v1.51"])
      assert.equal((await server.request("GET", `${version}/networks`)).status, 200, version);
    const newer = await server.request("GET", "/v1.52/networks");
    assert.equal(newer.status, 400);
    assert.equal(message(newer.body), "client version 1.52 is too new. Maximum supported API version is 1.51");
    const older = await server.request("GET", "/v1.5/networks");
    assert.equal(older.status, 400);
    assert.equal(
      message(older.body),
      "client version 1.5 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    );
  });

  test("for what is not there gets 404", async () => {
    await using server = await TestServer.start();
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/v1.41"],
      ["GET", "/nope"],
      ["POST", "/info"],
      ["GET", "/containers/create"],
      ["DELETE", "/v1.41/_ping"],
    ] as const) {
      const { status, body } = await server.request(method, path);
      assert.equal(status, 404, `${method} ${path}`);
      assert.equal(message(body), "page not found");
    }
  });

  test("that fails gets the status of the failure", async () => {
    for (const code of Object.keys(httpStatus) as ErrorCode[]) {
      if (code === "Cancelled") continue;
      await using server = await TestServer.start({
        networks: {
          inspect: async () => {
            throw new EngineError(code, 'it is "so"');
          },
        },
      });
      const { status, body, headers } = await server.request("GET", "/networks/x");
      assert.equal(status, httpStatus[code]);
      if (status === 304) assert.equal(body, "");
      else {
        assert.deepEqual(JSON.parse(body), { message: 'it is "so"' });
        assert.equal(headers["content-type"], "application/json");
      }
    }
  });

  test("finds names with slashes and escapes in them", async () => {
    await using server = await TestServer.start({ images: { history: async () => [] }, containers: { kill: async () => undefined } });
    await server.request("GET", "/images/registry.example:5000/a/b%2Fc:tag/history");
    await server.request("POST", "/v1.40/containers/a%20b/kill?signal=TERM");
    assert.deepEqual(server.calls, [
      ["images.history", "registry.example:5000/a/b/c:tag", {}],
      ["containers.kill", "a b", "TERM"],
    ]);
    assert.equal((await server.request("GET", "/images/%zz/json")).status, 400);
  });
});

describe("connections", () => {
  test("are kept, and take requests one after the other", async () => {
    await using server = await TestServer.start({ networks: { inspect: (id) => sleep(id === "slow" ? 50 : 0, { Id: id }) } });
    const { socket, received, until } = server.connect();
    socket.write("GET /networks/slow HTTP/1.1\r\nhost: d\r\n\r\nGET /networks/fast HTTP/1.1\r\nhost: d\r\n\r\n");
    await until('"Id":"fast"');
    assert.ok(received().indexOf('"slow"') < received().indexOf('"fast"'));
    socket.write("GET /_ping HTTP/1.1\r\nhost: d\r\n\r\n");
    await until("OK");
    assert.equal(socket.destroyed, false);
    socket.destroy();
  });

  test("that carry no HTTP are refused and closed", async () => {
    await using server = await TestServer.start();
    for (const text of [
      "hello\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "GET /x HTTP/1.1\r\nbad header\r\n\r\n",
      "POST /x HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ]) {
      assert.equal((await server.raw(text)).status, 400, text);
    }
    assert.equal((await server.request("GET", "/_ping")).status, 200);
  });

  test("that are half closed still get the answer", async () => {
    await using server = await TestServer.start();
    const { socket, until } = server.connect();
    socket.end("GET /_ping HTTP/1.1\r\nhost: d\r\n\r\n");
    await until("OK");
  });

  test("may send their request byte by byte", async () => {
    await using server = await TestServer.start();
    const { socket, until } = server.connect();
    for (const letter of "GET /_ping HTTP/1.1\r\nhost: d\r\n\r\n") {
      socket.write(letter);
      await sleep(1);
    }
    await until("OK");
    socket.destroy();
  });

  test("that ask for an upgrade which no route knows get an ordinary answer", async () => {
    await using server = await TestServer.start();
    const { socket, until } = server.connect();
    socket.write("GET /_ping HTTP/1.1\r\nhost: d\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\r\n");
    await until("OK");
    socket.destroy();
  });
});

describe("JSON bodies", () => {
  const answers = { containers: { create: async () => ({ Id: "1", Warnings: [] }) } };

  test("must be JSON objects, and say so", async () => {
    await using server = await TestServer.start(answers);
    const post = (body: string, type = "application/json") => server.request("POST", "/containers/create", body, { "content-type": type });
    assert.equal((await post('{"Image":"x"}')).status, 201);
    assert.equal((await post('{"Image":"x"}', "application/json; charset=utf-8")).status, 201);
    for (const [body, complaint] of [
      ["", "config cannot be empty in order to create a container"],
      ["null", "config cannot be empty in order to create a container"],
      [" ", "invalid JSON: got EOF while reading request body"],
      ['{"Image":}', /^invalid JSON: /],
      ['{"Image":"x"} {}', "invalid JSON: unexpected content after JSON"],
      ["[]", /^invalid JSON: json: cannot unmarshal array/],
      [`{"Image":"${"x".repeat(5 << 20)}"}`, /larger than/],
    ] as const) {
      const answer = await post(body);
      assert.equal(answer.status, 400, body.slice(0, 40));
      if (typeof complaint === "string") assert.equal(message(answer.body), complaint);
      else assert.match(String(message(answer.body)), complaint);
    }
    const form = await post("a=b", "application/x-www-form-urlencoded");
    assert.equal(message(form.body), "unsupported Content-Type header (application/x-www-form-urlencoded): must be 'application/json'");
  });

  test("with a key twice mean the last one, and cannot reach the prototype", async () => {
    await using server = await TestServer.start(answers);
    await server.request("POST", "/containers/create", '{"Image":"a","Image":"b","__proto__":{"x":1}}');
    const [, request] = server.calls[0] as [string, Record<string, unknown>];
    assert.equal(request["Image"], "b");
    assert.equal(({} as Record<string, unknown>)["x"], undefined);
    assert.equal(Object.getPrototypeOf(request), Object.prototype);
  });

  test("that break off end the request", async () => {
    await using server = await TestServer.start(answers);
    const { socket } = server.connect();
    socket.write("POST /containers/create HTTP/1.1\r\nhost: d\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{");
    await sleep(30);
    socket.destroy();
    await sleep(30);
    assert.deepEqual(server.calls, []);
    assert.equal((await server.request("GET", "/_ping")).status, 200);
  });
});

describe("streams", () => {
  test("wait sends its head when the wait is registered", async () => {
    const ended = Promise.withResolvers<{ StatusCode: number }>();
    await using server = await TestServer.start({ containers: { wait: async () => ({ result: ended.promise }) } });
    const { socket, received, until } = server.connect();
    socket.write("POST /v1.41/containers/x/wait?condition=next-exit HTTP/1.1\r\nhost: d\r\n\r\n");
    await until("\r\n\r\n");
    assert.match(received(), /^HTTP\/1.1 200 OK/);
    ended.resolve({ StatusCode: 7 });
    await until('{"StatusCode":7}\n');
    socket.destroy();
    assert.equal((await server.request("POST", "/containers/x/wait?condition=never")).status, 400);
  });

  test("flush each part at once, and end the work when the client hangs up", async () => {
    const aborted = Promise.withResolvers<void>();
    const next = Promise.withResolvers<void>();
    await using server = await TestServer.start({
      system: {
        events: async function* (_options, signal) {
          signal.addEventListener("abort", () => aborted.resolve());
          yield { Type: "container", Action: "one" };
          await next.promise;
          yield { Type: "container", Action: "two" };
          await aborted.promise;
          throw cancelled("gone");
        },
      },
    });
    const { socket, received, until } = server.connect();
    socket.write("GET /events HTTP/1.1\r\nhost: d\r\n\r\n");
    await until('"one"}\n');
    assert.ok(!received().includes("two"));
    next.resolve();
    await until('"two"}\n');
    socket.destroy();
    await aborted.promise;
  });

  test("wait for a slow reader", async () => {
    let made = 0;
    const block = Buffer.alloc(1 << 20);
    await using server = await TestServer.start({
      containers: {
        logs: async () => ({
          tty: true,
          stream: (async function* () {
            for (; made < 64; made++) yield block;
          })(),
        }),
      },
    });
    const { socket } = server.connect();
    socket.pause();
    socket.write("GET /containers/x/logs?stdout=1 HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n");
    await sleep(300);
    assert.ok(made < 16, `${made} MiB were made for a client that reads nothing`);
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.resume();
    await new Promise((done) => socket.on("close", done));
    assert.ok(bytes > 64 << 20);
  });

  test("break off where they fail, so that half an answer is not taken for a whole one", async () => {
    await using server = await TestServer.start({
      containers: {
        logs: async () => ({
          tty: false,
          stream: (async function* () {
            yield Buffer.from("some");
            throw notFound("the log is gone");
          })(),
        }),
      },
    });
    const { socket, received } = server.connect();
    socket.write("GET /containers/x/logs?stdout=1 HTTP/1.1\r\nhost: d\r\n\r\n");
    await new Promise((done) => socket.on("close", done));
    assert.match(received(), /multiplexed-stream/);
    assert.ok(!received().endsWith("0\r\n\r\n"));
  });
});

describe("uploads", () => {
  test("are read as they come, and progress is sent meanwhile", async () => {
    await using server = await TestServer.start({
      images: {
        load: async function* (source) {
          for await (const chunk of source) yield { stream: `${(chunk as Buffer).toString()}\n` };
        },
      },
    });
    const { socket, until } = server.connect();
    socket.write("POST /images/load HTTP/1.1\r\nhost: d\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    await until('{"stream":"one\\n"}\r\n');
    socket.write("3\r\ntwo\r\n0\r\n\r\n");
    await until('{"stream":"two\\n"}\r\n');
    await until("0\r\n\r\n");
    // The connection goes on.
    socket.write("GET /_ping HTTP/1.1\r\nhost: d\r\n\r\n");
    await until("OK");
    socket.destroy();
  });

  test("that are refused are answered, although the client is still sending", async () => {
    await using server = await TestServer.start({
      images: {
        // biome-ignore lint/correctness/useYield: it fails before it has anything to say
        load: async function* (source) {
          for await (const _ of source) throw conflict("not this one");
        },
      },
    });
    const { socket, until } = server.connect();
    const size = 8 << 20;
    socket.write(`POST /images/load HTTP/1.1\r\nhost: d\r\ncontent-length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size / 2));
    await until('{"message":"not this one"}');
    socket.write(Buffer.alloc(size / 2));
    socket.write("GET /_ping HTTP/1.1\r\nhost: d\r\n\r\n");
    await until("OK");
    socket.destroy();
  });

  test("that fail half way say so in the stream", async () => {
    await using server = await TestServer.start({
      images: {
        import: async function* () {
          yield { status: "half" };
          throw conflict("no more");
        },
      },
    });
    const { status, body } = await server.request("POST", "/images/create?fromSrc=-&repo=a&tag=b&changes=CMD+x&changes=ENV+a", "");
    assert.equal(status, 200);
    assert.equal(body, '{"status":"half"}\r\n{"errorDetail":{"message":"no more"},"error":"no more"}\r\n');
    assert.deepEqual(server.calls[0]?.[2], { repository: "a", tag: "b", message: "", changes: ["CMD x", "ENV a"] });
  });
});
