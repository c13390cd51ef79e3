/** Attach over a WebSocket, with the `ws` client. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

describe("attach over a WebSocket", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  function open(path: string): { socket: WebSocket; text: () => string; closed: Promise<unknown> } {
    const socket = new WebSocket(`ws+unix://${daemon.execRoot}/d.sock:/v1.51${path}`);
    let text = "";
    socket.on("message", (data) => {
      text += String(data);
    });
    socket.on("error", () => undefined);
    return { socket, text: () => text, closed: new Promise((done) => socket.on("close", done)) };
  }

  test("input and output, without stream headers, to the end", async () => {
    await daemon.ok("run", "-di", "--name", "cat", "busybox", "sh", "-c", "echo before; exec cat");
    const { socket, text, closed } = open("/containers/cat/attach/ws?stream=1&stdin=1&stdout=1&stderr=1&logs=1");
    await once(socket, "open");
    await eventually("the log", async () => text() === "before\n" || undefined);
    socket.send("one\n");
    socket.send(Buffer.from("two\n"));
    await eventually("the echo", async () => text() === "before\none\ntwo\n" || undefined);
    await daemon.ok("kill", "cat");
    await closed;
    await daemon.ok("rm", "cat");
  });

  test("a client that goes leaves the container running", async () => {
    await daemon.ok("run", "-dit", "--name", "shell", "busybox", "sh");
    const first = open("/containers/shell/attach/ws?stream=1&stdin=1&stdout=1");
    await once(first.socket, "open");
    first.socket.send("echo $((40+2))\n");
    await eventually("the answer", async () => first.text().includes("42\r\n") || undefined);
    first.socket.close();
    await first.closed;
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Running}}", "shell"), "true");
    const second = open("/containers/shell/attach/ws?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x");
    await once(second.socket, "open");
    second.socket.send("\x18");
    await second.closed;
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Running}}", "shell"), "true");
    await daemon.ok("rm", "-f", "shell");
  });

  test("what is no container, and what is no WebSocket", async () => {
    const { socket } = open("/containers/nosuch/attach/ws?stream=1");
    const [error] = (await once(socket, "error")) as [Error];
    assert.match(error.message, /404/);
    await daemon.ok("create", "--name", "plain", "busybox", "true");
    const plain = connect(`${daemon.execRoot}/d.sock`);
    plain.write("GET /v1.51/containers/plain/attach/ws?stream=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    const [answer] = (await once(plain, "data")) as [Buffer];
    assert.match(String(answer), /^HTTP\/1.1 400 /);
    plain.destroy();
    await daemon.ok("rm", "plain");
  });
});
