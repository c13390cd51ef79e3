/**
 * Containers and archives that mean harm: what `docker cp` reads and writes stays inside the container's root
 * (CVE-2018-15664), runs nothing of it (CVE-2019-14271) and changes no mode of the host's (CVE-2021-41089).
 */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type SampleEntry, sampleTar } from "../../src/layers/sample-tar.ts";
import { Daemon, importBusybox } from "../daemon.ts";

const raceMs = 4000;

describe("docker cp under attack", () => {
  let daemon: Daemon;
  /** A directory of the host whose name the attackers know. */
  let host: string;
  const sh = (script: string): Promise<string> => daemon.ok("exec", "evil", "sh", "-ec", script);

  before(async () => {
    daemon = await Daemon.start();
    host = mkdtempSync("/var/tmp/berth-test-sentinel-");
    writeFileSync(join(host, "secret"), "of the host");
    mkdirSync(join(host, "etc"));
    chmodSync(join(host, "etc"), 0o751);
    await importBusybox(daemon);
    await daemon.ok("run", "-d", "--name", "evil", "busybox", "sleep", "1000");
  });
  after(async () => {
    rmSync(host, { recursive: true, force: true });
    await daemon.close();
  });

  /** Archive calls straight to the API: more a second than a CLI makes. */
  function call(method: string, path: string, body?: Buffer): Promise<{ status: number; body: Buffer }> {
    return new Promise((done, fail) => {
      const asked = request({ socketPath: daemon.host.slice("unix://".length), method, path }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => done({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
        answer.on("error", () => done({ status: 0, body: Buffer.concat(chunks) }));
      });
      asked.on("error", fail);
      asked.end(body);
    });
  }

  const put = (container: string, path: string, ...entries: SampleEntry[]): Promise<{ status: number; body: Buffer }> =>
    call("PUT", `/containers/${container}/archive?path=${encodeURIComponent(path)}`, sampleTar(...entries));

  function assertHostIsUntouched(): void {
    assert.deepEqual(readdirSync(host).sort(), ["etc", "secret"]);
    assert.deepEqual(readdirSync(join(host, "etc")), []);
    assert.equal(readFileSync(join(host, "secret"), "utf8"), "of the host");
    assert.equal(statSync(join(host, "etc")).mode & 0o7777, 0o751);
  }

  test("links swapped under a running copy lead neither in nor out", async () => {
    // A directory becomes a link to the host's, a component above it too, and the other way round.
    await sh(`mkdir -p /w/x${host}`);
    const swap = `cd /w; while :; do
      rm -rf x; mkdir x; echo inside >x/secret; mkdir x/etc;
      rm -rf x; ln -s ${host} x; rm x; ln -s ../../../../../../..${host} x;
      rm x; ln -s /proc/1/root${host} x; rm x; ln -s /proc/self/cwd${host} x; done`;
    await daemon.ok("exec", "-d", "evil", "sh", "-c", swap);
    const end = Date.now() + raceMs;
    const seen = new Map<number, number>();
    let rounds = 0;
    const round = async (): Promise<void> => {
      for (; Date.now() < end; rounds++) {
        const answers = await Promise.all([
          call("GET", "/containers/evil/archive?path=/w/x/secret"),
          call("GET", "/containers/evil/archive?path=/w/x/."),
          call("GET", "/containers/evil/archive?path=/w"),
          put(
            "evil",
            "/w/x",
            { name: "secret", data: "pwned" },
            { name: "etc", type: "5", mode: 0o777 },
            { name: "etc/cron", data: "pwned" },
          ),
          put("evil", "/", { name: "w/x/secret", data: "pwned" }, { name: "w/x/etc", type: "5", mode: 0o777 }, { name: "w/x/new/f" }),
        ]);
        for (const { status, body } of answers) {
          seen.set(status, (seen.get(status) ?? 0) + 1);
          assert.ok(!body.includes("of the host"), "nothing of the host is read");
        }
      }
    };
    await round();
    assertHostIsUntouched();
    assert.ok(rounds > 10 && (seen.get(200) ?? 0) > 10, `${rounds} rounds: ${JSON.stringify([...seen])}`);
    await daemon.ok("restart", "-t", "0", "evil");
  });

  test("a link out of the root, stopped or running, ends inside", async () => {
    await sh(
      `rm -rf /w ${host}; mkdir /w; ln -s ${host} /w/abs; ln -s ../../../../../..${host} /w/rel; ln -s /proc/1/root /w/magic; mkdir -p ${host}; echo inside >${host}/secret`,
    );
    for (const state of ["running", "exited"]) {
      assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}}", "evil"), state);
      for (const link of ["abs", "rel"]) {
        const got = await call("GET", `/containers/evil/archive?path=/w/${link}/secret`);
        assert.ok(got.body.includes("inside"), link);
        assert.equal((await put("evil", `/w/${link}`, { name: `by-${link}`, data: "x" })).status, 200);
      }
      // Whatever lies below /proc in the container's own directory, it is not the kernel's.
      const magic = await call("GET", `/containers/evil/archive?path=/w/magic${host}/secret`);
      assert.ok(!magic.body.includes("of the host"));
      assertHostIsUntouched();
      await daemon.ok("stop", "-t", "0", "evil");
    }
    await daemon.ok("start", "evil");
    assert.equal(await sh(`ls ${host}`), "by-abs\nby-rel\nsecret");
  });

  const hostile: Readonly<Record<string, readonly SampleEntry[]>> = {
    "a name that leaves the destination": [{ name: "../../../evil" }],
    "a name that leaves it later": [{ name: "a/../../evil" }],
    "a pax name that leaves it": [{ name: "x", pax: { path: "../evil" } }],
    "a link out of it": [{ name: "l", type: "2", link: "../../etc" }],
    "a hard link out of it": [{ name: "l", type: "1", link: "../../etc/passwd" }],
  };
  for (const [name, entries] of Object.entries(hostile)) {
    test(`refused: ${name}`, async () => {
      await sh("mkdir -p /tmp/in");
      const answer = await put("evil", "/tmp/in", ...entries);
      assert.ok(answer.status >= 400, answer.body.toString());
      assert.match(answer.body.toString(), /is outside of|invalid symlink|invalid hardlink/);
    });
  }

  test("links in an archive that is written through stay in the container", async () => {
    const answer = await put(
      "evil",
      "/",
      { name: "tmp/l", type: "2", link: host },
      { name: "tmp/l/secret", data: "pwned" },
      { name: "tmp/l/etc/made", data: "pwned" },
      { name: "tmp/up", type: "2", link: `../../../../../..${host}` },
      { name: "tmp/up/etc", type: "5", mode: 0o777 },
      { name: "tmp/hard", type: "1", link: "tmp/l/secret" },
      { name: `/..${host}/absolute`, data: "x" },
    );
    assert.equal(answer.status, 200, answer.body.toString());
    assertHostIsUntouched();
    assert.equal(await sh(`cat ${host}/secret ${host}/etc/made /tmp/hard; ls ${host}/absolute`), `pwnedpwnedpwned${host}/absolute`);
  });

  test("devices of an archive cannot be opened, and none of the container's is", async () => {
    const numbers = statSync("/var/tmp").dev;
    const [major, minor] = [(numbers >> 8) & 0xfff, (numbers & 0xff) | ((numbers >> 12) & 0xfff00)];
    assert.equal((await put("evil", "/tmp", { name: "disk", type: "4", major, minor, mode: 0o666 })).status, 200);
    assert.match(await sh("dd if=/tmp/disk of=/dev/null bs=1 count=1 2>&1 || true"), /not permitted/);
    // A pipe that nobody writes, which whoever opened it would wait for, and a terminal.
    await sh("mkdir -p /tmp/odd && mkfifo /tmp/odd/pipe && mknod /tmp/odd/tty c 5 0 && nc -lU /tmp/odd/socket & sleep 0.2");
    const got = await call("GET", "/containers/evil/archive?path=/tmp/odd");
    assert.equal(got.status, 200);
    assert.ok(got.body.includes("odd/pipe") && got.body.includes("odd/tty") && !got.body.includes("odd/socket"));
  });

  test("what is no tar is refused, and leaves what was there", async () => {
    await sh("mkdir -p /tmp/broken && echo old >/tmp/broken/f");
    const whole = sampleTar({ name: "f", data: "y".repeat(5000) });
    for (const body of [Buffer.from("no tar at all".repeat(100)), whole.subarray(0, 2000), whole.subarray(0, 700)])
      assert.ok((await call("PUT", "/containers/evil/archive?path=/tmp/broken", body)).status >= 400);
    const bzip = await call("PUT", "/containers/evil/archive?path=/tmp/broken", Buffer.from("BZh91AY&SY"));
    assert.ok(bzip.status >= 400, bzip.body.toString());
    assert.match(bzip.body.toString(), /unexpected EOF/);
    assert.equal((await call("PUT", "/containers/evil/archive?path=/tmp/broken", Buffer.alloc(1024))).status, 200);
  });

  test("deep trees and long names end in an answer", async () => {
    // Deeper than any path reaches, built from the bottom.
    await sh(
      `mkdir -p /deep/top && cd /deep && i=0 && while [ $i -lt 60 ]; do mkdir next && mv top next/${"n".repeat(200)} && mv next top; i=$((i+1)); done`,
    );
    const got = await call("GET", "/containers/evil/archive?path=/deep");
    assert.equal(got.status, 200);
    assert.ok(got.body.length < 200_000_000 && got.body.subarray(-1024).every((byte) => byte === 0), "a whole tar");
    await daemon.ok("rm", "-f", "evil");
  });
});
