/** `docker run` through the stock docker CLI. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

describe("docker run", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  test("echo hi", async () => assert.equal(await daemon.ok("run", "--rm", "busybox", "echo", "hi"), "hi"));

  test("stdin to its end", async () => {
    const result = await daemon.docker(["run", "-i", "--rm", "busybox", "cat"], { input: "hi\n" });
    assert.deepEqual(result, { status: 0, stdout: "hi\n", stderr: "" });
  });

  test("stdout and stderr apart", async () => {
    const result = await daemon.docker(["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"]);
    assert.deepEqual(result, { status: 0, stdout: "out\n", stderr: "err\n" });
  });

  test("a megabyte both ways", async () => {
    const input = "0123456789abcde\n".repeat(65_536);
    const result = await daemon.docker(["run", "-i", "--rm", "busybox", "cat"], { input });
    assert.equal(result.status, 0, result.stderr);
    assert.ok(result.stdout === input, `${result.stdout.length} bytes came back`);
  });

  test("a terminal", async () => {
    const result = await daemon.terminal(["run", "-t", "--rm", "busybox", "tty"]);
    assert.match(result.stdout, /^\/dev\/pts\/\d+\r*\n$/);
    assert.equal(result.status, 0);
  });

  test("an interactive shell in a terminal", async () => {
    const result = await daemon.terminal(["run", "-it", "--rm", "busybox", "sh"], { input: "echo $((6*7)); exit 3\n" });
    assert.match(result.stdout, /^42\r$/m);
    assert.equal(result.status, 3);
  });

  test("exit codes", async () => {
    assert.equal((await daemon.docker(["run", "--rm", "busybox", "sh", "-c", "exit 7"])).status, 7);
    const missing = await daemon.docker(["run", "--rm", "busybox", "nosuch"]);
    assert.equal(missing.status, 127);
    assert.match(missing.stderr, /^docker: Error response from daemon: [^\n]*exec: "nosuch": executable file not found in \$PATH/);
    const denied = await daemon.docker(["run", "--rm", "busybox", "/etc/passwd"]);
    assert.equal(denied.status, 126);
    assert.match(denied.stderr, /permission denied/);
    assert.equal((await daemon.docker(["run", "--rm", "--pid", "host", "busybox", "sh", "-c", "kill -9 $$"])).status, 137);
    assert.equal((await daemon.docker(["run", "--rm", "--memory", "1", "busybox", "true"])).status, 125);
    assert.equal((await daemon.docker(["run", "--rm", "--pull", "never", "nosuch-image", "true"])).status, 125);
    const lost = await daemon.docker(["run", "--rm", "--network", "nosuch", "busybox", "true"]);
    assert.equal(lost.status, 125);
    assert.match(lost.stderr, /network nosuch not found/);
    assert.doesNotMatch(lost.stderr, /Unable to find image/);
    assert.equal(await daemon.ok("ps", "-aq", "--filter", "status=exited"), "", "--rm removes also what failed");
  });

  test("a memory limit kills, and says so", async () => {
    const result = await daemon.docker(["run", "--name", "oom", "--memory", "32m", "busybox", "sh", "-c", "exec tail /dev/zero"]);
    assert.equal(result.status, 137);
    assert.equal(
      await daemon.ok("inspect", "--format", "{{.State.OOMKilled}} {{.State.ExitCode}} {{.HostConfig.Memory}}", "oom"),
      "true 137 33554432",
    );
    await daemon.ok("rm", "oom");
  });

  test("--name, --cidfile, -d, ps, rm", async () => {
    const dir = mkdtempSync("/var/tmp/berth-test-cid-");
    const id = await daemon.ok("run", "-d", "--name", "first", "--cidfile", `${dir}/cid`, "--label", "a=b", "busybox", "sleep", "1000");
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(readFileSync(`${dir}/cid`, "utf8"), id);
    rmSync(dir, { recursive: true });
    assert.equal(await daemon.ok("ps", "--no-trunc", "-q", "--filter", "label=a=b"), id);
    assert.match(await daemon.ok("ps", "--format", "{{.Names}} {{.Image}} {{.Status}} {{.Command}}"), /^first busybox Up .* "sleep 1000"$/);
    const clash = await daemon.docker(["run", "--name", "first", "busybox", "true"]);
    assert.equal(clash.status, 125);
    assert.match(clash.stderr, new RegExp(`Conflict. The container name "/first" is already in use by container "${id}"`));
    const running = await daemon.docker(["rm", "first"]);
    assert.equal(running.status, 1);
    assert.match(running.stderr, /container is running/);
    await daemon.ok("rename", "first", "second");
    assert.match(await daemon.ok("ps", "-a", "--size", "--format", "{{.Names}} {{.Size}}"), /^second .*B/);
    assert.match(await daemon.ok("top", "second"), /sleep 1000/);
    await daemon.ok("rm", "-fv", "second");
    assert.equal(await daemon.ok("ps", "-aq"), "");
  });

  test("flags that shape the process", async () => {
    const sh = (flags: string[], script: string): Promise<string> => daemon.ok("run", "--rm", ...flags, "busybox", "sh", "-c", script);
    assert.equal(
      await sh(["--hostname", "h1", "--env", "A=b c", "--workdir", "/var/new"], 'echo $(hostname) $A $(pwd) "$HOME"'),
      "h1 b c /var/new /root",
    );
    assert.equal(await sh(["--user", "user"], "id -u; id -g; id -G"), "1000\n1000\n1000 2000");
    assert.equal(await sh(["--user", "5:6", "--group-add", "extra"], "id -u; id -g; id -G"), "5\n6\n6 2000");
    assert.equal(
      await sh(["--read-only", "--tmpfs", "/tmp:size=1m"], "touch /x 2>/dev/null || echo ro; touch /tmp/x && echo rw"),
      "ro\nrw",
    );
    assert.equal(await sh(["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn"), "100\n200");
    assert.equal(
      await sh(["--sysctl", "net.ipv4.ip_unprivileged_port_start=80"], "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"),
      "80",
    );
    assert.equal(await sh(["--shm-size", "8m"], "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2"), "8192");
    assert.equal(await sh(["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj"), "500");
    assert.equal(await sh(["--init"], "cat /proc/1/comm | head -c 6; echo; ps -o pid,comm | grep -c defunct; true"), "berth-\n0");
    assert.match(await sh(["--cap-drop", "ALL", "--cap-add", "NET_RAW"], "grep CapEff /proc/self/status"), /0000000000002000/);
    assert.match(await sh(["--privileged"], "grep Seccomp: /proc/self/status"), /Seccomp:\s*0/);
    assert.match(await sh(["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status"), /1/);
    assert.equal(await daemon.ok("run", "--rm", "--entrypoint", "echo", "busybox", "x"), "x");
    assert.equal(await sh(["--pid", "host"], `test -d /proc/${process.pid} && echo host`), "host");
    assert.equal(await sh(["--uts", "host"], "hostname"), readFileSync("/proc/sys/kernel/hostname", "utf8").trim());
    assert.equal(await sh(["--device", "/dev/fuse:/dev/f:r"], "test -c /dev/f && echo dev"), "dev");
    assert.match(
      await sh(
        ["--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0", "--pids-limit", "50", "--memory-reservation", "16m"],
        "grep Cpus_allowed_list /proc/self/status",
      ),
      /\s0$/,
    );
  });

  test("bind mounts and tmpfs", async () => {
    const dir = mkdtempSync("/var/tmp/berth-test-bind-");
    await daemon.ok(
      "run",
      "--rm",
      "-v",
      `${dir}:/data`,
      "--mount",
      `type=bind,source=${dir},target=/ro,readonly`,
      "busybox",
      "sh",
      "-c",
      "echo x >/data/f; ! touch /ro/g 2>/dev/null",
    );
    assert.equal(readFileSync(`${dir}/f`, "utf8"), "x\n");
    await daemon.ok("run", "--rm", "-v", `${dir}/made:/data:ro`, "busybox", "true");
    assert.ok(existsSync(`${dir}/made`), "-v makes a missing source");
    const missing = await daemon.docker(["run", "--rm", "--mount", `type=bind,source=${dir}/none,target=/x`, "busybox", "true"]);
    assert.equal(missing.status, 125);
    assert.match(missing.stderr, /bind source path does not exist/);
    assert.match(await daemon.ok("run", "--rm", "--mount", "type=tmpfs,target=/t,tmpfs-size=1m", "busybox", "mount"), /tmpfs on \/t /);
    rmSync(dir, { recursive: true });
  });

  test("stop with a signal and a timeout, kill, restart, wait", async () => {
    await daemon.ok(
      "run",
      "-d",
      "--name",
      "stopping",
      "--stop-signal",
      "USR1",
      "busybox",
      "sh",
      "-c",
      "trap 'exit 9' USR1; while :; do sleep 0.05; done",
    );
    await daemon.ok("stop", "stopping");
    assert.equal(await daemon.ok("wait", "stopping"), "9");
    await daemon.ok("restart", "stopping");
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", "stopping"), "true 0");
    await daemon.ok("kill", "-s", "TERM", "stopping");
    await daemon.ok("kill", "stopping");
    assert.equal(await daemon.ok("wait", "stopping"), "137");
    const again = await daemon.docker(["kill", "stopping"]);
    assert.match(again.stderr, /is not running/);
    await daemon.ok("start", "stopping");
    await daemon.ok("stop", "-t", "0", "-s", "WINCH", "stopping");
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.ExitCode}}", "stopping"), "137");
    await daemon.ok("rm", "stopping");
  });

  test("namespaces of another container", async () => {
    await daemon.ok("run", "-d", "--name", "base", "--ipc", "shareable", "busybox", "sleep", "1000");
    assert.match(await daemon.ok("run", "--rm", "--pid", "container:base", "busybox", "ps"), /sleep 1000/);
    const address = await daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "base");
    assert.match(await daemon.ok("run", "--rm", "--net", "container:base", "busybox", "ip", "addr"), new RegExp(`inet ${address}/`));
    assert.equal(
      await daemon.ok("run", "--rm", "--ipc", "container:base", "busybox", "readlink", "/proc/self/ns/ipc"),
      await daemon.ok("exec", "base", "readlink", "/proc/self/ns/ipc"),
    );
    await daemon.ok("run", "-d", "--name", "hosts", "--ipc", "host", "busybox", "sleep", "1000");
    assert.equal(
      await daemon.ok("run", "--rm", "--ipc", "container:hosts", "busybox", "readlink", "/proc/self/ns/ipc"),
      readlinkSync("/proc/self/ns/ipc"),
    );
    await daemon.ok("rm", "-f", "base", "hosts");
  });

  test("create, start -a, logs kept", async () => {
    await daemon.ok("create", "--name", "made", "busybox", "sh", "-c", "echo one; echo two >&2; exit 4");
    const started = await daemon.docker(["start", "-a", "made"]);
    assert.deepEqual(started, { status: 4, stdout: "one\n", stderr: "two\n" });
    const logs = await daemon.docker(["logs", "made"]);
    assert.deepEqual(logs, { status: 0, stdout: "one\n", stderr: "two\n" });
    await daemon.ok("rm", "made");
  });

  test("events tell the story in order", async () => {
    const since = (Date.now() / 1000).toFixed(3);
    await daemon.ok("run", "--rm", "--name", "eventful", "busybox", "true");
    const events = await eventually("the destroy event", async () => {
      const lines = (
        await daemon.ok(
          "events",
          "--since",
          since,
          "--until",
          (Date.now() / 1000 + 0.001).toFixed(3),
          "--filter",
          "container=eventful",
          "--format",
          "{{.Action}}",
        )
      ).split("\n");
      return lines.includes("destroy") ? lines : undefined;
    });
    assert.deepEqual(events, ["create", "attach", "start", "die", "destroy"]);
  });

  test("inspect --format of the usual fields", async () => {
    const id = await daemon.ok("run", "-d", "--name", "inspected", "-p", "127.0.0.1:18099:80/tcp", "-e", "K=v", "busybox", "sleep", "1000");
    const field = (format: string): Promise<string> => daemon.ok("inspect", "--format", format, "inspected");
    assert.equal(await field("{{.Id}}"), id);
    assert.equal(await field("{{.Name}} {{.State.Status}} {{.State.Running}} {{.Config.Image}}"), "/inspected running true busybox");
    assert.match(await field("{{.State.Pid}}"), /^[1-9]\d*$/);
    assert.match(await field("{{.NetworkSettings.IPAddress}}"), /^\d+\.\d+\.\d+\.\d+$/);
    assert.equal(await field('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'), "18099");
    assert.match(await field("{{json .Config.Env}}"), /"K=v"/);
    assert.match(await field("{{.LogPath}}"), new RegExp(`${id}-json.log$`));
    assert.match(await field("{{range .Args}}{{.}} {{end}}{{.Path}}"), /^1000 sleep$/);
    assert.match(
      await field("{{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.LogConfig.Type}} {{.Driver}}"),
      /^(bridge|default) no json-file (erofs|overlay2)$/,
    );
    await daemon.ok("rm", "-f", "inspected");
  });
});
