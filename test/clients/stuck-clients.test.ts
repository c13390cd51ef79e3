/** Clients that stop reading: neither the container nor the daemon's memory minds. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { Daemon, importBusybox } from "../daemon.ts";

const mebibyte = 2 ** 20;

describe("a client that stops reading", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const memory = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) * 1024;

  /** Sends a request, reads the head of the answer, and not a byte more. */
  async function stuck(request: string): Promise<Socket> {
    const socket = connect(daemon.directHost.slice("unix://".length));
    socket.write(request);
    const [head] = (await once(socket, "data")) as [Buffer];
    assert.match(String(head), /^HTTP\/1.1 (101|200) /);
    socket.pause();
    socket.on("error", () => undefined);
    return socket;
  }

  const big = "dd if=/dev/zero bs=1M count=96 2>/dev/null | tr '\\0' 'x' | fold -w 1000; exit 9";

  test("attached: the container ends, the memory stays", async () => {
    await daemon.ok("create", "--name", "attached", "--log-driver", "none", "busybox", "sh", "-c", `sleep 0.5; ${big}`);
    const attach =
      "POST /v1.51/containers/attached/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    const sockets = await Promise.all([stuck(attach), stuck(attach)]);
    const earlier = memory();
    await daemon.ok("start", "attached");
    assert.equal(await daemon.ok("wait", "attached"), "9");
    const grown = memory() - earlier;
    assert.ok(grown < 16 * mebibyte, `the daemon has grown by ${(grown / mebibyte).toFixed(1)} MiB`);
    for (const socket of sockets) socket.destroy();
    await daemon.ok("rm", "attached");
  });

  test("attached beside one that reads: that one gets all", async () => {
    await daemon.ok("create", "--name", "both", "--log-driver", "none", "busybox", "sh", "-c", `sleep 0.5; ${big}`);
    const attach =
      "POST /v1.51/containers/both/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    const socket = await stuck(attach);
    await daemon.ok("start", "both");
    const reader = await daemon.docker(["attach", "--no-stdin", "both"], { timeoutMs: 100_000 });
    assert.equal(reader.stdout.length, 96 * mebibyte + Math.ceil((96 * mebibyte) / 1000) - 1);
    socket.destroy();
    await daemon.ok("rm", "-f", "both");
  });

  test("logs -f: the same", async () => {
    await daemon.ok("run", "-d", "--name", "logged", "busybox", "sh", "-c", `sleep 0.5; ${big}`);
    const socket = await stuck("GET /v1.51/containers/logged/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    const earlier = memory();
    assert.equal(await daemon.ok("wait", "logged"), "9");
    const grown = memory() - earlier;
    assert.ok(grown < 16 * mebibyte, `the daemon has grown by ${(grown / mebibyte).toFixed(1)} MiB`);
    socket.destroy();
    await daemon.ok("rm", "logged");
  });
});
