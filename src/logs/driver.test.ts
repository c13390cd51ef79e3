import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attributesOf } from "./attributes.ts";
import { checkLogConfig, isReadable, planLog } from "./driver.ts";
import { chunksOf } from "./drivers/gelf.ts";
import { journalFormatter } from "./drivers/journald.ts";
import { Packed, pack, unpackTexts } from "./drivers/msgpack.ts";
import { formatSyslog } from "./drivers/syslog-format.ts";
import type { LogInfo, LogMessage } from "./logs.ts";
import { MessageReader } from "./messages.ts";
import { expandTag } from "./tag.ts";

const info = (options: Record<string, string> = {}): LogInfo => ({
  containerId: "0123456789abcdef".repeat(4),
  containerName: "web",
  imageId: `sha256:${"ab".repeat(32)}`,
  imageName: "busybox",
  command: ["sh", "-c", "x"],
  created: "2026-01-02T03:04:05Z",
  env: ["A=1", "B=x=y", "NOVALUE"],
  labels: { "some.label": "v", other: "w" },
  options,
  hostname: "host",
});
const message = (text: string, more: Partial<LogMessage> = {}): LogMessage => ({
  text: Buffer.from(text),
  stream: "stdout",
  timeNanos: 1_767_323_045_123_456_789n,
  ...more,
});

describe("log options", () => {
  test("what the monitor is to write", () => {
    const plan = (name: string, options: Record<string, string> = {}) => {
      const { remote, ...rest } = planLog(name, info(options)) ?? {};
      return { ...rest, ...(remote === undefined ? {} : { remote: remote.name }) };
    };
    assert.deepEqual(plan("json-file"), { maxBytes: 0, maxFiles: 1, keep: 1, compress: false, raw: false });
    assert.deepEqual(plan("json-file", { "max-size": "10k", "max-file": "3", compress: "true" }), {
      maxBytes: 10_000,
      maxFiles: 3,
      keep: 3,
      compress: true,
      raw: false,
    });
    assert.deepEqual(plan("json-file", { env: "B", labels: "some.label" }), {
      ...plan("json-file"),
      attrs: '{"B":"x=y","some.label":"v"}',
    });
    assert.deepEqual(plan("local"), { maxBytes: 20 * 2 ** 20, maxFiles: 5, keep: 5, compress: true, raw: true });
    assert.deepEqual(plan("journald", { "cache-max-size": "1m", "cache-max-file": "2", "cache-compress": "false" }), {
      maxBytes: 1_000_000,
      maxFiles: 202,
      keep: 2,
      compress: false,
      raw: true,
      remote: "journald",
    });
    assert.equal(planLog("journald", info({ mode: "non-blocking" }))?.maxFiles, 5, "then a rotation does not wait for the receiver");
    assert.equal(planLog("none", info()), undefined);
  });

  test("what is readable", () => {
    assert.ok(isReadable("syslog", {}));
    assert.ok(!isReadable("syslog", { "cache-disabled": "1" }));
    assert.ok(isReadable("local", { "cache-disabled": "1" }));
    assert.ok(!isReadable("none", {}));
  });

  test("unknown drivers and options are refused; `none` takes any", () => {
    assert.doesNotThrow(() => checkLogConfig("none", { x: "1", mode: "fast" }));
    assert.doesNotThrow(() => checkLogConfig("json-file", { "cache-max-size": "1m", mode: "non-blocking", "max-buffer-size": "4m" }));
    for (const name of ["splunk", "awslogs", "gcplogs", "etwlogs", "logentries"])
      assert.throws(() => checkLogConfig(name, {}), { message: `error looking up logging plugin ${name}: plugin "${name}" not found` });
  });

  test("tags", () => {
    assert.equal(expandTag("a {{.Name}}-{{ .ID }} {{- .DaemonName -}} !", info()), "a web-0123456789abdocker!");
    assert.equal(expandTag("{{.ImageID}}", info()), "sha256:ababa");
    assert.throws(() => expandTag("{{.Nope}}", info()), /can't evaluate field Nope/);
  });

  test("attributes by name and by pattern, renamed", () => {
    const upper = (name: string): string => name.toUpperCase();
    assert.deepEqual(attributesOf(info({ env: "A,C", "env-regex": "^NO", "labels-regex": "(?i)^SOME" }), upper), {
      "SOME.LABEL": "v",
      A: "1",
    });
    assert.throws(() => attributesOf(info({ "env-regex": "(" })), /error parsing regexp: /);
  });
});

describe("what goes over the wire", () => {
  test("syslog counts bytes, not letters", () => {
    const identity = { facility: 3, hostname: "h", tag: "t", pid: 1 };
    const line = formatSyslog("rfc5424", message("é"), identity, true).toString();
    const [, count] = /^(\d+) /.exec(line) ?? [];
    assert.equal(Number(count), Buffer.byteLength(line.slice(line.indexOf(" ") + 1)));
  });

  test("gelf chunks of a datagram each; what does not fit into 128 cannot go", () => {
    assert.equal(chunksOf(Buffer.alloc(1420)).length, 1);
    const chunks = chunksOf(Buffer.from("ab".repeat(1500)));
    assert.deepEqual(
      chunks.map((chunk) => [chunk.readUInt16BE(0), chunk[10], chunk[11], chunk.length]),
      [
        [0x1e0f, 0, 3, 1420],
        [0x1e0f, 1, 3, 1420],
        [0x1e0f, 2, 3, 12 + 3000 - 2 * 1408],
      ],
    );
    assert.equal(new Set(chunks.map((chunk) => chunk.toString("hex", 2, 10))).size, 1);
    assert.equal(Buffer.concat(chunks.map((chunk) => chunk.subarray(12))).toString(), "ab".repeat(1500));
    assert.equal(chunksOf(Buffer.alloc(128 * 1408)).length, 128);
    assert.deepEqual(chunksOf(Buffer.alloc(128 * 1408 + 1)), []);
  });

  test("msgpack", () => {
    assert.equal(pack(["t", 5, { a: "b" }, []]).toString("hex"), "94a1740581a161a16290");
    assert.equal(pack(0x6957_35a5).toString("hex"), "d2695735a5");
    assert.equal(pack(2 ** 31).toString("hex"), "d30000000080000000");
    assert.equal(Packed.eventTime(5_000_000_007n).bytes.toString("hex"), "d7000000000500000007");
    for (const length of [31, 32, 255, 256, 65_535, 65_536]) {
      const bytes = pack("x".repeat(length));
      assert.equal(bytes.length, length + (length < 32 ? 1 : length < 256 ? 2 : length < 65_536 ? 3 : 5));
    }
    const ack = Buffer.concat([pack({ ack: "abc" }), Buffer.from([0x81])]);
    assert.deepEqual(unpackTexts(ack), { texts: new Map([["ack", "abc"]]), length: ack.length - 1 });
    assert.equal(unpackTexts(ack.subarray(0, 5)), undefined, "more is to come");
    assert.throws(() => unpackTexts(Buffer.from([5])));
  });

  test("journald: values of several lines have their length in front", () => {
    const bytes = journalFormatter({ ...info({ env: "M" }), env: ["M=a\nb"] })(
      message("text", { partial: { id: "i", ordinal: 2, last: false } }),
    );
    assert.ok(bytes.includes(Buffer.concat([Buffer.from("M\n"), Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("a\nb\n")])));
    assert.match(bytes.toString(), /^MESSAGE=text\nPRIORITY=6\nCONTAINER_ID=0123456789ab\n/);
    assert.match(
      bytes.toString(),
      /CONTAINER_PARTIAL_MESSAGE=true\nCONTAINER_PARTIAL_ID=i\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=false\n/,
    );
  });
});

describe("messages", () => {
  const line = (log: string, stream = "stdout"): Buffer => Buffer.from(JSON.stringify({ log, stream, time: "2026-01-02T03:04:05.5Z" }));
  const feed = (reader: MessageReader, ...lines: Buffer[]): void => {
    for (const bytes of lines) reader.line(bytes, 0, bytes.length);
  };

  test("pieces of a line are numbered, each stream for itself, and a later reader goes on counting", () => {
    const reader = new MessageReader();
    feed(reader, line("a\n"), line("b"), line("x\n", "stderr"), line("c"));
    const first = reader.take();
    assert.deepEqual(
      first.map(({ text, stream, partial }) => [text.toString(), stream, partial?.ordinal, partial?.last]),
      [
        ["a", "stdout", undefined, undefined],
        ["b", "stdout", 1, false],
        ["x", "stderr", undefined, undefined],
        ["c", "stdout", 2, false],
      ],
    );
    const later = new MessageReader(JSON.parse(JSON.stringify(reader.open)));
    feed(later, Buffer.from("no line"), line("d\n"), line("e\n"));
    const [last, whole] = later.take();
    assert.deepEqual(last?.partial, { id: first[1]?.partial?.id, ordinal: 3, last: true });
    assert.equal(whole?.partial, undefined);
    assert.equal(whole?.timeNanos, 1_767_323_045_500_000_000n);
  });
});
