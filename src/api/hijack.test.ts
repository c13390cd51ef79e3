import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { notFound } from "../base/base.ts";
import type { StreamSession } from "./backend.ts";
import { TestServer } from "./scripted-backends.ts";

/** Reads to the end of the client's input, then answers with it. */
const echo = (tty = false): StreamSession => ({
  tty,
  run: async (io) => {
    const chunks: Buffer[] = [];
    for await (const chunk of (io as Duplex).iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
    io?.write(`got ${Buffer.concat(chunks).toString()}`);
  },
});

const upgradeHead = "connection: Upgrade\r\nupgrade: tcp\r\n";
const attach = (version: string, headers: string): string =>
  `POST ${version}/containers/x/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nhost: d\r\n${headers}\r\n`;

async function answered(server: TestServer, request: string, input: string, late = ""): Promise<string> {
  const { socket, received, until } = server.connect();
  socket.write(request + input);
  if (late !== "") {
    await until("\r\n\r\n");
    socket.write(late);
  }
  socket.end();
  await new Promise((done) => socket.on("close", done));
  return received();
}

describe("attach", () => {
  test("upgrades when asked to, and no byte is lost in between", async () => {
    await using server = await TestServer.start({ containers: { attach: () => sleep(20, echo()) } });
    const text = await answered(server, attach("", upgradeHead), "early ", "late");
    const [head = "", body] = text.split("\r\n\r\n");
    assert.deepEqual(head.split("\r\n").slice(0, 4), [
      "HTTP/1.1 101 UPGRADED",
      "Content-Type: application/vnd.docker.multiplexed-stream",
      "Connection: Upgrade",
      "Upgrade: tcp",
    ]);
    assert.match(head, /\r\nApi-Version: 1\.51/);
    assert.equal(body, "got early late");
    assert.deepEqual(server.calls[0]?.[2], { stdin: true, stdout: true, stderr: false, logs: false, stream: true });
  });

  test("names the stream as the version has it", async () => {
    for (const [version, tty, type] of [
      ["/v1.41", false, "raw"],
      ["/v1.42", false, "multiplexed"],
      ["/v1.42", true, "raw"],
    ] as const) {
      await using server = await TestServer.start({ containers: { attach: async () => echo(tty) } });
      assert.match(
        await answered(server, attach(version, upgradeHead), ""),
        new RegExp(`Content-Type: application/vnd\\.docker\\.${type}-stream`),
      );
    }
  });

  test("takes the connection without an upgrade as well", async () => {
    for (const late of ["", "and late"]) {
      await using server = await TestServer.start({ containers: { attach: () => sleep(20, echo()) } });
      for (const early of ["", "\0early ", "hello\r\n\r\n"]) {
        const text = await answered(server, attach("", ""), early, late);
        assert.match(text, /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
        assert.equal(text.slice(text.indexOf("\r\n\r\n") + 4), `got ${early}${late}`);
      }
    }
  });

  test("that is refused is an ordinary answer, and the connection is closed", async () => {
    await using server = await TestServer.start({
      containers: {
        attach: async () => {
          throw notFound("No such container: x");
        },
      },
    });
    for (const headers of [upgradeHead, ""]) {
      const { socket, received, until } = server.connect();
      socket.write(attach("", headers));
      await until("No such container");
      assert.match(received(), /^HTTP\/1\.1 404 Not Found\r\n/);
      assert.match(received(), /Content-Type: application\/json/);
      if (!socket.closed) await new Promise((done) => socket.on("close", done));
    }
  });

  test("ends for a client that does not close its side", async () => {
    await using server = await TestServer.start({
      containers: { attach: async () => ({ tty: false, run: async (io) => void io?.write("all there is") }) },
    });
    const { socket, received } = server.connect();
    socket.removeAllListeners("end");
    const ended = new Promise((done) => socket.on("end", done));
    socket.write(attach("", upgradeHead));
    await ended;
    assert.ok(received().endsWith("all there is"));
    socket.destroy();
  });

  test("passes the client's end on while output still flows", async () => {
    const ended = Promise.withResolvers<void>();
    await using server = await TestServer.start({
      containers: {
        attach: async () => ({
          tty: false,
          run: async (io) => {
            io?.resume();
            await new Promise((done) => io?.on("end", done));
            ended.resolve();
            for (let i = 0; i < 5; i++) {
              io?.write(`line ${i}\n`);
              await sleep(10);
            }
          },
        }),
      },
    });
    const { socket, until } = server.connect();
    socket.write(attach("", upgradeHead));
    await until("\r\n\r\n");
    socket.end("input");
    await ended.promise;
    await until("line 4\n");
    await new Promise((done) => socket.on("close", done));
  });

  test("sees the client go", async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await TestServer.start({
      containers: {
        attach: async () => ({
          tty: false,
          run: async (io) => {
            io?.resume();
            // A client that has gone and one that has only ended its input look the same until something is written.
            while (io?.destroyed === false) {
              io.write("output");
              await sleep(5);
            }
            gone.resolve();
          },
        }),
      },
    });
    const { socket, until } = server.connect();
    socket.write(attach("", upgradeHead));
    await until("\r\n\r\n");
    socket.destroy();
    await gone.promise;
  });
});

describe("exec start", () => {
  const body = '{"Detach":false,"Tty":true,"ConsoleSize":[24,80]}';
  const start = (version: string, headers: string, text = body): string =>
    `POST ${version}/exec/e/start HTTP/1.1\r\nhost: d\r\n${headers}content-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`;

  test("reads its options, then the stream", async () => {
    await using server = await TestServer.start({ exec: { start: async () => echo(true) } });
    const text = await answered(server, start("", upgradeHead), "early ", "late");
    assert.match(text, /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
    assert.ok(text.endsWith("got early late"));
    assert.deepEqual(server.calls[0], ["exec.start", "e", { tty: true, detach: false, rows: 24, columns: 80 }]);
  });

  test("takes a body that comes in pieces", async () => {
    await using server = await TestServer.start({ exec: { start: async () => echo() } });
    const request = start("/v1.40", upgradeHead);
    const { socket, received, until } = server.connect();
    socket.write(request.slice(0, -10));
    await sleep(30);
    socket.write(`${request.slice(-10)}input`);
    await until("\r\n\r\n");
    socket.end(" more");
    await new Promise((done) => socket.on("close", done));
    assert.ok(received().endsWith("got input more"), received());
    // Before 1.42 there was no size to give.
    assert.deepEqual(server.calls[0]?.[2], { tty: true, detach: false });
  });

  test("without an upgrade", async () => {
    await using server = await TestServer.start({ exec: { start: async () => echo() } });
    const text = await answered(server, start("", ""), "", "input");
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(text.endsWith("got input"), text);
  });

  test("detached answers when it runs", async () => {
    const ran: unknown[] = [];
    await using server = await TestServer.start({ exec: { start: async () => ({ tty: false, run: async (io) => void ran.push(io) }) } });
    const { status, body: empty } = await server.request("POST", "/exec/e/start", '{"Detach":true}');
    assert.equal(status, 200);
    assert.equal(empty, "");
    assert.deepEqual(ran, [undefined]);
  });
});
