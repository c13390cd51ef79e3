import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { ReadLogOptions } from "./logs.ts";
import { readLog } from "./read.ts";

interface Entry {
  readonly log: string;
  readonly stream: "stdout" | "stderr";
  readonly time: string;
  readonly attrs?: Readonly<Record<string, string>>;
}

/** As dockerd and the monitor write it: these three are escaped beyond what JSON asks for. */
function encode({ log, stream, time, attrs }: Entry): string {
  const text = JSON.stringify(log).replaceAll(/[<>&\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `{"log":${text},"stream":"${stream}"${attrs === undefined ? "" : `,"attrs":${JSON.stringify(attrs)}`},"time":"${time}"}\n`;
}

const at = (second: number, fraction = ""): string => `2026-01-02T03:04:${String(second).padStart(2, "0")}${fraction}Z`;
const line = (log: string, second = 0, stream: Entry["stream"] = "stdout"): Entry => ({ log, stream, time: at(second) });
const nanos = (second: number): bigint => BigInt(Date.parse(at(second))) * 1_000_000n;

const all: ReadLogOptions = { stdout: true, stderr: true, timestamps: false, details: false, multiplexed: false };

async function collect(path: string, options: Partial<ReadLogOptions> = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readLog({ path }, { ...all, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const text = async (path: string, options: Partial<ReadLogOptions> = {}): Promise<string> => (await collect(path, options)).toString();

/** Reads Docker's 8-byte framing. */
function frames(bytes: Buffer): { stream: number; text: string }[] {
  const found: { stream: number; text: string }[] = [];
  for (let i = 0; i < bytes.length; ) {
    const size = bytes.readUInt32BE(i + 4);
    assert.deepEqual([...bytes.subarray(i + 1, i + 4)], [0, 0, 0]);
    found.push({ stream: bytes[i] ?? -1, text: bytes.subarray(i + 8, i + 8 + size).toString() });
    i += 8 + size;
  }
  return found;
}

describe("readLog", () => {
  let folder: string;
  let count = 0;
  before(async () => {
    folder = await mkdtemp("/tmp/berth-test-logs-");
  });
  after(() => rm(folder, { recursive: true }));
  const file = async (...entries: (Entry | string)[]): Promise<string> => {
    const path = join(folder, `log-${count++}`);
    await writeFile(path, entries.map((entry) => (typeof entry === "string" ? entry : encode(entry))).join(""));
    return path;
  };

  test("a log that is not there is empty", async () => assert.equal(await text(join(folder, "none")), ""));

  test("frames each line with its stream", async () => {
    const path = await file(line("one\n"), line("two\n", 1, "stderr"), line("no end", 2));
    assert.deepEqual(frames(await collect(path, { multiplexed: true })), [
      { stream: 1, text: "one\n" },
      { stream: 2, text: "two\n" },
      { stream: 1, text: "no end" },
    ]);
    assert.equal(await text(path, { stderr: false }), "one\nno end");
    assert.equal(await text(path, { stdout: false }), "two\n");
  });

  test("gives back whatever was logged", async () => {
    const entry = fc.record({
      log: fc.oneof(
        fc.string(),
        fc.string({ unit: "binary" }),
        fc.string({ unit: fc.constantFrom('"', "\\", "\n", "<", "\u2028", "é", "𝄞", "n", ",", "{") }),
      ),
      stream: fc.constantFrom("stdout" as const, "stderr" as const),
      time: fc.constantFrom(at(1), at(2, ".5"), at(3, ".123456789")),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry), async (entries) => {
        const path = await file(...entries);
        const found = frames(await collect(path, { multiplexed: true }));
        assert.deepEqual(
          found,
          entries.map(({ log, stream }) => ({ stream: stream === "stderr" ? 2 : 1, text: Buffer.from(log).toString() })),
        );
      }),
      { numRuns: 150 },
    );
  });

  test("timestamps have nine digits", async () => {
    const path = await file(
      { ...line("a\n"), time: at(1) },
      { ...line("b\n"), time: at(2, ".05") },
      { ...line("c\n"), time: at(3, ".123456789") },
    );
    assert.equal(
      await text(path, { timestamps: true }),
      "2026-01-02T03:04:01.000000000Z a\n2026-01-02T03:04:02.050000000Z b\n2026-01-02T03:04:03.123456789Z c\n",
    );
  });

  test("details are sorted and encoded", async () => {
    const path = await file({ ...line("a\n"), attrs: { "b c": "x=y", a: "1" } }, line("b\n"));
    assert.equal(await text(path, { details: true }), "a=1,b+c=x%3Dy a\n b\n");
    assert.equal(await text(path), "a\nb\n");
    assert.equal(await text(path, { details: true, timestamps: true, tail: 1 }), "2026-01-02T03:04:00.000000000Z  b\n");
  });

  test("since and until take both ends in", async () => {
    const path = await file(...[1, 2, 3, 4].map((second) => line(`${second}\n`, second)), { ...line("late\n"), time: at(4, ".000000001") });
    assert.equal(await text(path, { since: nanos(2) }), "2\n3\n4\nlate\n");
    assert.equal(await text(path, { since: nanos(2) + 1n }), "3\n4\nlate\n");
    assert.equal(await text(path, { until: nanos(4) }), "1\n2\n3\n4\n");
    assert.equal(await text(path, { since: nanos(2), until: nanos(3), stderr: false }), "2\n3\n");
  });

  test("tail gives the last lines, from however many files", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(40_000), { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
        fc.nat(12),
        fc.boolean(),
        async (sizes, tail, packed) => {
          let number = 0;
          const files = sizes.map((lines) => lines.map((size) => line(`${number++} ${"x".repeat(size)}\n`)));
          const path = await file(...(files.at(-1) ?? []));
          for (const [age, entries] of files.slice(0, -1).reverse().entries()) {
            const bytes = Buffer.from(entries.map(encode).join(""));
            if (packed && age > 0) await writeFile(`${path}.${age + 1}.gz`, gzipSync(bytes));
            else await writeFile(`${path}.${age + 1}`, bytes);
          }
          const expected = files.flat().map(({ log }) => log);
          assert.equal(await text(path), expected.join(""));
          assert.equal(await text(path, { tail }), tail === 0 ? "" : expected.slice(-tail).join(""));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("who does not follow gets the lines that there were, though more are written meanwhile", async () => {
    const path = await file(...Array.from({ length: 100 }, (_, index) => line(`${index}\n`)));
    const writer = spawn("sh", [
      "-c",
      `i=0; while [ $i -lt 300000 ]; do printf '%s\\n' "$1"; i=$((i + 1)); done >> "$2"`,
      "sh",
      encode(line("more\n")).trimEnd(),
      path,
    ]);
    try {
      for (const tail of [1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) assert.equal((await text(path, { tail })).split("\n").length - 1, tail);
      assert.match(await text(path), /^0\n1\n/);
    } finally {
      writer.kill("SIGKILL");
    }
  });

  test("what is torn or damaged is passed over, and only that", async () => {
    const torn = encode(line("torn\n")).slice(0, 20);
    const path = await file(
      line("1\n"),
      torn,
      line("2\n"),
      "garbage\n",
      "\0\0\0\0",
      line("3\n"),
      '{"log":5,"stream":"stdout"}\n',
      "\n",
      line("4\n"),
      torn,
    );
    assert.equal(await text(path), "1\n2\n3\n4\n");
    const whole = await file(line("1\n"), encode(line("2\n")).trimEnd());
    assert.equal(await text(whole), "1\n2\n");
    assert.equal(await text(whole, { tail: 1 }), "2\n");
  });

  test("other writers' fields and offsets are understood", async () => {
    const path = await file('{"stream":"stderr","time":"2026-01-02T05:04:01.5+02:00","log":"a\\n"}\n');
    assert.equal(await text(path, { timestamps: true }), "2026-01-02T03:04:01.500000000Z a\n");
    assert.equal(await text(path, { since: nanos(2) }), "");
  });
});

describe("following", () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp("/tmp/berth-test-logs-");
    path = join(folder, "log");
  });
  after(() => rm(folder, { recursive: true }));

  /** Collects until the stream ends. */
  function followed(options: Partial<ReadLogOptions> = {}): {
    result: Promise<string>;
    end: () => void;
    abort: () => void;
    seen: () => string;
  } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const controller = new AbortController();
    let seen = "";
    const run = async (): Promise<string> => {
      for await (const chunk of readLog({ path }, { ...all, follow: controller.signal, writerEnded: promise, ...options }))
        seen += Buffer.from(chunk).toString();
      return seen;
    };
    return { result: run(), end: resolve, abort: () => controller.abort(), seen: () => seen };
  }

  async function until(what: () => boolean): Promise<void> {
    for (let tries = 0; tries < 400 && !what(); tries++) await new Promise((done) => setTimeout(done, 10));
    assert.ok(what(), `${what}`);
  }

  test("gives what is written, at once, and ends with the writer", async () => {
    await rm(path, { force: true });
    const reader = followed();
    await writeFile(path, encode(line("1\n")));
    await until(() => reader.seen() === "1\n");
    await appendFile(path, encode(line("2\n")).slice(0, 15));
    await appendFile(path, encode(line("2\n")).slice(15));
    await until(() => reader.seen() === "1\n2\n");
    await appendFile(path, encode(line("3\n")));
    reader.end();
    assert.equal(await reader.result, "1\n2\n3\n");
  });

  test("tail 0 gives only what comes", async () => {
    await writeFile(path, encode(line("old\n")));
    const reader = followed({ tail: 0 });
    await new Promise((done) => setTimeout(done, 50));
    await appendFile(path, encode(line("new\n")));
    await until(() => reader.seen() === "new\n");
    reader.abort();
    assert.equal(await reader.result, "new\n");
  });

  test("ends at `until`", async () => {
    await writeFile(path, encode({ ...line("1\n"), time: new Date().toISOString() }));
    const reader = followed({ until: BigInt(Date.now() + 300) * 1_000_000n });
    assert.equal(await reader.result, "1\n");
  });

  test("neither loses nor doubles a line over rotations", async () => {
    const total = 3000;
    await writeFile(path, "");
    const reader = followed();
    let text = "";
    for (let i = 0; i < total; i++) {
      await appendFile(path, encode(line(`${i}\n`)));
      text += `${i}\n`;
      if (i % 97 === 96) {
        // Twice in a row now and then, so that the reader's file is two names away.
        for (let n = 8; n > 0; n--) await rename(n === 1 ? path : `${path}.${n - 1}`, `${path}.${n}`).catch(() => undefined);
        await writeFile(path, "");
        if (i % 194 === 96) await new Promise((done) => setTimeout(done, 5));
      }
    }
    reader.end();
    assert.equal(await reader.result, text);
  });

  test("starts again when the one file is emptied", async () => {
    for (let n = 1; n < 10; n++) await rm(`${path}.${n}`, { force: true });
    await writeFile(path, encode(line("1\n")));
    const reader = followed();
    await until(() => reader.seen() === "1\n");
    await truncate(path);
    // Longer than before: only its bytes tell that the file is another one.
    await appendFile(path, encode(line("2\n")) + encode(line("3\n")));
    await until(() => reader.seen() === "1\n2\n3\n");
    reader.end();
    await reader.result;
  });

  test("a reader that leaves is let go", async () => {
    await writeFile(path, encode(line("1\n")));
    const controller = new AbortController();
    for await (const _ of readLog({ path }, { ...all, follow: controller.signal })) break;
    const reader = followed();
    await until(() => reader.seen() === "1\n");
    reader.abort();
    assert.equal(await reader.result, "1\n");
  });
});
