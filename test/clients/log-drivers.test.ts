/** Log drivers through the stock docker CLI, against receivers that the test runs. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";
import { gelfMessages, receiveDatagrams, StreamReceiver, unpackAll } from "../log-receivers.ts";

/** Lines that a text has whole. */
const linesOf = (text: string): string[] => text.split("\n").slice(0, -1);
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `n${n + 1}`);
/** Prints n1 … nCount. */
const counter = (count: number): string => `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo n$i; done`;

/** A datagram socket in the file system, which Node cannot listen at; prints each datagram as a line of hex. */
class PythonReceiver {
  readonly #child: ChildProcess;
  #text = "";

  private constructor(path: string) {
    const program = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("ready",flush=True)
while True: print(s.recv(1<<20).hex(),flush=True)`;
    this.#child = spawn("python3", ["-c", program, path], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout?.on("data", (chunk) => (this.#text += chunk));
  }

  static async listen(path: string): Promise<PythonReceiver> {
    const receiver = new PythonReceiver(path);
    await eventually("the receiver", async () => (receiver.#text.startsWith("ready") ? true : undefined));
    return receiver;
  }

  get datagrams(): Buffer[] {
    return linesOf(this.#text)
      .slice(1)
      .map((line) => Buffer.from(line, "hex"));
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}

describe("remote log drivers", () => {
  let daemon: Daemon;
  let folder: string;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    folder = mkdtempSync("/var/tmp/berth-test-logs-");
  });
  after(async () => {
    await daemon.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (driver: string, options: Record<string, string>, script: string, ...more: string[]): Promise<string> =>
    daemon.ok(
      ...["run", "--log-driver", driver, ...Object.entries(options).flatMap(([key, value]) => ["--log-opt", `${key}=${value}`])],
      ...[...more, "busybox", "sh", "-c", script],
    );

  test("syslog over UDP: the three formats, facility, severity, tag", async () => {
    const receiver = await receiveDatagrams();
    const address = { "syslog-address": `udp://127.0.0.1:${receiver.port}` };
    try {
      await run("syslog", { ...address, tag: "{{.Name}}/{{.ImageName}}" }, "echo out; echo err >&2", "--name", "plain");
      await run("syslog", { ...address, "syslog-format": "rfc3164", "syslog-facility": "local0", tag: "t" }, "echo out", "--rm");
      await run("syslog", { ...address, "syslog-format": "rfc5424", tag: "t" }, "echo out", "--rm");
      await run("syslog", { ...address, "syslog-format": "rfc5424micro", tag: "t" }, "echo out", "--rm");
      await eventually("five datagrams", async () => (receiver.datagrams.length >= 5 ? true : undefined));
      const texts = receiver.datagrams.map(String);
      const [error, plain] = texts.slice(0, 2).sort();
      const others = texts.slice(2);
      assert.match(plain ?? "", /^<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d plain\/busybox\[\d+\]: out\n$/);
      assert.match(error ?? "", /^<27>.* plain\/busybox\[\d+\]: err\n$/);
      assert.match(others[0] ?? "", new RegExp(`^<134>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d ${hostname()} t\\[\\d+\\]: out\\n$`));
      assert.match(
        others[1] ?? "",
        new RegExp(`^<30>1 \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(Z|[+-]\\d\\d:\\d\\d) ${hostname()} t \\d+ t - out\\n$`),
      );
      assert.match(
        others[2] ?? "",
        new RegExp(`^<30>1 \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}(Z|[+-]\\d\\d:\\d\\d) ${hostname()} t \\d+ t - out\\n$`),
      );
      assert.equal(await daemon.ok("logs", "plain"), "out", "the local cache is read");
      await daemon.ok("rm", "plain");
    } finally {
      receiver.close();
    }
  });

  test("syslog over TCP, a unix stream and unix datagrams: every line once", async () => {
    const tcp = await StreamReceiver.listen();
    const unix = await StreamReceiver.listen({ path: join(folder, "stream") });
    const datagrams = await PythonReceiver.listen(join(folder, "datagrams"));
    try {
      const texts: [string, () => string][] = [
        [`tcp://127.0.0.1:${tcp.port}`, () => tcp.text],
        [`unix://${folder}/stream`, () => unix.text],
        [`unixgram://${folder}/datagrams`, () => datagrams.datagrams.join("")],
      ];
      for (const [address, text] of texts) {
        await run("syslog", { "syslog-address": address }, counter(2000), "--rm");
        await eventually(`all lines at ${address}`, async () => (text().includes(": n2000\n") ? true : undefined));
        assert.deepEqual(
          linesOf(text()).map((line) => line.replace(/^.*: /, "")),
          numbers(2000),
        );
      }
    } finally {
      datagrams.close();
      await Promise.all([tcp.close(), unix.close()]);
    }
  });

  test("syslog over TLS", async () => {
    const made = await command("sh", [
      "-c",
      `cd ${folder} && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost`,
    ]);
    assert.equal(made.status, 0, made.stderr);
    const [key, cert] = [readFileSync(join(folder, "key.pem")), readFileSync(join(folder, "cert.pem"))];
    const receiver = await StreamReceiver.listen({ host: "localhost" }, { key, cert });
    const address = { "syslog-address": `tcp+tls://localhost:${receiver.port}`, "syslog-format": "rfc5424" };
    try {
      await run("syslog", { ...address, "syslog-tls-ca-cert": join(folder, "cert.pem"), tag: "t" }, "echo one; echo two", "--rm");
      await eventually("the lines", async () => (receiver.text.includes("two") ? true : undefined));
      const [, length, first] = /^(\d+) (<30>1 .* t - one\n)\d+ <30>1 .* t - two\n$/.exec(receiver.text) ?? [];
      assert.equal(Number(length), first?.length, "each message has its length in front");
      const distrusted = await daemon.docker([
        "run",
        "--rm",
        "--log-driver",
        "syslog",
        "--log-opt",
        `syslog-address=${address["syslog-address"]}`,
        "busybox",
        "true",
      ]);
      assert.match(distrusted.stderr, /failed to initialize logging driver: .*self-signed certificate/);
      await run("syslog", { ...address, "syslog-tls-skip-verify": "true" }, "echo three", "--rm");
      await eventually("the line", async () => (receiver.text.includes("three") ? true : undefined));
    } finally {
      await receiver.close();
    }
  });

  test("gelf over UDP, in chunks, packed or not; over TCP", async () => {
    const udp = await receiveDatagrams();
    const tcp = await StreamReceiver.listen();
    const script = "echo short; head -c 6000 /dev/urandom | od -An -tx1 | tr -d ' \\n'; echo; echo; echo err >&2";
    try {
      for (const compression of ["gzip", "zlib", "none"]) {
        udp.datagrams.length = 0;
        const options = { "gelf-address": `udp://127.0.0.1:${udp.port}`, "gelf-compression-type": compression, labels: "l", env: "E" };
        await run("gelf", { ...options, tag: "x" }, script, "--name", "gelf", "--label", "l=v", "-e", "E=w");
        const messages = await eventually("three messages", async () => {
          const found = gelfMessages(udp.datagrams);
          return found.length === 3 ? found : undefined;
        });
        assert.ok(udp.datagrams.every(({ length }) => length <= 1420));
        assert.ok(udp.datagrams.length > 5, "the long one goes in chunks");
        const short = messages.find((message) => message["short_message"] === "short") ?? {};
        const { timestamp, _container_id: id, _image_id: image, _created: created, ...rest } = short;
        assert.deepEqual(rest, {
          version: "1.1",
          host: hostname(),
          short_message: "short",
          level: 6,
          _container_name: "gelf",
          _image_name: "busybox",
          _command: `sh -c ${script}`,
          _tag: "x",
          _l: "v",
          _E: "w",
        });
        assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60);
        assert.match(`${id} ${image} ${created}`, /^[0-9a-f]{64} sha256:[0-9a-f]{64} \d{4}-.*Z$/);
        assert.equal(messages.find((message) => message["short_message"] === "err")?.["level"], 3);
        assert.equal(messages.filter((message) => String(message["short_message"]).length === 12000).length, 1);
        await daemon.ok("rm", "gelf");
      }
      await run("gelf", { "gelf-address": `tcp://127.0.0.1:${tcp.port}` }, counter(500), "--rm");
      await eventually("the end", async () => (tcp.text.includes('"n500"') ? true : undefined));
      const messages = tcp.text.split("\0").slice(0, -1);
      assert.deepEqual(
        messages.map((text) => (JSON.parse(text) as Record<string, unknown>)["short_message"]),
        numbers(500),
      );
    } finally {
      udp.close();
      await tcp.close();
    }
  });

  test("fluentd: records, pieces of long lines, times, acknowledgements", async () => {
    const receiver = await StreamReceiver.listen();
    const unix = await StreamReceiver.listen({ path: join(folder, "fluentd") });
    const address = { "fluentd-address": `127.0.0.1:${receiver.port}` };
    const events = (from: StreamReceiver): [string, unknown, Record<string, string>, Record<string, string>][] =>
      unpackAll(from.bytes) as [string, unknown, Record<string, string>, Record<string, string>][];
    try {
      const script = "echo short; head -c 40000 /dev/zero | tr '\\0' a; echo; echo err >&2";
      await run("fluentd", { ...address, tag: "t.{{.Name}}", env: "E" }, script, "--name", "fluent", "-e", "E=w");
      const found = await eventually("five events", async () => (events(receiver).length >= 5 ? events(receiver) : undefined));
      const out = found.filter(([, , record]) => record["source"] === "stdout");
      const [tag, time, { container_id: id = "", ...record } = {}, option] = out[0] ?? [];
      assert.deepEqual([tag, record, option], ["t.fluent", { container_name: "/fluent", source: "stdout", log: "short", E: "w" }, {}]);
      assert.equal(id.length, 64);
      assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60);
      const pieces = out.slice(1).map(([, , piece]) => piece);
      assert.deepEqual(
        pieces.map((piece) => [piece["log"]?.length, piece["partial_message"], piece["partial_ordinal"], piece["partial_last"]]),
        [
          [16384, "true", "1", "false"],
          [16384, "true", "2", "false"],
          [7232, "true", "3", "true"],
        ],
      );
      assert.equal(new Set(pieces.map((piece) => piece["partial_id"])).size, 1);
      assert.equal((await daemon.ok("logs", "fluent")).split("\n")[1]?.length, 40000, "read back as one line");
      await daemon.ok("rm", "fluent");

      const before = receiver.bytes.length;
      receiver.onData = (socket) => {
        for (const [, , , chunk] of unpackAll(receiver.bytes.subarray(before)) as [string, unknown, unknown, Record<string, string>][]) {
          const ack = Buffer.from(chunk["chunk"] ?? "");
          socket.write(Buffer.concat([Buffer.from([0x81, 0xa3]), Buffer.from("ack"), Buffer.from([0xa0 | ack.length]), ack]));
        }
      };
      await run("fluentd", { ...address, "fluentd-request-ack": "true", "fluentd-sub-second-precision": "true" }, counter(3), "--rm");
      const [first] = unpackAll(receiver.bytes.subarray(before)) as [string, Buffer, Record<string, string>, Record<string, string>][];
      assert.equal(first?.[1][0], 0, "the type of an EventTime");
      assert.ok(Math.abs((first?.[1].readUInt32BE(1) ?? 0) - Date.now() / 1000) < 60);
      await run("fluentd", { "fluentd-address": `unix://${folder}/fluentd` }, "echo through", "--rm");
      await eventually("the event", async () => (events(unix).length === 1 ? true : undefined));
    } finally {
      await Promise.all([receiver.close(), unix.close()]);
    }
  });

  test("journald: fields of each message", async (t) => {
    const socket = "/run/systemd/journal/socket";
    if (existsSync(socket)) return t.skip("the host has a journal of its own");
    const refused = await daemon.docker(["run", "--rm", "--log-driver", "journald", "busybox", "true"]);
    assert.match(refused.stderr, /failed to initialize logging driver: journald is not enabled on this host/);
    const made = mkdirSync("/run/systemd/journal", { recursive: true });
    const receiver = await PythonReceiver.listen(socket);
    try {
      await run(
        "journald",
        { labels: "some.label", tag: "{{.Name}}" },
        "echo out; echo err >&2",
        "--name",
        "journal",
        "--label",
        "some.label=v",
      );
      const messages = await eventually("two", async () => (receiver.datagrams.length >= 2 ? receiver.datagrams.map(String) : undefined));
      const out = messages.find((message) => message.includes("MESSAGE=out\n")) ?? "";
      for (const field of [
        "PRIORITY=6",
        "CONTAINER_NAME=journal",
        "CONTAINER_TAG=journal",
        "SYSLOG_IDENTIFIER=journal",
        "IMAGE_NAME=busybox",
        "SOME_LABEL=v",
      ])
        assert.ok(out.includes(`${field}\n`), `${field} in ${out}`);
      assert.match(out, /^CONTAINER_ID=[0-9a-f]{12}$/m);
      assert.match(out, /^CONTAINER_ID_FULL=[0-9a-f]{64}$/m);
      assert.ok(messages.some((message) => message.includes("MESSAGE=err\nPRIORITY=3\n")));
      assert.equal(await daemon.ok("logs", "journal"), "out");
      await daemon.ok("rm", "journal");
    } finally {
      receiver.close();
      rmSync(made ?? socket, { recursive: true, force: true });
    }
  });

  test("a receiver that is not there fails the start, unless it may come later", async () => {
    const gone = await StreamReceiver.listen();
    const { port } = gone;
    await gone.close();
    const refusal = `dial tcp 127.0.0.1:${port}: connect: connection refused`;
    const attempt = (driver: string, option: string) =>
      daemon.docker(["run", "--rm", "--log-driver", driver, "--log-opt", option, "busybox", "true"]);
    const failed = "docker: Error response from daemon: failed to create task for container: failed to initialize logging driver: ";
    for (const [driver, option, why] of [
      ["syslog", `syslog-address=tcp://127.0.0.1:${port}`, refusal],
      ["gelf", `gelf-address=tcp://127.0.0.1:${port}`, `gelf: cannot connect to GELF endpoint: 127.0.0.1:${port} ${refusal}`],
      ["fluentd", `fluentd-address=127.0.0.1:${port}`, refusal],
      ["fluentd", "fluentd-address=unix:///nosuch", "dial unix /nosuch: connect: no such file or directory"],
    ] as const) {
      const result = await attempt(driver, option);
      assert.equal(result.stderr.split("\n")[0], `${failed}${why}`);
      assert.notEqual(result.status, 0);
    }
    assert.equal(await daemon.ok("ps", "-aq"), "", "nothing is left of them");
    await run(
      "fluentd",
      { "fluentd-address": `127.0.0.1:${port}`, "fluentd-async": "true" },
      "echo early; sleep 1.5; echo late",
      "-d",
      "--name",
      "patient",
    );
    const receiver = await StreamReceiver.listen({ port });
    try {
      await eventually("both lines", async () => (unpackAll(receiver.bytes).length === 2 ? true : undefined));
      await daemon.ok("rm", "-f", "patient");
    } finally {
      await receiver.close();
    }
  });

  test("a receiver that takes nothing does not stop the container, and gets every line in the end", async () => {
    const receiver = await StreamReceiver.listen();
    receiver.pause(true);
    const count = 200_000;
    try {
      await run(
        "syslog",
        { "syslog-address": `tcp://127.0.0.1:${receiver.port}`, "cache-max-size": "1m" },
        `seq ${count} | sed s/^/n/`,
        "-d",
        "--name",
        "slow",
      );
      assert.equal(await daemon.ok("wait", "slow"), "0");
      assert.ok(linesOf(receiver.text).length < count);
      receiver.pause(false);
      await eventually("all", async () => (receiver.text.endsWith(`: n${count}\n`) ? true : undefined), 60_000);
      assert.deepEqual(
        linesOf(receiver.text).map((line) => line.slice(line.indexOf(": ") + 2)),
        numbers(count),
      );
      const kept = await eventually("the cache to have its size again", async () => {
        const text = await daemon.ok("logs", "--tail", "all", "slow");
        return text.length < count * 5 ? text : undefined;
      });
      assert.ok(kept.endsWith(`n${count}`));
      await daemon.ok("rm", "slow");
    } finally {
      await receiver.close();
    }
  });

  test("a receiver that never takes anything does not keep a container from being removed", async () => {
    const receiver = await StreamReceiver.listen();
    receiver.pause(true);
    try {
      const options = { "syslog-address": `tcp://127.0.0.1:${receiver.port}` };
      await run("syslog", options, "yes 0123456789 | head -n 1000000; sleep 100", "-d", "--name", "deaf");
      await daemon.ok("exec", "deaf", "true");
      const start = Date.now();
      await daemon.ok("rm", "-f", "deaf");
      assert.ok(Date.now() - start < 8000, `${Date.now() - start} ms`);
    } finally {
      await receiver.close();
    }
  });

  test("a daemon that is ended and started again: every line once", async () => {
    const receiver = await StreamReceiver.listen();
    const count = 1500;
    try {
      const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo n$i; [ $((i%10)) = 0 ] && usleep 10000; done`;
      await run("syslog", { "syslog-address": `tcp://127.0.0.1:${receiver.port}` }, script, "-d", "--name", "ended");
      await new Promise((done) => setTimeout(done, 500));
      await daemon.kill("SIGTERM");
      await daemon.restart();
      await daemon.ok("wait", "ended");
      await eventually("the end", async () => (receiver.text.endsWith(`: n${count}\n`) ? true : undefined), 30_000);
      assert.deepEqual(
        linesOf(receiver.text).map((line) => line.replace(/^.*: /, "")),
        numbers(count),
      );
      await daemon.ok("rm", "ended");
    } finally {
      await receiver.close();
    }
  });

  test("kill -9 of the daemon: no line is lost, and at most the last batch comes twice", async () => {
    const receiver = await StreamReceiver.listen();
    const count = 3000;
    try {
      const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo n$i; [ $((i%10)) = 0 ] && usleep 10000; done`;
      await run("syslog", { "syslog-address": `tcp://127.0.0.1:${receiver.port}` }, script, "-d", "--name", "killed");
      for (let n = 0; n < 2; n++) {
        await new Promise((done) => setTimeout(done, 700));
        await daemon.kill("SIGKILL");
        await daemon.restart();
      }
      await daemon.ok("wait", "killed");
      await eventually("the end", async () => (receiver.text.endsWith(`: n${count}\n`) ? true : undefined), 30_000);
      const got = linesOf(receiver.text).map((line) => Number(line.replace(/^.*: n/, "")));
      assert.deepEqual(
        [...new Set(got)],
        Array.from({ length: count }, (_, n) => n + 1),
        "all of them, in order",
      );
      assert.ok(got.length - count <= 100, `${got.length - count} lines came twice`);
      await daemon.ok("rm", "killed");
    } finally {
      await receiver.close();
    }
  });
});

describe("the daemon's log defaults", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync("/var/tmp/berth-test-logs-");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("are checked when it starts", async () => {
    const validate = async (config: object): Promise<string> => {
      writeFileSync(join(folder, "daemon.json"), JSON.stringify(config));
      const result = await command(join(import.meta.dirname, "../../berthd"), ["--validate", "--config-file", join(folder, "daemon.json")]);
      return result.stderr.trim() + (result.status === 0 ? "" : ` (${result.status})`);
    };
    assert.match(
      await validate({ "log-opts": { x: "1" } }),
      /failed to set log opts: unknown log opt 'x' for json-file log driver.*\(1\)$/,
    );
    assert.match(
      await validate({ "log-driver": "syslog", "log-opts": { "syslog-facility": "zz" } }),
      /failed to set log opts: invalid syslog facility/,
    );
    assert.match(await validate({ "log-driver": "splunk" }), /error looking up logging plugin splunk: plugin "splunk" not found/);
    assert.doesNotMatch(await validate({ "log-driver": "gelf" }), /failed/);
  });

  test("are applied when a container is created", async () => {
    writeFileSync(
      join(folder, "daemon.json"),
      JSON.stringify({ "log-driver": "local", "log-opts": { "max-size": "1m", "cache-max-file": "3" } }),
    );
    const daemon = await Daemon.start(["--config-file", join(folder, "daemon.json")]);
    try {
      await importBusybox(daemon);
      const config = async (...options: string[]): Promise<unknown> => {
        const id = await daemon.ok("create", ...options, "busybox", "true");
        return JSON.parse(await daemon.ok("inspect", "-f", "{{json .HostConfig.LogConfig}}", id));
      };
      assert.deepEqual(await config(), { Type: "local", Config: { "max-size": "1m", "cache-max-file": "3" } });
      assert.deepEqual(await config("--log-opt", "max-size=2m"), { Type: "local", Config: { "max-size": "2m", "cache-max-file": "3" } });
      assert.deepEqual(await config("--log-driver", "json-file"), { Type: "json-file", Config: { "cache-max-file": "3" } });
      assert.equal(await daemon.ok("info", "-f", "{{.LoggingDriver}}"), "local");
    } finally {
      await daemon.close();
    }
  });
});
