import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { LogSender } from "./driver.ts";
import { Forwarder } from "./forwarder.ts";
import type { LogMessage } from "./logs.ts";
import { readLog } from "./read.ts";
import { replaceAtRest, settleRotatedFiles } from "./rotated-files.ts";

const line = (text: string, second = 0): string =>
  `{"log":"${text}\\n","stream":"stdout","time":"2026-01-02T03:04:${String(second).padStart(2, "0")}Z"}\n`;
const lines = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, n) => line(`n${from + n}`)).join("");
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => `n${from + n}`);

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp("/tmp/berth-test-forward-");
  path = join(folder, "log");
});
afterEach(() => rm(folder, { recursive: true }));

/** As the monitor does it. */
async function rotate(keep: number): Promise<void> {
  await Promise.all([rm(`${path}.${keep - 1}`, { force: true }), rm(`${path}.${keep - 1}.gz`, { force: true })]);
  for (let n = keep - 1; n > 1; n--)
    for (const form of ["", ".gz"]) await rename(`${path}.${n - 1}${form}`, `${path}.${n}${form}`).catch(() => undefined);
  await rename(path, `${path}.1`);
  await writeFile(path, "");
}

describe("the forwarder", () => {
  const received: string[] = [];
  beforeEach(() => void received.splice(0));
  const sender: LogSender = {
    send: async (messages) => void received.push(...messages.map(({ text }) => text.toString())),
    close: () => undefined,
  };
  const start = (writerEnded: Promise<unknown>, connect: () => Promise<LogSender> = async () => sender): Forwarder =>
    new Forwarder({ path, positionPath: join(folder, "position"), connect, writerEnded });

  test("sends what is there and what comes, over rotations, and ends with the writer", async () => {
    await writeFile(path, lines(1, 10));
    const ended = Promise.withResolvers<void>();
    const forwarder = start(ended.promise);
    for (let n = 11; n <= 500; n += 10) {
      await appendFile(path, lines(n, n + 9));
      if (n % 7 === 0) await rotate(100);
      if (n % 100 === 1) await sleep(5);
    }
    ended.resolve();
    await forwarder.done;
    assert.deepEqual(received, numbers(1, 500));
  });

  test("another one goes on where it was, also in a file that has been rotated, and in the middle of a line", async () => {
    await writeFile(path, lines(1, 10) + line("n11").slice(0, 20));
    const first = start(new Promise(() => undefined));
    while (received.length < 10) await sleep(2);
    await first.stop();
    await appendFile(path, line("n11").slice(20) + lines(12, 15));
    await rotate(10);
    await appendFile(path, lines(16, 20));
    await rotate(10);
    await appendFile(path, lines(21, 25));
    await start(Promise.resolve()).done;
    assert.deepEqual(received, numbers(1, 25));
    await start(Promise.resolve()).done;
    assert.equal(received.length, 25, "there is nothing left");
  });

  test("a line that its writer has not ended is not gone on with by the next writer", async () => {
    const partials: unknown[] = [];
    const watching = {
      ...sender,
      send: async (messages: readonly LogMessage[]) => void partials.push(...messages.map(({ partial }) => partial?.ordinal)),
    };
    await writeFile(path, line("x").replace("\\n", ""));
    await start(Promise.resolve(), async () => watching).done;
    await appendFile(path, line("y").replace("\\n", "") + line("z"));
    await start(Promise.resolve(), async () => watching).done;
    assert.deepEqual(partials, [1, 1, 2]);
  });

  test("it goes on after a failure that passes", async () => {
    await writeFile(path, lines(1, 10));
    await mkdir(join(folder, "position"));
    const forwarder = start(Promise.resolve());
    await sleep(50);
    assert.deepEqual(received, []);
    await rmdir(join(folder, "position"));
    await forwarder.done;
    assert.deepEqual(received, numbers(1, 10));
  });

  test("what a receiver refuses is sent again, over a new connection", async () => {
    await writeFile(path, lines(1, 100));
    let attempts = 0;
    const connect = async (): Promise<LogSender> => {
      attempts++;
      if (attempts === 1) throw new Error("nobody there");
      if (attempts === 2) return { ...sender, send: async () => Promise.reject(new Error("went away")) };
      return sender;
    };
    await start(Promise.resolve(), connect).done;
    assert.equal(attempts, 3);
    assert.deepEqual(received, numbers(1, 100));
  });

  test("a receiver that never answers is let go of", async () => {
    await writeFile(path, lines(1, 10));
    const rejecting = Promise.withResolvers<void>();
    const stuck: LogSender = { send: () => rejecting.promise, close: () => rejecting.reject(new Error("closed")) };
    const forwarder = start(Promise.resolve(), async () => stuck);
    await sleep(50);
    await forwarder.stop();
    await forwarder.done;
    await start(Promise.resolve()).done;
    assert.deepEqual(received, numbers(1, 10), "the next one sends it");
  });

  test("where its file has been dropped it goes on with the oldest that is left", async () => {
    await writeFile(path, lines(1, 10));
    await start(Promise.resolve()).done;
    await rotate(3);
    await appendFile(path, lines(11, 20));
    await rotate(3);
    await appendFile(path, lines(21, 30));
    await rotate(3);
    await appendFile(path, lines(31, 40));
    await start(Promise.resolve()).done;
    assert.deepEqual(received, [...numbers(1, 10), ...numbers(11, 40)]);
  });
});

describe("rotated files", () => {
  const settle = (options: { keep: number; compress: boolean; reading?: string }): Promise<void> =>
    settleRotatedFiles({
      path,
      ...options,
      signal: new AbortController().signal,
      replace: (inode, packed) => replaceAtRest(path, inode, packed),
    });
  const text = async (options: { since?: bigint; tail?: number } = {}): Promise<string[]> => {
    const chunks: Uint8Array[] = [];
    const all = { stdout: true, stderr: true, timestamps: false, details: false, multiplexed: false };
    for await (const chunk of readLog({ path }, { ...all, ...options })) chunks.push(chunk);
    return Buffer.concat(chunks).toString().split("\n").slice(0, -1);
  };
  const files = async (): Promise<string[]> => (await readdir(folder)).sort();
  const four = async (): Promise<void> => {
    for (let n = 1; n <= 4; n++) {
      await writeFile(path, line(`n${n}`, n), { flag: "a" });
      if (n < 4) await rotate(10);
    }
  };

  test("are packed, so that any program and our reader can read them", async () => {
    await four();
    await settle({ keep: 4, compress: true });
    assert.deepEqual(await files(), ["log", "log.1.gz", "log.2.gz", "log.3.gz"]);
    assert.equal(gunzipSync(await readFile(`${path}.3.gz`)).toString(), line("n1", 1));
    assert.deepEqual(await text(), numbers(1, 4));
    assert.deepEqual(await text({ tail: 2 }), numbers(3, 4));
    assert.deepEqual(await text({ since: BigInt(Date.parse("2026-01-02T03:04:03Z")) * 1_000_000n }), numbers(3, 4));
  });

  test("are dropped when there are too many, the oldest first", async () => {
    await four();
    await settle({ keep: 2, compress: false });
    assert.deepEqual(await files(), ["log", "log.1"]);
    assert.deepEqual(await text(), numbers(3, 4));
  });

  test("that are still to be sent stay as they are", async () => {
    await four();
    const { ino, birthtimeNs } = await stat(`${path}.2`, { bigint: true });
    await settle({ keep: 1, compress: true, reading: `${ino}-${birthtimeNs}` });
    assert.deepEqual(await files(), ["log", "log.1", "log.2"]);
    await settle({ keep: 1, compress: true, reading: "none" });
    assert.deepEqual(await files(), ["log", "log.1", "log.2"]);
  });

  test("one that is being followed may be packed meanwhile", async () => {
    await writeFile(path, lines(1, 10));
    const following = new AbortController();
    const seen: string[] = [];
    const ended = Promise.withResolvers<void>();
    const reading = (async () => {
      const all = { stdout: true, stderr: true, timestamps: false, details: false, multiplexed: false };
      for await (const chunk of readLog({ path }, { ...all, follow: following.signal, writerEnded: ended.promise }))
        seen.push(...Buffer.from(chunk).toString().split("\n").slice(0, -1));
    })();
    for (let n = 11; n <= 300; n += 10) {
      await rotate(100);
      await appendFile(path, lines(n, n + 9));
      await settle({ keep: 100, compress: true });
    }
    ended.resolve();
    await reading;
    assert.deepEqual(seen, numbers(1, 300));
  });
});
