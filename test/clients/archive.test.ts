/** cp in and out, export and diff through the stock docker CLI. */
import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type SampleEntry, sampleTar } from "../../src/layers/sample-tar.ts";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";

describe("docker cp, export and diff", () => {
  let daemon: Daemon;
  let dir: string;
  /** Runs in the container `box`. */
  const sh = (script: string): Promise<string> => daemon.ok("exec", "box", "sh", "-ec", script);
  /** The answer's words of a call that must fail. */
  const refused = async (...args: string[]): Promise<string> => {
    const result = await daemon.docker(args);
    assert.notEqual(result.status, 0, args.join(" "));
    return result.stderr.trim();
  };
  const path = (...parts: string[]): string => join(dir, ...parts);
  /** A shell of the host with $DOCKER_HOST. */
  const shell = async (script: string): Promise<string> => {
    const result = await command("sh", ["-ec", script], { env: { DOCKER_HOST: daemon.host } });
    assert.equal(result.status, 0, `${script}: ${result.stderr}`);
    return result.stdout.trim();
  };

  before(async () => {
    daemon = await Daemon.start();
    dir = mkdtempSync("/var/tmp/berth-test-cp-");
    await importBusybox(daemon);
    await daemon.ok("run", "-d", "--name", "box", "busybox", "sleep", "1000");
    mkdirSync(path("tree/sub"), { recursive: true });
    writeFileSync(path("tree/sub/file"), "in sub\n");
    writeFileSync(path("tree/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    symlinkSync("run.sh", path("tree/link"));
    writeFileSync(path("one"), "one\n");
    utimesSync(path("one"), 1_000_000_000, 1_000_000_000);
  });
  after(async () => {
    rmSync(dir, { recursive: true, force: true });
    await daemon.close();
  });

  test("a file, to a name that is new, that is there, and into a directory", async () => {
    await daemon.ok("cp", path("one"), "box:/tmp/new");
    assert.equal(await sh("cat /tmp/new; stat -c '%a %u %Y' /tmp/new"), "one\n644 0 1000000000");
    await daemon.ok("cp", path("tree/sub/file"), "box:/tmp/new");
    assert.equal(await sh("cat /tmp/new"), "in sub");
    await daemon.ok("cp", path("one"), "box:/tmp");
    await daemon.ok("cp", path("one"), "box:/tmp/");
    assert.equal(await sh("cat /tmp/one"), "one");
    assert.match(await refused("cp", path("one"), "box:/missing/"), /destination directory|no such directory|Could not find the file/i);
    assert.match(await refused("cp", path("one"), "box:/missing/x"), /Could not find the file \/missing in container box/);
  });

  test("a directory, to a name that is new, into one that is there, and its contents", async () => {
    await daemon.ok("cp", path("tree"), "box:/tmp/copied");
    assert.equal(
      await sh("cd /tmp/copied && find . | sort && readlink link && stat -c %a run.sh"),
      ".\n./link\n./run.sh\n./sub\n./sub/file\nrun.sh\n755",
    );
    await daemon.ok("cp", path("tree"), "box:/tmp/copied");
    assert.equal(await sh("cat /tmp/copied/tree/sub/file"), "in sub");
    await sh("mkdir /tmp/contents");
    await daemon.ok("cp", `${path("tree")}/.`, "box:/tmp/contents");
    assert.equal(await sh("ls /tmp/contents"), "link\nrun.sh\nsub");
    assert.match(await refused("cp", path("tree"), "box:/etc/passwd"), /cannot copy directory/);
  });

  test("out of a container, the same rules", async () => {
    await sh(
      "mkdir -p /out/sub && echo a >/out/a && echo b >/out/sub/b && ln -s sub/b /out/to-b && ln /out/a /out/twin && ln -s sub /out/to-sub",
    );
    await daemon.ok("cp", "box:/out/a", path("got"));
    assert.equal(readFileSync(path("got"), "utf8"), "a\n");
    await daemon.ok("cp", "box:/out", path("got-dir"));
    assert.deepEqual(readdirSync(path("got-dir")).sort(), ["a", "sub", "to-b", "to-sub", "twin"]);
    assert.equal(readlinkSync(path("got-dir/to-b")), "sub/b");
    assert.equal(lstatSync(path("got-dir/a")).ino, lstatSync(path("got-dir/twin")).ino, "hard links stay links");
    await daemon.ok("cp", "box:/out", path("got-dir"));
    assert.equal(readFileSync(path("got-dir/out/sub/b"), "utf8"), "b\n");
    mkdirSync(path("inner"));
    await daemon.ok("cp", "box:/out/.", path("inner"));
    assert.deepEqual(readdirSync(path("inner")).sort(), ["a", "sub", "to-b", "to-sub", "twin"]);
    await daemon.ok("cp", "box:/out/to-b", path("as-link"));
    assert.equal(readlinkSync(path("as-link")), "sub/b");
    await daemon.ok("cp", "-L", "box:/out/to-b", path("as-file"));
    assert.equal(readFileSync(path("as-file"), "utf8"), "b\n");
    await daemon.ok("cp", "box:/out/to-sub/", path("through"));
    assert.equal(readFileSync(path("through/b"), "utf8"), "b\n");
    assert.match(await refused("cp", "box:/out/none", path("x")), /Could not find the file \/out\/none in container box/);
    assert.match(await refused("cp", "box:/out/a/none", path("x")), /not a directory/);
  });

  test("links inside the root are followed on the way, absolute ones too", async () => {
    await sh("mkdir -p /run/app /real && ln -sfn /run /var/run && ln -s /real /alias && ln -s ../../../real /tmp/deep");
    await daemon.ok("cp", path("one"), "box:/var/run/app/pid");
    await daemon.ok("cp", path("one"), "box:/alias");
    await daemon.ok("cp", path("one"), "box:/tmp/deep/two");
    assert.equal(await sh("cat /run/app/pid /real/one /real/two"), "one\none\none");
    await daemon.ok("cp", "box:/var/run/app/pid", path("pid"));
    assert.equal(readFileSync(path("pid"), "utf8"), "one\n");
    await sh("ln -s /nowhere/at/all /tmp/dangling");
    await refused("cp", "-L", "box:/tmp/dangling", path("x"));
  });

  test("tars through standard input and output", async () => {
    await sh("mkdir /opt");
    await shell(`tar -C ${path("tree")} -c . | docker cp - box:/opt`);
    assert.equal(await sh("cat /opt/sub/file"), "in sub");
    assert.equal(
      await shell("docker cp box:/out - | tar -t | sort | tr '\\n' ' '"),
      "out/ out/a out/sub/ out/sub/b out/to-b out/to-sub out/twin",
    );
    for (const [name, pack] of [
      ["gz", gzipSync],
      ["zst", zstdCompressSync],
    ] as const) {
      const result = await daemon.docker(["cp", "-", "box:/tmp"], { input: pack(sampleTar({ name: `by-${name}`, data: name })) });
      assert.equal(result.status, 0, result.stderr);
      assert.equal(await sh(`cat /tmp/by-${name}`), name);
    }
    const file = await daemon.docker(["cp", "-", "box:/etc/passwd"], { input: sampleTar({ name: "x" }) });
    assert.match(file.stderr, /must be a directory|not a directory/);
  });

  test("names, owners, modes, times and attributes come and go as they are", async () => {
    const long = `${"d".repeat(100)}/${"e".repeat(120)}/${"f".repeat(200)}`;
    const entries = [
      { name: "kept", type: "5", mode: 0o1750, uid: 7, gid: 8, mtime: 5000 },
      { name: "kept/file", data: "x".repeat(70_000), mode: 0o4711, uid: 4_000_000, gid: 3_000_000, mtime: 6000 },
      { name: "kept/x", pax: { path: `kept/${long}` }, data: "far" },
      { name: Buffer.from("kept/\xff\xfe", "latin1"), data: "not utf-8" },
      { name: "kept/pipe", type: "6" },
      { name: "kept/null", type: "3", major: 1, minor: 3, mode: 0o666 },
      { name: "kept/link", type: "2", link: "file", uid: 9, gid: 9 },
      { name: "kept/hard", type: "1", link: "kept/file" },
      { name: "kept/attr", data: "a", pax: { "SCHILY.xattr.user.test": "value", "SCHILY.xattr.trusted.overlay.opaque": "y" } },
    ];
    const put = await daemon.docker(["cp", "-", "box:/tmp"], { input: sampleTar(...entries) });
    assert.equal(put.status, 0, put.stderr);
    assert.equal(
      await sh(
        "cd /tmp/kept && stat -c '%n %a %u %g %Y' . file && stat -c '%n %u %F' link pipe && stat -c '%n %t %T' null && stat -c %h file && cat d*/e*/f*",
      ),
      ". 1750 7 8 5000\nfile 4711 4000000 3000000 6000\nlink 9 symbolic link\npipe 0 fifo\nnull 1 3\n2\nfar",
    );
    const listed = await shell(
      `docker cp box:/tmp/kept - | python3 -c '
import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|", errors="surrogateescape"):
    print(ascii(m.name[-20:]), m.type.decode(), oct(m.mode), m.uid, m.gid, m.size, m.linkname[-20:], m.pax_headers.get("SCHILY.xattr.user.test"))'`,
    );
    assert.deepEqual(listed.split("\n"), [
      "'kept' 5 0o1750 7 8 0  None",
      "'kept/attr' 0 0o644 0 0 1  value",
      `'${`${"d".repeat(20)}' 5 0o755 0 0 0  None`}`,
      `'${`${"e".repeat(20)}' 5 0o755 0 0 0  None`}`,
      `'${`${"f".repeat(20)}' 0 0o644 0 0 3  None`}`,
      "'kept/file' 0 0o4711 4000000 3000000 70000  None",
      "'kept/hard' 1 0o4711 4000000 3000000 0 kept/file None",
      "'kept/link' 2 0o777 9 9 0 file None",
      "'kept/null' 3 0o666 0 0 0  None",
      "'kept/pipe' 6 0o644 0 0 0  None",
      "'kept/\\udcff\\udcfe' 0 0o644 0 0 9  None",
    ]);
  });

  test("-a gives what is copied to the container's user", async () => {
    await daemon.ok("run", "-d", "--name", "owned", "-u", "user", "busybox", "sleep", "1000");
    await daemon.ok("cp", path("one"), "owned:/tmp/plain");
    await daemon.ok("cp", "-a", path("tree"), "owned:/tmp/mine");
    const owners = await daemon.ok("exec", "owned", "stat", "-c", "%u:%g", "/tmp/plain", "/tmp/mine", "/tmp/mine/sub/file");
    assert.equal(owners, "0:0\n1000:1000\n1000:1000");
    await daemon.ok("rm", "-f", "owned");
  });

  test("a container that does not run, and was never started", async () => {
    await daemon.ok("create", "--name", "still", "busybox", "cat", "/tmp/one");
    await daemon.ok("cp", path("one"), "still:/tmp");
    await daemon.ok("cp", "still:/tmp/one", path("still-one"));
    assert.equal(readFileSync(path("still-one"), "utf8"), "one\n");
    assert.equal(await daemon.ok("start", "-a", "still"), "one");
    await daemon.ok("cp", path("tree/sub/file"), "still:/tmp/one");
    assert.equal(await daemon.ok("start", "-a", "still"), "in sub");
    assert.equal(await daemon.ok("diff", "still"), "C /tmp\nA /tmp/one");
    await daemon.ok("rm", "still");
  });

  test("binds are shown, and refused where they are read-only; so is a read-only root", async () => {
    mkdirSync(path("bound/below"), { recursive: true });
    writeFileSync(path("bound/host"), "of the host\n");
    const mounts = ["-v", `${path("bound")}:/data`, "-v", `${path("bound/below")}:/fixed:ro`, "--tmpfs", "/scratch"];
    await daemon.ok("run", "-d", "--read-only", "--name", "locked", ...mounts, "busybox", "sleep", "1000");
    for (const state of ["running", "exited"]) {
      assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}}", "locked"), state);
      await daemon.ok("cp", "locked:/data/host", path("bound-out"));
      assert.equal(readFileSync(path("bound-out"), "utf8"), "of the host\n");
      await daemon.ok("cp", path("one"), `locked:/data/${state}`);
      assert.equal(readFileSync(path("bound", state), "utf8"), "one\n");
      assert.match(await refused("cp", path("one"), "locked:/fixed"), /mounted volume is marked read-only/);
      assert.match(await refused("cp", path("one"), "locked:/tmp"), /container rootfs is marked read-only/);
      assert.match(await shell("docker cp locked:/etc/hosts - | tar -xO"), /localhost/);
      await daemon.ok("stop", "-t", "0", "locked");
    }
    assert.deepEqual(readdirSync(path("bound/below")), []);
    await daemon.ok("rm", "-f", "locked");
  });

  test("volumes are shown, running or not, one that has to be mounted too", async () => {
    await daemon.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mounted");
    await daemon.ok("create", "--name", "voluminous", "-v", "plain:/plain", "-v", "mounted:/mounted", "busybox", "sleep", "1000");
    await daemon.ok("cp", path("one"), "voluminous:/plain/before");
    await daemon.ok("start", "voluminous");
    await daemon.ok("cp", path("one"), "voluminous:/mounted/during");
    assert.equal(await daemon.ok("exec", "voluminous", "cat", "/plain/before", "/mounted/during"), "one\none");
    assert.equal(await shell("docker cp voluminous:/mounted - | tar -t"), "mounted/\nmounted/during");
    assert.equal(await daemon.ok("run", "--rm", "-v", "plain:/p", "busybox", "ls", "/p"), "before");
    await daemon.ok("rm", "-f", "voluminous");
    await daemon.ok("volume", "rm", "plain", "mounted");
  });

  test("directories and others take each other's place only where they may", async () => {
    await sh("mkdir -p /kinds/dir && echo f >/kinds/file");
    const put = (query: string, ...entries: SampleEntry[]): Promise<{ status: number; body: string }> =>
      new Promise((done, fail) => {
        const tar = sampleTar(...entries);
        const call = request(
          { socketPath: daemon.host.slice("unix://".length), method: "PUT", path: `/containers/box/archive?path=/kinds${query}` },
          (answer) => {
            let body = "";
            answer.on("data", (chunk) => (body += chunk));
            answer.on("end", () => done({ status: answer.statusCode ?? 0, body }));
          },
        );
        call.on("error", fail);
        call.end(tar);
      });
    const over = await put("&noOverwriteDirNonDir=1", { name: "dir", data: "x" });
    assert.match(over.body, /cannot overwrite directory \\"\/kinds\/dir\\" with non-directory \\"\/kinds\\"/);
    const under = await put("&noOverwriteDirNonDir=1", { name: "file", type: "5" });
    assert.match(under.body, /cannot overwrite non-directory \\"\/kinds\/file\\" with directory \\"\/kinds\\"/);
    assert.equal((await put("", { name: "dir", data: "x" }, { name: "file", type: "5" }, { name: "file/in", data: "y" })).status, 200);
    assert.equal(await sh("cat /kinds/dir /kinds/file/in"), "xy");
    assert.equal((await put("&path=", { name: "x" })).status, 200, "the first one counts");
  });

  test("export, and import of that, is the same tree without mounts", async () => {
    await daemon.ok(
      "run",
      "--name",
      "exported",
      "-v",
      `${path("tree")}:/mounted`,
      "busybox",
      "sh",
      "-c",
      "echo made >/made; rm /etc/group",
    );
    await shell(`docker export exported | docker import - again:v1`);
    assert.equal(
      await daemon.ok("run", "--rm", "again:v1", "sh", "-c", "cat /made; ls /mounted; ls /etc"),
      "made\nhostname\nhosts\nmtab\npasswd\nresolv.conf",
    );
    await daemon.ok("export", "-o", path("exported.tar"), "exported");
    assert.match(await shell(`tar -tf ${path("exported.tar")} | head -3`), /^\.dockerenv\nbin\/\nbin\/\[$/);
    assert.match(
      await shell("docker export box | tar -t | grep -c '^proc/.' || true"),
      /^0$/,
      "a running one's kernel files are no part of it",
    );
    await daemon.ok("rm", "-f", "exported");
  });

  test("diff tells what was changed, added and deleted", async () => {
    const script =
      "mkdir -p /var/a/b && echo x >/var/a/b/c && rm /etc/group && echo >>/etc/passwd && chmod 700 /home && rm -r /root && mkdir /root && mkfifo /tmp/p";
    await daemon.ok("import", "-c", "CMD true", await rootfsWithMore(), "more:v1");
    await daemon.ok("run", "--name", "changed", "more:v1", "sh", "-c", script);
    assert.deepEqual((await daemon.ok("diff", "changed")).split("\n").sort(), [
      "A /tmp/p",
      "A /var/a",
      "A /var/a/b",
      "A /var/a/b/c",
      "C /etc",
      "C /etc/passwd",
      "C /home",
      "C /root",
      "C /tmp",
      "C /var",
      "D /etc/group",
      "D /root/gone",
    ]);
    await daemon.ok("create", "--name", "untouched", "busybox", "true");
    assert.equal(await daemon.ok("diff", "untouched"), "");
    await daemon.ok("start", "-a", "untouched");
    assert.equal(await daemon.ok("diff", "untouched"), "", "a start writes nothing");
    await daemon.ok("rm", "changed", "untouched");
  });

  async function rootfsWithMore(): Promise<string> {
    await shell(`mkdir ${path("more")} && docker export box | tar -x -C ${path("more")} --exclude=tmp/* --exclude=out --exclude=kinds &&
      mkdir -p ${path("more")}/home ${path("more")}/root && echo >${path("more")}/root/gone &&
      tar -C ${path("more")} -cf ${path("more.tar")} .`);
    return path("more.tar");
  }

  test("requests that come at once on one connection are answered one behind the other", async () => {
    await sh("seq 1 200000 >/numbers");
    const ask = "GET /containers/box/archive?path=/numbers HTTP/1.1\\r\\nHost: d\\r\\n\\r\\n";
    const socket = daemon.host.slice("unix://".length);
    const script = `import io, socket, tarfile
s = socket.socket(socket.AF_UNIX); s.connect("${socket}"); s.sendall(b"${ask}" * 3)
f = s.makefile("rb")
for i in range(3):
    assert f.readline().startswith(b"HTTP/1.1 200")
    while f.readline().strip(): pass
    body = b""
    while (size := int(f.readline(), 16)) > 0:
        body += f.read(size); assert f.readline() == b"\\r\\n"
    f.readline()
    tar = tarfile.open(fileobj=io.BytesIO(body))
    print(tar.getnames(), len(tar.extractfile("numbers").read().splitlines()))`;
    const result = await command("python3", ["-c", script]);
    assert.equal(result.stdout, "['numbers'] 200000\n".repeat(3), result.stderr);
    await sh("rm /numbers");
  });

  test("a client that goes ends the work", async () => {
    await sh("dd if=/dev/zero of=/big bs=1M count=200 2>/dev/null");
    const workers = async (): Promise<number> =>
      Number((await command("sh", ["-c", "grep -lx berth-files /proc/[0-9]*/comm 2>/dev/null | wc -l"])).stdout);
    await new Promise<void>((done, fail) => {
      const call = request({ socketPath: daemon.host.slice("unix://".length), path: "/containers/box/archive?path=/big" }, (answer) => {
        answer.once("data", () => {
          answer.pause();
          void workers().then((count) => {
            answer.destroy();
            if (count === 1) done();
            else fail(new Error(`${count} workers`));
          }, fail);
        });
      });
      call.on("error", () => undefined);
      call.end();
    });
    await eventually("the worker's end", async () => ((await workers()) === 0 ? true : undefined));
    // A container that does not run is held meanwhile, and no longer.
    await daemon.ok("stop", "-t", "0", "box");
    await new Promise<void>((done) => {
      const call = request({ socketPath: daemon.host.slice("unix://".length), path: "/containers/box/archive?path=/big" }, (answer) => {
        answer.on("error", () => undefined);
        answer.once("data", () => {
          answer.destroy();
          done();
        });
      });
      call.on("error", () => undefined);
      call.end();
    });
    await daemon.ok("start", "box");
    await sh("rm /big");
  });
});
