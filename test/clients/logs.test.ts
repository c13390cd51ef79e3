/** json-file and local logs through the stock docker CLI: attributes, rotation, packing, reading what is asked for. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => `n${from + n}`);

describe("docker logs", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const logFolder = async (name: string): Promise<string> =>
    `${daemon.dataRoot}/containers/${await daemon.ok("inspect", "-f", "{{.Id}}", name)}`;
  const logFiles = async (name: string): Promise<string[]> =>
    readdirSync(await logFolder(name)).filter((file) => file.includes("-json.log"));

  test("attributes: labels, variables and a tag, in the file and with --details", async () => {
    const options = ["--log-opt", "labels=l,none", "--log-opt", "labels-regex=^r", "--log-opt", "env=E,F", "--log-opt", "env-regex=^x"];
    const tag = "{{.ID}}|{{.Name}}|{{.ImageName}}|{{.ImageID}}|{{.DaemonName}}|<&";
    const given = ["--label", "l=1", "--label", "r2=2", "-e", "E=é", "-e", "xx=3", "-e", "F=a b=c"];
    await daemon.ok("run", "--name", "attrs", ...options, "--log-opt", `tag=${tag}`, ...given, "busybox", "echo", "hi");
    const id = await daemon.ok("inspect", "-f", "{{.Id}} {{.Image}}", "attrs");
    const [container = "", image = ""] = id.split(" ");
    const path = await daemon.ok("inspect", "-f", "{{.LogPath}}", "attrs");
    const expanded = `${container.slice(0, 12)}|attrs|busybox|${image.slice(0, 12)}|docker|`;
    const line = readFileSync(path, "utf8");
    assert.ok(
      line.startsWith(
        `{"log":"hi\\n","stream":"stdout","attrs":{"E":"é","F":"a b=c","l":"1","r2":"2","tag":"${expanded}\\u003c\\u0026","xx":"3"},"time":"2`,
      ),
      line,
    );
    const encoded = encodeURIComponent(`${expanded}<&`);
    assert.equal(await daemon.ok("logs", "--details", "attrs"), `E=%C3%A9,F=a+b%3Dc,l=1,r2=2,tag=${encoded},xx=3 hi`);
    assert.equal(await daemon.ok("logs", "attrs"), "hi");
    await daemon.ok("rm", "attrs");
  });

  test("a rotation loses nothing and doubles nothing for who follows; packed files are read too", async () => {
    const count = 20_000;
    const options = ["--log-opt", "max-size=100k", "--log-opt", "max-file=200", "--log-opt", "compress=true"];
    const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo n$i; [ $((i%400)) = 0 ] && usleep 20000; done; exit 0`;
    await daemon.ok("run", "-d", "--name", "rotated", ...options, "busybox", "sh", "-c", script);
    const followers = [daemon.docker(["logs", "-f", "rotated"])];
    await sleep(300);
    followers.push(daemon.docker(["logs", "-f", "rotated"]), daemon.docker(["logs", "-f", "--tail", "all", "rotated"]));
    const expected = numbers(1, count);
    for (const { stdout } of await Promise.all(followers)) assert.deepEqual(stdout.trimEnd().split("\n"), expected);
    await daemon.ok("wait", "rotated");
    const packed = await eventually("all but the newest to be packed", async () => {
      const files = await logFiles("rotated");
      return files.length > 10 && files.filter((file) => file.endsWith(".gz")).length === files.length - 1 ? files : undefined;
    });
    const folder = await logFolder("rotated");
    const first = gunzipSync(readFileSync(`${folder}/${packed.find((file) => file.endsWith(`.${packed.length - 1}.gz`))}`)).toString();
    assert.ok(first.startsWith('{"log":"n1\\n","stream":"stdout","time":"'), "any program can read them");
    for (const file of packed.filter((name) => !name.endsWith(".gz"))) assert.ok(statSync(`${folder}/${file}`).size < 100_200);
    assert.deepEqual((await daemon.ok("logs", "rotated")).split("\n"), expected);
    assert.deepEqual((await daemon.ok("logs", "--tail", "5000", "rotated")).split("\n"), expected.slice(-5000));
    const stamped = (await daemon.ok("logs", "--timestamps", "rotated")).split("\n").map((line) => line.split(" "));
    for (const n of [0, 7000, 15_000, count - 2]) {
      const [since = "", line] = stamped[n] ?? [];
      const times = stamped.map(([time = ""]) => time);
      assert.equal(line, expected[n]);
      const from = times.findIndex((time) => time >= since);
      const to = times.findLastIndex((time) => time <= since);
      assert.deepEqual((await daemon.ok("logs", "--since", since, "rotated")).split("\n"), expected.slice(from));
      assert.deepEqual((await daemon.ok("logs", "--until", since, "rotated")).split("\n"), expected.slice(0, to + 1));
      assert.deepEqual(
        (await daemon.ok("logs", "--since", since, "--tail", "3", "rotated")).split("\n"),
        expected.slice(Math.max(from, count - 3)),
      );
    }
    await daemon.ok("rm", "rotated");
  });

  test("only so many files as asked for are kept, with or without packing", async () => {
    for (const compress of ["true", "false"]) {
      const options = ["--log-opt", "max-size=20k", "--log-opt", "max-file=3", "--log-opt", `compress=${compress}`];
      await daemon.ok("run", "--name", "few", ...options, "busybox", "sh", "-c", "seq 20000 | sed s/^/n/");
      const files = await eventually("three files", async () => {
        const found = await logFiles("few");
        return found.length === 3 && (compress === "false" || found.filter((file) => file.endsWith(".gz")).length === 2)
          ? found
          : undefined;
      });
      assert.equal(files.length, 3);
      const lines = (await daemon.ok("logs", "few")).split("\n");
      assert.deepEqual(lines, numbers(20_001 - lines.length, 20_000));
      await daemon.ok("rm", "few");
    }
    await daemon.ok("run", "--name", "one", "--log-opt", "max-size=20k", "busybox", "sh", "-c", "seq 20000 | sed s/^/n/");
    assert.equal((await logFiles("one")).length, 1);
    assert.equal(await daemon.ok("logs", "--tail", "1", "one"), "n20000");
    await daemon.ok("rm", "one");
  });

  test("a daemon that is killed does not lose what was to be packed", async () => {
    const options = ["--log-driver", "local", "--log-opt", "max-size=100k", "--log-opt", "max-file=100"];
    const script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo n$i; [ $((i%200)) = 0 ] && usleep 10000; done; exit 0";
    await daemon.ok("run", "-d", "--name", "killed", ...options, "busybox", "sh", "-c", script);
    await sleep(300);
    await daemon.kill("SIGKILL");

    await daemon.restart();
    await daemon.ok("wait", "killed");
    await eventually("all but the newest to be packed", async () => {
      const files = await logFiles("killed");
      return files.length > 5 && files.every((file) => /\.(log|gz)$/.test(file)) ? true : undefined;
    });
    assert.deepEqual((await daemon.ok("logs", "killed")).split("\n"), numbers(1, 20_000));
    assert.equal(await daemon.ok("inspect", "-f", "{{.LogPath}}", "killed"), "", "as Docker has it for `local`");
    await daemon.ok("rm", "killed");
  });

  test("attach with logs=1: the log and then the stream, each byte once", async () => {
    const count = 6000;
    // Every third line comes in two halves, so that some attach in the middle of one.
    const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); if [ $((i%3)) = 0 ]; then printf n; [ $((i%30)) = 0 ] && usleep 10000; echo $i; else echo n$i; fi; done`;
    await daemon.ok(
      "run",
      "-d",
      "-t",
      "--name",
      "both",
      "--log-opt",
      "max-size=20k",
      "--log-opt",
      "max-file=100",
      "busybox",
      "sh",
      "-c",
      `stty -onlcr; ${script}`,
    );
    const attach = (): Promise<{ stdout: string }> =>
      command("curl", [
        "-sN",
        "--unix-socket",
        daemon.host.slice("unix://".length),
        "-X",
        "POST",
        "http://d/v1.51/containers/both/attach?logs=1&stream=1&stdout=1",
      ]);
    const sessions: Promise<{ stdout: string }>[] = [];
    for (let n = 0; n < 12; n++) {
      sessions.push(attach());
      await sleep(100 + 7 * n);
    }
    for (const { stdout } of await Promise.all(sessions)) assert.equal(stdout, `${numbers(1, count).join("\n")}\n`);
    await daemon.ok("rm", "-f", "both");
  });

  test("the last lines of a long log, and its last minute, are read without the rest", async () => {
    await daemon.ok("run", "--name", "long", "busybox", "true");
    const path = await daemon.ok("inspect", "-f", "{{.LogPath}}", "long");
    const lines = 600_000;
    const now = Date.now();
    const padding = "x".repeat(300);
    const time = (n: number): string => new Date(now - (lines - n) * 10).toISOString();
    for (let n = 0; n < lines; ) {
      let text = "";
      for (const end = n + 100_000; n < end; n++) text += `{"log":"line ${n} ${padding}\\n","stream":"stdout","time":"${time(n)}"}\n`;
      writeFileSync(path, text, { flag: "a" });
    }
    const size = statSync(path).size;
    assert.ok(size > 200_000_000);
    const bytesRead = (): number => Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${daemon.pid}/io`, "utf8"))?.[1]);
    const cost = async (...args: string[]): Promise<{ output: string; bytes: number }> => {
      const start = bytesRead();
      const output = await daemon.ok("logs", ...args, "long");
      return { output, bytes: bytesRead() - start };
    };
    const tail = await cost("--tail", "10");
    assert.match(tail.output, /^line 599990 (.*\n){9}line 599999 x+$/);
    assert.ok(tail.bytes < 1_000_000, `${tail.bytes} bytes for the last lines`);
    const minute = await cost("--since", "1m");
    const found = minute.output.split("\n");
    assert.ok(found.length > 3000 && found.length < 6001 && (found.at(-1) ?? "").startsWith("line 599999 "), `${found.length} lines`);
    assert.ok(minute.bytes < 4_000_000, `${minute.bytes} bytes for the last minute`);
    const middle = await cost("--since", time(300_000), "--until", time(300_009));
    assert.deepEqual(
      middle.output.split("\n").map((line) => line.split(" ")[1]),
      Array.from({ length: 10 }, (_, n) => String(300_000 + n)),
    );
    assert.ok(middle.bytes < 2_000_000, `${middle.bytes} bytes for ten lines in the middle`);
    await daemon.ok("rm", "long");
  });

  test("every byte is kept by drivers whose files nobody else reads", async () => {
    const script = "head -c 50000 /dev/urandom >/bytes; cat /bytes";
    await daemon.ok("run", "-d", "--name", "bytes", "--log-driver", "local", "busybox", "sh", "-c", script);
    await daemon.ok("wait", "bytes");
    const docker = `docker -H ${daemon.host}`;
    const sums = await command("sh", ["-c", `${docker} logs bytes | md5sum; ${docker} cp bytes:/bytes - | tar -xO | md5sum`]);
    const [logged, printed] = sums.stdout.split("\n");
    assert.equal(logged, printed);
    await daemon.ok("rm", "bytes");
  });

  test("options are refused in Docker's words", async () => {
    const attempt = async (...options: string[]): Promise<string> => {
      const args = options.flatMap((option) => (option.startsWith("-") ? [option] : ["--log-opt", option]));
      const result = await daemon.docker(["run", "--rm", ...args, "busybox", "true"]);
      assert.equal(result.status, 125, result.stderr);
      return (result.stderr.split("\n")[0] ?? "").replace("docker: Error response from daemon: ", "");
    };
    const start = "failed to create task for container: failed to initialize logging driver: ";
    const [local, syslog, gelf, fluentd] = ["local", "syslog", "gelf", "fluentd"].map((name) => `--log-driver=${name}`) as [
      string,
      string,
      string,
      string,
    ];
    const udp = "gelf-address=udp://127.0.0.1:9";
    const refusals: [string[], string][] = [
      [["--log-driver=foo"], 'error looking up logging plugin foo: plugin "foo" not found'],
      [["--log-driver=splunk"], 'error looking up logging plugin splunk: plugin "splunk" not found'],
      [["--log-driver=awslogs"], 'error looking up logging plugin awslogs: plugin "awslogs" not found'],
      [["x=1"], "unknown log opt 'x' for json-file log driver"],
      [["max-size=abc"], `${start}invalid size: 'abc'`],
      [["max-size=0"], `${start}max-size must be a positive number`],
      [["max-file=0", "max-size=1k"], `${start}max-file cannot be less than 1`],
      [["max-file=a"], `${start}strconv.Atoi: parsing "a": invalid syntax`],
      [["compress=true"], `${start}compress cannot be true when max-file is less than 2 or max-size is not set`],
      [["compress=maybe"], `${start}strconv.ParseBool: parsing "maybe": invalid syntax`],
      [["mode=fast"], "logger: logging mode not supported: fast"],
      [["max-buffer-size=1m"], "logger: max-buffer-size option is only supported with 'mode=non-blocking'"],
      [["mode=non-blocking", "max-buffer-size=zz"], "error parsing option max-buffer-size: invalid size: 'zz'"],
      [["tag={{.Foo}}"], `${start}template: log-tag:1:2: executing "log-tag" at <.Foo>: can't evaluate field Foo in type *logger.Info`],
      [["tag={{.ID"], `${start}template: log-tag:1: unclosed action`],
      [["cache-disabled=x"], "invalid value for option cache-disabled: x"],
      [[local, "labels=a"], "unknown log opt 'labels' for log driver local"],
      [[local, "max-file=1"], `${start}compression cannot be enabled when max file count is 1`],
      [[local, "max-size=q"], `${start}invalid value for max-size: q: invalid size: 'q'`],
      [[syslog, "x=1"], "unknown log opt 'x' for syslog log driver"],
      [[syslog, "syslog-address=foo"], "syslog-address should be in form proto://address, got foo"],
      [[syslog, "syslog-address=foo://x"], "syslog-address should be in form proto://address, got foo://x"],
      [[syslog, "syslog-facility=zz"], "invalid syslog facility"],
      [[syslog, "syslog-format=zz"], "Invalid syslog format"],
      [[syslog, "syslog-address=udp://127.0.0.1:x"], 'parse "udp://127.0.0.1:x": invalid port ":x" after host'],
      [[gelf], "gelf-address is a required parameter"],
      [[gelf, "gelf-address=http://a:1"], "gelf-address should be in form proto://address, got http://a:1"],
      [[gelf, "gelf-address=udp://127.0.0.1"], "gelf: please provide gelf-address as proto://host:port"],
      [[gelf, udp, "x=1"], 'unknown log opt "x" for gelf log driver'],
      [[gelf, udp, "gelf-compression-type=z"], 'unknown value "z" for log opt "gelf-compression-type" for gelf log driver'],
      [[gelf, udp, "gelf-compression-level=11"], 'unknown value "11" for log opt "gelf-compression-level" for gelf log driver'],
      [[gelf, "gelf-address=tcp://127.0.0.1:9", "gelf-compression-type=gzip"], "compression is only supported on UDP"],
      [[gelf, udp, "gelf-tcp-max-reconnect=1"], '"gelf-tcp-max-reconnect" is only valid for TCP'],
      [[fluentd, "x=1"], "unknown log opt 'x' for fluentd log driver"],
      [[fluentd, "fluentd-buffer-limit=q"], "invalid size: 'q'"],
      [[fluentd, "fluentd-async=q"], 'strconv.ParseBool: parsing "q": invalid syntax'],
      [[fluentd, "fluentd-retry-wait=q"], 'time: invalid duration "q"'],
      [["--log-driver=journald", "x=1"], "unknown log opt 'x' for journald log driver"],
    ];
    for (const [options, words] of refusals) assert.equal(await attempt(...options), words);
    assert.equal(await daemon.ok("ps", "-aq"), "");
  });

  test("drivers that keep nothing say so", async () => {
    await daemon.ok("run", "--name", "none", "--log-driver", "none", "busybox", "echo", "hi");
    const off = ["--log-driver", "gelf", "--log-opt", "gelf-address=udp://127.0.0.1:9", "--log-opt", "cache-disabled=true"];
    await daemon.ok("run", "--name", "uncached", ...off, "busybox", "echo", "hi");
    for (const name of ["none", "uncached"]) {
      const result = await daemon.docker(["logs", name]);
      assert.equal(result.stderr.trim(), "Error response from daemon: configured logging driver does not support reading");
      await daemon.ok("rm", name);
    }
  });
});
