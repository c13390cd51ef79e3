import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type JoinOptions, joinStreams } from "./join-streams.ts";

const opened: Socket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
});

/** Two ends of a Unix socket, each half-open as a hijacked connection and a monitor's are. */
async function socketPair(): Promise<[Socket, Socket]> {
  const folder = await mkdtemp(join(tmpdir(), "berth-test-join-"));
  const server = createServer({ allowHalfOpen: true }).listen(join(folder, "s"));
  await once(server, "listening");
  const near = createConnection({ path: join(folder, "s"), allowHalfOpen: true });
  const [far] = (await once(server, "connection")) as [Socket];
  server.close();
  opened.push(near, far);
  await rm(folder, { recursive: true });
  return [near, far];
}

/** A joined session: `client` and `container` are its far ends. */
async function session(options: Partial<JoinOptions> = {}): Promise<{ client: Socket; container: Socket; end: Promise<string> }> {
  const [client, io] = await socketPair();
  const [socket, container] = await socketPair();
  const end = joinStreams(io, socket, {
    stdin: true,
    detachKeys: undefined,
    endWithInput: false,
    signal: new AbortController().signal,
    ...options,
  }).then((why) => {
    io.end();
    return why;
  });
  return { client, container, end };
}

/** All that comes, up to the end of this direction; the other one stays open. */
async function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  await once(socket, "end");
  return text;
}

describe("joined streams", () => {
  test("the end of input goes through, and output still comes back", async () => {
    const { client, container, end } = await session();
    const answer = textOf(client);
    client.end("question");
    assert.equal(await textOf(container), "question");
    container.end("answer");
    assert.equal(await answer, "answer");
    assert.equal(await end, "output-ended");
  });

  test("input of one who does not attach stdin goes nowhere, and its end ends nothing", async () => {
    const { client, container, end } = await session({ stdin: false });
    const answer = textOf(client);
    const received = textOf(container);
    client.end("dropped");
    await sleep(10);
    container.end("answer");
    assert.equal(await answer, "answer");
    assert.equal(await received, "");
    assert.equal(await end, "output-ended");
  });

  test("a client that vanishes ends the session at the next output", async () => {
    const { client, container, end } = await session();
    container.on("error", () => undefined);
    client.destroy();
    await sleep(10);
    const timer = setInterval(() => container.write("x"), 5);
    assert.equal(await end, "client-gone");
    clearInterval(timer);
    container.destroy();
  });

  test("a client that does not read stops the source instead of filling memory", async () => {
    const { client, container, end } = await session();
    client.pause();
    const chunk = Buffer.alloc(65536);
    let written = 0;
    for (let round = 0; round < 200; round++) {
      if (container.write(chunk)) {
        written += chunk.length;
        continue;
      }
      written += chunk.length;
      const drained = await Promise.race([once(container, "drain").then(() => true), sleep(100, false)]);
      if (!drained) break;
    }
    assert.ok(written < 4 << 20, `${written} bytes went into a client that does not read`);
    client.resume();
    container.end();
    assert.equal(await end, "output-ended");
  });

  test("large output arrives whole", async () => {
    const { client, container, end } = await session();
    const size = 8 << 20;
    let received = 0;
    client.on("data", (data: Buffer) => {
      received += data.length;
    });
    const finished = once(client, "end");
    container.end(Buffer.alloc(size));
    await Promise.all([finished, end]);
    assert.equal(received, size);
    client.destroy();
  });

  test("the daemon's close ends it", async () => {
    const closing = new AbortController();
    const { client, end } = await session({ signal: closing.signal });
    const rest = textOf(client);
    closing.abort();
    assert.equal(await end, "closed");
    await rest;
  });
});
