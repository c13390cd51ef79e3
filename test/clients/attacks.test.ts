/**
 * Attacks of images and containers that worked on other engines, through the stock docker CLI. What `docker cp` is attacked
 * with is in archive-attacks.test.ts, mount targets are in mounts.test.ts, what is out of reach anyway in isolation.test.ts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createGzip } from "node:zlib";
import { headerOf } from "../../src/layers/sample-tar.ts";
import { Daemon, eventually, importBusybox, projectRoot, type Result } from "../daemon.ts";
import { importChanged, Sentinel } from "../hostile-image.ts";

describe("hostile containers and images", () => {
  const host = new Sentinel();
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(async () => {
    await daemon.close();
    host.remove();
  });

  const docker = (...args: string[]): Promise<Result> => daemon.docker(["run", "--rm", "--network", "none", ...args]);
  const sh = (script: string, ...args: string[]): Promise<string> =>
    daemon.ok("run", "--rm", "--network", "none", ...args, "busybox", "sh", "-c", script);
  const idle = (name: string, script: string, ...args: string[]): Promise<string> =>
    daemon.ok("run", "-d", "--network", "none", "--name", name, ...args, "busybox", "sh", "-c", script);
  const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
  const processes = (name: RegExp): number[] =>
    readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid))
      .map(Number)
      .filter((pid) => {
        try {
          return name.test(readFileSync(`/proc/${pid}/comm`, "utf8").trim());
        } catch {
          return false;
        }
      });
  const refused = (result: Result, what: string): void => {
    assert.notEqual(result.status, 0, `${what}: ${result.stdout}`);
    assert.ok(!result.stdout.includes(host.content), what);
  };

  test("programs of the host are as they were, whoever executes or writes /proc/…/exe (CVE-2019-5736)", async () => {
    const programs = [process.execPath, ...["build/berth-native", "berthd", "berth"].map((name) => join(projectRoot, name))];
    const own = programs.map(digest);
    await importChanged(daemon, "again", "printf '#!/proc/self/exe\\n' >bin/again && chmod 755 bin/again");
    refused(await docker("again", "again"), "run");
    // Whoever may look into each new process writes to what it executes, and notes whom that worked with.
    const write = "while :; do for p in /proc/[0-9]*; do { echo pwned >$p/exe; } 2>/dev/null && echo $p >>/tmp/written; done; done";
    await daemon.ok("run", "-d", "--name", "writer", "--network", "none", "--cap-add", "SYS_PTRACE", "again", "sh", "-c", write);
    for (let round = 0; round < 15; round++) {
      refused(await daemon.docker(["exec", "writer", "again"]), "exec of a script of /proc/self/exe");
      await daemon.docker(["exec", "writer", "/proc/self/exe"]);
      assert.equal(await daemon.ok("exec", "writer", "echo", "works"), "works");
    }
    assert.equal(await daemon.ok("exec", "writer", "sh", "-c", "cat /tmp/written 2>/dev/null; true"), "");
    await daemon.ok("rm", "-f", "writer");
    assert.deepEqual(programs.map(digest), own);
  });

  test("whoever watches new processes of a container finds nothing of the host in them (CVE-2016-9962)", async () => {
    const watch =
      "while :; do for link in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe; do readlink $link; done >>/tmp/seen; done";
    await idle("watcher", watch);
    for (let round = 0; round < 15; round++) await daemon.ok("exec", "-w", "/etc", "watcher", "true");
    const seen = (await daemon.ok("exec", "watcher", "sort", "-u", "/tmp/seen")).split("\n");
    assert.ok(seen.includes("/bin/busybox"), "it does see");
    assert.deepEqual(
      seen.filter(
        (target) =>
          !/^(\/|\/etc|\/bin\/busybox|\/dev\/null|\/tmp\/seen|(pipe|socket):\[\d+\])$/.test(target) &&
          !/^\/proc(\/\d+(\/fd)?)?$/.test(target),
      ),
      [],
    );
    await daemon.ok("rm", "-f", "watcher");
  });

  test("a working directory below /proc/self/fd leads nowhere (CVE-2024-21626)", async () => {
    await importChanged(
      daemon,
      "linked",
      "for n in 3 4 5 6 7 8 9 10; do ln -s /proc/self/fd/$n fd$n; done; ln -s /proc/1/root magic",
      "WORKDIR /fd7",
    );
    const look = `cat ../../../../../../../../..${host.secret} ${host.secret.slice(1)}; true`;
    await daemon.ok("run", "-d", "--name", "started", "--network", "none", "-w", "/", "linked", "sleep", "1000");
    const places = ["/proc/1/root", "/proc/self/cwd", "/proc/thread-self/root", "/magic"];
    for (let n = 3; n < 12; n++) places.push(`/proc/self/fd/${n}`);
    for (const place of [...places, "/fd8"]) {
      refused(await docker("-w", place, "linked", "sh", "-c", look), `run in ${place}`);
      refused(await daemon.docker(["exec", "-w", place, "started", "sh", "-c", look]), `exec in ${place}`);
    }
    refused(await docker("linked", "sh", "-c", look), "the image's own");
    await daemon.ok("rm", "-f", "started");
    host.assertUntouched();
  });

  test("a /dev that is swapped while a container starts hides nothing less (CVE-2025-31133, CVE-2025-52565)", async () => {
    const swap = `cd /s; mkdir pts; while :; do rm -f null; ln -s ${host.secret} null; rm -f console; ln -s /proc/sysrq-trigger console;
      mv pts old; ln -s ${host.path}/etc pts; rm -f null; mknod null c 1 3; rm pts; mv old pts; rm -f console; touch console; done`;
    await idle("swapper", swap, "-v", "swapped:/s");
    for (let round = 0; round < 12; round++) {
      const masked = "cat /proc/interrupts /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls -A /sys/firmware | wc -l";
      const result = await docker(...(round % 2 ? ["-t"] : []), "-v", "swapped:/dev", "busybox", "sh", "-c", masked);
      if (result.status === 0) assert.equal(result.stdout.replaceAll("\r", "").trim(), "0\n0");
      host.assertUntouched();
    }
    await daemon.ok("rm", "-f", "swapper");
    await daemon.ok("volume", "rm", "swapped");
  });

  test("a /proc that is none is not written to (CVE-2019-16884, CVE-2025-52881)", async () => {
    const fake = `cd /p && mkdir -p self/attr/apparmor sys/net/core sys/kernel && cd self && for file in oom_score_adj attr/exec attr/apparmor/exec; do
      ln -s ${host.secret} $file; done; ln -s /proc/sysrq-trigger ../sys/kernel/msgmax; echo untouched >../sys/net/core/somaxconn; ln -s / ../irq`;
    await sh(fake, "-v", "fake:/p");
    const before = ["/proc/sys/net/core/somaxconn", "/proc/sys/kernel/msgmax"].map((file) => readFileSync(file, "utf8"));
    const changes = ["--sysctl", "net.core.somaxconn=77", "--sysctl", "kernel.msgmax=7777", "--oom-score-adj", "500"];
    const result = await docker(
      "-v",
      "fake:/proc",
      ...changes,
      "busybox",
      "cat",
      "/proc/sys/net/core/somaxconn",
      "/proc/self/oom_score_adj",
    );
    assert.ok(!result.stdout.includes("77"), result.stdout);
    assert.deepEqual(
      ["/proc/sys/net/core/somaxconn", "/proc/sys/kernel/msgmax"].map((file) => readFileSync(file, "utf8")),
      before,
    );
    assert.equal(await sh("cat /p/sys/net/core/somaxconn", "-v", "fake:/p"), "untouched");
    await daemon.ok("volume", "rm", "fake");
    host.assertUntouched();
  });

  test("an image whose /proc or /sys is a link has them nevertheless, masked; other links stay inside (CVE-2023-27561, CVE-2023-28642)", async () => {
    const look =
      "stat -f -c %t /proc /sys; cat /proc/interrupts | wc -c; ls -A /sys/firmware | wc -l; { true >>/proc/sys/kernel/core_pattern; } 2>/dev/null || echo ro";
    for (const [name, script] of [
      ["near-proc", "rmdir proc; mkdir p; ln -s p proc"],
      ["far-proc", `rmdir proc; ln -s ${host.path}/etc proc`],
      ["near-sys", "rmdir sys; ln -s tmp sys"],
    ] as const) {
      await importChanged(daemon, name, script);
      assert.equal(await daemon.ok("run", "--rm", "--network", "none", name, "sh", "-c", look), "9fa0\n62656572\n0\n0\nro", name);
    }
    const links = ["/etc", "/dev", "/tmp"].map((path) => `rm -rf .${path}; ln -s ${host.path} .${path}`).join("; ");
    await importChanged(daemon, "links", links);
    await docker(
      "-v",
      `${projectRoot}/docs:/tmp/docs:ro`,
      "-w",
      "/tmp/made",
      "links",
      "sh",
      "-c",
      "echo pwned >/etc/secret; echo pwned >/tmp/new",
    );
    host.assertUntouched();
  });

  test("targets that are made while a link is swapped in make nothing on the host (CVE-2024-45310)", async () => {
    const up = `../../../../../../../../../../../..${host.path}`;
    const swap = `mkdir -p /s/t; while :; do for to in ${host.path} ${up}; do mv /s/t /s/u; ln -s $to /s/t; rm /s/t; mv /s/u /s/t; done; done`;
    await idle("swapper", swap, "-v", "swapped:/s");
    for (let round = 0; round < 15; round++) {
      const bind = round % 2 ? `${host.path}/etc:/s/t/made/deep` : `${projectRoot}/LICENSE:/s/t/file`;
      await docker(
        "-v",
        "swapped:/s",
        "-v",
        `${bind}:ro`,
        "--tmpfs",
        "/s/t/etc/tmp",
        "-w",
        "/s/t/work",
        "busybox",
        "touch",
        "/s/t/touched",
      );
      host.assertUntouched();
    }
    await daemon.ok("rm", "-f", "swapper");
    await daemon.ok("volume", "rm", "swapped");
  });

  test("the host's cgroups cannot be written (CVE-2023-25809, CVE-2022-0492)", async () => {
    const script = `mkdir $(find /sys/fs/cgroup -type d | sed 's,$,/evil,') 2>/dev/null && echo made
      for file in $(find /sys/fs/cgroup -type f); do { true >>$file; } 2>/dev/null && echo $file; done
      mkdir /tmp/c; mount -t cgroup -o memory none /tmp/c 2>/dev/null && echo mounted; mount -t cgroup2 none /tmp/c 2>/dev/null && echo mounted; true`;
    for (const namespace of ["host", "private"]) assert.equal(await sh(script, "--cgroupns", namespace), "", namespace);
  });

  test("nothing of a container is loaded or executed to copy its files (CVE-2019-14271)", async () => {
    const fakes =
      "for name in tar gzip cp sh; do printf '#!/bin/busybox sh\\nbusybox touch /executed\\n' >bin/fake; chmod 755 bin/fake; mv bin/fake bin/$name; done";
    await importChanged(
      daemon,
      "fakes",
      `${fakes}; mkdir -p lib/x86_64-linux-gnu; for n in files dns; do cp bin/tar lib/x86_64-linux-gnu/libnss_$n.so.2; done`,
    );
    await daemon.ok("run", "-d", "--name", "fake", "--network", "none", "fakes", "busybox", "sleep", "1000");
    await daemon.ok("exec", "fake", "busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=64");
    const path = "/containers/fake/archive?path=/big";
    const maps = await new Promise<string[]>((done, fail) => {
      // An answer that is not read, so that the worker is still there to be looked at.
      const asked = request({ socketPath: daemon.host.slice("unix://".length), path }, (answer) => {
        answer.pause();
        const look = eventually("the worker", async () => {
          const [worker] = processes(/^berth-files/);
          return worker === undefined ? undefined : readFileSync(`/proc/${worker}/maps`, "utf8").split("\n").filter(Boolean);
        });
        look.then(done, fail).finally(() => asked.destroy());
      });
      asked.on("error", () => undefined);
      asked.end();
    });
    const files = new Set(maps.map((line) => line.replace(/^(\S+\s+){5}/, "")).filter((file) => file !== ""));
    assert.ok(files.size > 0);
    assert.deepEqual(
      [...files].filter((file) => !/^(\/memfd:berth \(deleted\)|\[\w+\])$/.test(file)),
      [],
      "its own program and nothing else",
    );
    await daemon.ok("cp", "fake:/etc/passwd", "-");
    await daemon.ok("cp", "-a", join(projectRoot, "LICENSE"), "fake:/tmp/LICENSE");
    assert.notEqual((await daemon.docker(["exec", "fake", "busybox", "ls", "/executed"])).status, 0);
    await daemon.ok("rm", "-f", "fake");
  });

  test("shared memory is as large as it was asked for, and removing it leads nowhere", async () => {
    await idle("donor", "sleep 1000", "--ipc", "shareable", "--shm-size", "2m");
    const fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>&1 | grep -c 'No space'; rm /dev/shm/x";
    assert.equal(await daemon.ok("exec", "donor", "sh", "-c", fill), "1");
    assert.equal(await sh(fill, "--ipc", "container:donor"), "1");
    // A directory that is a link to the host's for half of the time, while it is taken away.
    const swap = `cd /dev/shm; mkdir -p x/a x/b x/c; while :; do mv x y; ln -s ${host.path} x; rm x; mv y x; done`;
    await idle("swapper", swap, "--ipc", "container:donor");
    for (let round = 0; round < 3; round++) {
      await daemon.ok("restart", "-t", "0", "donor");
      await daemon.ok("restart", "-t", "0", "swapper");
    }
    await daemon.ok("rm", "-f", "donor");
    assert.deepEqual(readdirSync(join(daemon.execRoot, "shm")), []);
    await daemon.ok("rm", "-f", "swapper");
    host.assertUntouched();
  });

  test("a container's directory is removed whole, however deep it is, and without following its links", async () => {
    const deep = `mkdir -p /deep/top && cd /deep && i=0 && while [ $i -lt 60 ]; do mkdir next && mv top next/${"n".repeat(200)} && mv next top; i=$((i+1)); done`;
    await sh(`${deep}; ln -s ${host.path} /deep/link; mkdir -p /deep${host.path}; chattr +i /deep/link 2>/dev/null; true`);
    await eventually("an empty trash", async () => (readdirSync(join(daemon.dataRoot, "trash")).length === 0 ? true : undefined));
    host.assertUntouched();
  });

  test("top asks no program of the container (CVE-2022-1227)", async () => {
    await importChanged(daemon, "ps", "rm bin/ps; printf '#!/bin/sh\\ntouch /executed\\n' >bin/ps; chmod 755 bin/ps");
    await daemon.ok("run", "-d", "--name", "listed", "--network", "none", "ps", "sleep", "1000");
    assert.match(await daemon.ok("top", "listed", "-eo", "pid,args"), /sleep 1000/);
    assert.equal(await daemon.ok("exec", "listed", "sh", "-c", "ls /executed 2>/dev/null; true"), "");
    await daemon.ok("rm", "-f", "listed");
  });

  test("no text becomes user 0 (CVE-2024-40635)", async () => {
    const accounts = [
      "1000:x:0:0::/:/bin/sh",
      "2147483648:x:0:0::/:/bin/sh",
      "4294967296:x:0:0::/:/bin/sh",
      "large:x:4294967296:0::/:/bin/sh",
    ];
    await importChanged(daemon, "users", accounts.map((line) => `echo ${line} >>etc/passwd`).join("; "));
    await daemon.ok("run", "-d", "--name", "users", "--network", "none", "users", "sleep", "1000");
    const hostile = "2147483648 4294967296 4294967295 18446744073709551616 1e3 0x0 -0 +4294967296 large 1000:4294967296".split(" ");
    for (const user of hostile) {
      refused(await docker(`--user=${user}`, "users", "id"), `run as ${user}`);
      refused(await daemon.docker(["exec", `--user=${user}`, "users", "id"]), `exec as ${user}`);
    }
    assert.equal(await daemon.ok("run", "--rm", "--network", "none", "-u", "1000", "users", "id", "-u"), "1000");
    assert.equal(await daemon.ok("exec", "-u", "1000", "users", "id", "-u"), "1000");
    await daemon.ok("rm", "-f", "users");
    await importChanged(daemon, "bad-user", "true", "USER 4294967296");
    refused(await docker("bad-user", "id"), "the image's user");
  });

  test("capabilities are not inherited, and what is denied to a group is denied to its members (CVE-2022-24769, CVE-2022-36109)", async () => {
    await importChanged(daemon, "groups", "for g in 1000 2000; do echo x >denied$g; chgrp $g denied$g; chmod 604 denied$g; done");
    const script = "grep -E '^(CapInh|CapAmb|Groups)' /proc/self/status | tr -s '\\t ' ' '; cat /denied1000 /denied2000 2>/dev/null; true";
    const expected = /^Groups: 1000 2000 ?\nCapInh: 0+\nCapAmb: 0+$/;
    await daemon.ok("run", "-d", "--name", "groups", "--network", "none", "groups", "sleep", "1000");
    assert.match(await daemon.ok("run", "--rm", "--network", "none", "-u", "user", "groups", "sh", "-c", script), expected);
    assert.match(await daemon.ok("exec", "-u", "user", "groups", "sh", "-c", script), expected);
    const kept = "grep CapInh /proc/self/status";
    for (const more of [[], ["--cap-add", "ALL"], ["--privileged"]]) assert.match(await sh(kept, ...more), /\s0+$/);
    assert.match(await daemon.ok("exec", "--privileged", "groups", "sh", "-c", kept), /\s0+$/);
    await daemon.ok("rm", "-f", "groups");
  });

  test("account files that are pipes, links or devices are not there, and nobody waits for them", async () => {
    writeFileSync(join(host.path, "etc/group"), "extra:x:0:\n");
    const fakes = [
      "mkfifo /etc/group",
      "mknod /etc/group c 1 5",
      `ln -s ${host.path}/etc/group /etc/group`,
      "ln -s /proc/self/environ /etc/group",
    ];
    for (const fake of fakes) {
      // It is read when the container starts again, from outside, and for an exec, from the running one.
      await daemon.ok(
        "create",
        "--name",
        "faked",
        "--network",
        "none",
        "--group-add",
        "extra",
        "busybox",
        "sh",
        "-c",
        `rm /etc/group; ${fake}; touch /ready; sleep 1000`,
      );
      await daemon.ok("start", "faked");
      await eventually(fake, async () =>
        (await daemon.docker(["exec", "faked", "test", "-e", "/ready"])).status === 0 ? true : undefined,
      );
      const options = { timeoutMs: 5000 };
      const { stdout, stderr } = await daemon.docker(["exec", "-u", "0:extra", "faked", "id"], options);
      assert.match(stdout + stderr, /unable to find group extra/, fake);
      await daemon.ok("kill", "faked");
      assert.match((await daemon.docker(["start", "faked"], options)).stderr, /[Uu]nable to find group extra/, fake);
      await daemon.ok("rm", "-f", "faked");
    }
    rmSync(join(host.path, "etc/group"));
  });

  test("no socket of ours has an abstract name, which the host's network would reach (CVE-2020-15257)", async () => {
    await daemon.ok("run", "-d", "--name", "reaches", "--network", "host", "busybox", "sleep", "1000");
    const session = daemon.docker(["exec", "reaches", "sleep", "2"]);
    const inodes = processes(/^berth/)
      .concat(daemon.pid)
      .flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => [pid, fd] as const))
      .flatMap(([pid, fd]) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
        } catch {
          return []; // closed in the meantime
        }
      });
    assert.ok(inodes.length > 3);
    const table = (await daemon.ok("exec", "reaches", "cat", "/proc/net/unix")).split("\n").map((line) => line.trim().split(/\s+/));
    assert.ok(
      table.some(([, , , , , , inode]) => inodes.includes(inode ?? "")),
      "it sees the host's sockets",
    );
    assert.deepEqual(
      table.filter(([, , , , , , inode, name = ""]) => inodes.includes(inode ?? "") && name.startsWith("@")),
      [],
    );
    await session;
    await daemon.ok("rm", "-f", "reaches");
  });

  test("an archive of nothing but zeros costs no memory (CVE-2017-14992)", async () => {
    const size = 512 << 20;
    const memory = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]);
    const before = memory();
    const packed = createGzip({ level: 9 });
    const chunks: Buffer[] = [];
    packed.on("data", (chunk: Buffer) => chunks.push(chunk));
    packed.write(headerOf({ name: "zeros", size }));
    const zeros = Buffer.alloc(1 << 20);
    for (let written = 0; written < size; written += zeros.length)
      if (!packed.write(zeros)) await new Promise((done) => packed.once("drain", done));
    await new Promise<void>((done) => packed.once("end", done).end(Buffer.alloc(1024)));
    const bomb = Buffer.concat(chunks);
    assert.ok(bomb.length < size / 500);
    assert.equal((await daemon.docker(["import", "-", "bomb"], { input: bomb })).status, 0);
    refused(await daemon.docker(["load"], { input: bomb }), "no image");
    assert.ok(memory() - before < 192 * 1024, `${memory() - before} KiB more`);
    await daemon.ok("rmi", "bomb");
  });
});
