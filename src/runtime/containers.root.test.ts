/** The runtime on the real kernel: containers from a busybox directory, without daemon, images or networks. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ContainerId } from "../base/base.ts";
import type { ExitRecord, Kernel } from "../kernel/kernel.ts";
import { openLinuxKernel } from "../kernel/linux.ts";
import { readProcesses } from "../kernel/processes.ts";
import type { ContainerConfig, ExecConfig, HostConfig } from "../spec/spec.ts";
import { bind } from "./examples.test.ts";
import { explainFailure } from "./explain-failure.ts";
import { openRuntime } from "./open.ts";
import type { RunningContainer, Runtime, StartRequest, UserMount } from "./runtime.ts";

const native = resolve(import.meta.dirname, "../../build/berth-native");
const skip = process.getuid?.() !== 0 ? "needs root" : existsSync(native) ? false : `${native} is not built`;

const applets =
  "sh cat ls id mount umount mknod dd unshare hostname sleep echo true env pwd readlink stat touch grep wc ps kill ip date mkdir chmod head tail df tty chroot nc";

function makeRoot(root: string): void {
  for (const name of ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "var", "home/user"])
    mkdirSync(join(root, name), { recursive: true });
  execFileSync("cp", [execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim(), join(root, "bin/busybox")]);
  for (const applet of applets.split(" ")) symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n");
  writeFileSync(join(root, "etc/script"), "#!/bin/sh\n");
}

/** Both streams to their end, apart. */
async function collect(socket: Socket): Promise<{ stdout: string; stderr: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const streams = ["", "", ""];
  for (let at = 0; at + 8 <= all.length; ) {
    const length = all.readUInt32BE(at + 4);
    const kind = all[at] ?? 0;
    streams[kind] += all.toString("utf8", at + 8, at + 8 + length);
    at += 8 + length;
  }
  return { stdout: streams[1] ?? "", stderr: streams[2] ?? "" };
}

interface Run {
  readonly config?: ContainerConfig;
  readonly hostConfig?: HostConfig;
  readonly request?: Partial<StartRequest>;
}

interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: ExitRecord | undefined;
}

describe("containers", { skip }, () => {
  const dataRoot = mkdtempSync("/var/tmp/berth-test-runtime-");
  const execRoot = mkdtempSync("/run/berth-test-runtime-");
  const lower = join(dataRoot, "lower");
  const cgroupParent = `/berth-test-runtime-${process.pid}`;
  let kernel: Kernel;
  let runtime: Runtime;

  before(async () => {
    makeRoot(lower);
    kernel = await openLinuxKernel({ native, execRoot });
    runtime = await openRuntime({ kernel, execRoot, options: { cgroupParent } });
  });
  after(async () => {
    await runtime.close();
    await kernel[Symbol.asyncDispose]();
    rmSync(dataRoot, { recursive: true, force: true });
    rmSync(execRoot, { recursive: true, force: true });
    const left = execFileSync("find", ["/sys/fs/cgroup", "-name", cgroupParent.slice(1)], { encoding: "utf8" });
    assert.equal(left, "", "no cgroup is left");
  });

  function requestFor({ config, hostConfig, request }: Run): StartRequest {
    const id = randomBytes(32).toString("hex") as ContainerId;
    const statePath = join(dataRoot, id);
    for (const name of ["upper", "work"]) mkdirSync(join(statePath, name), { recursive: true });
    return {
      containerId: id,
      config: { AttachStdout: true, AttachStderr: true, ...config },
      hostConfig: hostConfig ?? {},
      statePath,
      lower: [lower],
      mounts: [],
      hostname: "box",
      network: { namespace: "private", prepare: [], hostNetwork: [], containerNetwork: [], dns: false, cleanup: [] },
      hosts: "127.0.0.1\tlocalhost\n",
      resolvConf: "nameserver 192.0.2.1\n",
      readRootFile: async (path) => await readFile(join(lower, path)).catch(() => undefined),
      ...request,
    };
  }

  async function start(run: Run): Promise<{ container: RunningContainer; output: Promise<{ stdout: string; stderr: string }> }> {
    const container = await runtime.start(requestFor(run));
    const output = container.monitor.attach({ stdin: false, stdout: true, stderr: true }).then(collect);
    output.catch(() => {}); // a launch that fails ends its streams; what it says itself counts
    await container.monitor.launched;
    await container.monitor.go();
    return { container, output };
  }

  async function finish(run: Run): Promise<Finished> {
    const { container, output } = await start(run);
    const exit = await container.monitor.exited;
    return { ...(await output), exit };
  }

  async function sh(script: string, run: Run = {}): Promise<string> {
    const result = await finish({ ...run, config: { Cmd: ["sh", "-c", script], ...run.config } });
    assert.equal(result.exit?.exitCode, 0, `${script}\n${result.stdout}${result.stderr}`);
    return result.stdout.trim();
  }

  async function withContainer(run: Run, use: (container: RunningContainer) => Promise<void>): Promise<void> {
    const { container } = await start({ ...run, config: { Cmd: ["sleep", "1000"], ...run.config } });
    try {
      await use(container);
    } finally {
      await container.monitor.signal(9);
      await container.monitor.exited;
    }
  }

  async function exec(container: RunningContainer, script: string, config: ExecConfig = {}): Promise<string> {
    const session = await container.exec(
      { AttachStdout: true, AttachStderr: true, Cmd: ["sh", "-c", script], ...config },
      { execId: randomBytes(8).toString("hex") },
    );
    const [{ stdout, stderr }, { exitCode }] = await Promise.all([collect(session.stream), session.exited]);
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout.trim();
  }

  test("output, error and exit code", async () => {
    const { stdout, stderr, exit } = await finish({ config: { Cmd: ["sh", "-c", "echo out; echo err >&2; exit 7"] } });
    assert.deepEqual([stdout, stderr, exit?.exitCode, exit?.signal, exit?.oomKilled], ["out\n", "err\n", 7, 0, false]);
    // Process 1 is immune to signals of its own namespace; one from outside ends it.
    const { container } = await start({ config: { Cmd: ["sleep", "1000"] } });
    await container.monitor.signal(9);
    const killed = await container.monitor.exited;
    assert.deepEqual([killed?.exitCode, killed?.signal], [137, 9]);
  });

  test("it is process 1 among its own", async () => assert.equal(await sh("echo $$; echo /proc/[0-9]*"), "1\n/proc/1"));

  test("capabilities, seccomp, descriptors, for the first process and in exec", async () => {
    const posture = "grep -E 'Cap|Seccomp:|NoNewPrivs' /proc/$$/status | tr -s '\\t ' ' '; ls /proc/$$/fd; true";
    const expected = [
      "CapInh: 0000000000000000",
      "CapPrm: 00000000a80425fb",
      "CapEff: 00000000a80425fb",
      "CapBnd: 00000000a80425fb",
      "CapAmb: 0000000000000000",
      "NoNewPrivs: 0",
      "Seccomp: 2",
      ...["0", "1", "2"],
    ];
    assert.deepEqual((await sh(posture)).split("\n"), expected);
    await withContainer({}, async (container) => assert.deepEqual((await exec(container, posture)).split("\n"), expected));
  });

  test("as another user: no effective capabilities, own groups, standard files that can be opened", async () => {
    const script = "id -u; id -g; id -G; grep -E 'CapEff|CapBnd' /proc/$$/status | tr -s '\\t ' ' '; echo $HOME; echo again >/dev/stdout";
    const bounds = "CapEff: 0000000000000000\nCapBnd: 00000000a80425fb";
    assert.equal(await sh(script, { config: { User: "user" } }), `1000\n1000\n1000 2000\n${bounds}\n/home/user\nagain`);
    assert.equal(await sh("id -u; id -g; id -G", { config: { User: "5:6" }, hostConfig: { GroupAdd: ["extra"] } }), "5\n6\n6 2000");
    await withContainer({ hostConfig: { GroupAdd: ["7"] } }, async (container) => {
      assert.equal(await exec(container, "id -G; echo $HOME", { User: "user" }), "1000 7 2000\n/home/user");
      assert.equal(await exec(container, "id -G; echo $HOME"), "0 7\n/root");
    });
    await assert.rejects(finish({ config: { User: "nosuch", Cmd: ["true"] } }), {
      message: "unable to find user nosuch: no matching entries in passwd file",
    });
  });

  test("kernel files: masked, read-only, out of reach", async () => {
    // Empty by the mask; AppArmor, where there is one, does not even open some.
    for (const path of ["/proc/kcore", "/proc/interrupts", "/proc/keys", "/proc/timer_list"])
      assert.match(await sh(`(wc -c <${path}) 2>&1 || true`), existsSync(path) ? /^0$|[Pp]ermission denied/ : /[Nn]o such file/, path);
    for (const path of ["/sys/firmware", "/proc/acpi", "/sys/devices/virtual/powercap"])
      assert.equal(await sh(`ls ${path} 2>/dev/null | wc -l`), "0", path);
    for (const path of [
      "/proc/sysrq-trigger",
      "/proc/sys/kernel/hostname",
      "/proc/irq/0/x",
      "/sys/kernel/x",
      "/sys/fs/cgroup/x",
      "/proc/bus/x",
    ])
      assert.equal(await sh(`(echo b >${path}) 2>/dev/null && echo written || echo refused`), "refused", path);
    assert.equal(
      await sh("ls /dev | tr '\\n' ' '"),
      `${existsSync("/proc/kcore") ? "core " : ""}fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero`,
    );
    assert.equal(
      await sh("ls -l /dev/null | cut -c1-10; stat -c %a /dev/shm /dev; df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2"),
      "crw-rw-rw-\n1777\n755\n65536",
    );
  });

  test("a device that it makes itself cannot be opened; what is harmless can", async () => {
    assert.match(await sh("mknod /tmp/full c 1 7 && dd if=/tmp/full of=/dev/null bs=1 count=1 2>&1 | head -1"), /records in/);
    assert.match(await sh("mknod /tmp/mem c 1 1 && (dd if=/tmp/mem of=/dev/null bs=1 count=1 2>&1 || true)"), /not permitted/);
    const numbers = execFileSync("stat", ["-Lc", "%Hd %Ld", "/var/tmp"], { encoding: "utf8" }).trim();
    assert.match(await sh(`mknod /tmp/disk b ${numbers} && (dd if=/tmp/disk of=/dev/null bs=1 count=1 2>&1 || true)`), /not permitted/);
  });

  test("namespaces, mounts and the clock are refused", async () => {
    for (const command of [
      "unshare -U true",
      "unshare -m true",
      "mount -t tmpfs none /tmp",
      "mount -o remount,rw /sys",
      "date -s 2001-01-01",
    ])
      assert.match(await sh(`${command} 2>&1 || true`), /not permitted|permission denied/i, command);
  });

  test("no mount of the host is in sight", async () => {
    const mounts = (await sh("cat /proc/self/mountinfo")).split("\n");
    assert.equal(mounts.filter((line) => line.split(" ")[4] === "/").length, 1);
    for (const line of mounts) assert.ok(!line.includes(dataRoot) || /\/(hosts|hostname|resolv\.conf) \/etc\//.test(line), line);
  });

  test("host name, environment, directory, files", async () => {
    const config = { Env: ["A=b c"], WorkingDir: "/var/new/deep", Domainname: "example.test" };
    assert.equal(
      await sh('hostname; echo "$A"; pwd; echo $HOSTNAME; cat /etc/hostname /etc/resolv.conf', { config }),
      "box\nb c\n/var/new/deep\nbox\nbox\nnameserver 192.0.2.1",
    );
  });

  test("limits", async () => {
    const hostConfig: HostConfig = {
      Memory: 64 << 20,
      NanoCpus: 5e8,
      CpusetCpus: "0",
      PidsLimit: 50,
      OomScoreAdj: 500,
      ShmSize: 8 << 20,
      Ulimits: [{ Name: "nofile", Soft: 100, Hard: 200 }],
      Sysctls: { "net.ipv4.ip_unprivileged_port_start": "80" },
    };
    const script =
      "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_unprivileged_port_start; grep Cpus_allowed_list /proc/self/status | tr -s '\\t' ' '; df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true";
    assert.equal(await sh(script, { hostConfig }), "100\n200\n500\n80\nCpus_allowed_list: 0\n8192\n67108864\n50");
  });

  test("beyond the memory limit it is killed, and the record says so", async () => {
    const { exit } = await finish({ config: { Cmd: ["sh", "-c", "exec tail /dev/zero"] }, hostConfig: { Memory: 32 << 20 } });
    assert.deepEqual([exit?.exitCode, exit?.oomKilled], [137, true]);
  });

  test("read-only root, tmpfs, bind mounts", async () => {
    const source = join(dataRoot, "source");
    mkdirSync(join(source, "below"), { recursive: true });
    writeFileSync(join(source, "file"), "from the host\n");
    const hostConfig: HostConfig = {
      ReadonlyRootfs: true,
    };
    const mounts: UserMount[] = [
      { type: "tmpfs", target: "/tmp", options: ["noexec", "nosuid", "nodev", "size=1m"] },
      bind(source, "/data", { writable: false }),
      bind(join(source, "below"), "/rw"),
      bind(join(source, "made"), "/made", { createSource: true }),
      bind(join(source, "file"), "/etc/one"),
    ];
    const script =
      "touch /x 2>/dev/null || echo ro; touch /tmp/y && echo tmp; cat /data/file /etc/one; touch /data/z 2>/dev/null || echo ro; touch /rw/z && echo rw; mount | grep -c ' /tmp type tmpfs (rw,nosuid,nodev,noexec'";
    assert.equal(await sh(script, { hostConfig, request: { mounts } }), "ro\ntmp\nfrom the host\nfrom the host\nro\nrw\n1");
    assert.ok(existsSync(join(source, "below/z")) && existsSync(join(source, "made")));
  });

  test("devices, privileged, capabilities", async () => {
    assert.equal(
      await sh("dd if=/dev/x bs=1 count=1 2>/dev/null | wc -c", {
        hostConfig: { Devices: [{ PathOnHost: "/dev/zero", PathInContainer: "/dev/x", CgroupPermissions: "r" }] },
      }),
      "1",
    );
    assert.match(
      await sh("grep Seccomp: /proc/self/status; mount -t tmpfs none /tmp && echo mounted", { hostConfig: { Privileged: true } }),
      /0\nmounted$/,
    );
    assert.match(await sh("grep CapEff /proc/self/status", { hostConfig: { CapDrop: ["ALL"], CapAdd: ["NET_RAW"] } }), /0000000000002000$/);
    assert.match(
      await sh("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -s '\\t' ' '", { hostConfig: { SecurityOpt: ["no-new-privileges"] } }),
      /NoNewPrivs: 1\nSeccomp: 2/,
    );
    const profile = JSON.stringify({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
    });
    assert.match(await sh("mkdir /tmp/d 2>&1 || true", { hostConfig: { SecurityOpt: [`seccomp=${profile}`] } }), /denied/i);
  });

  test("a built-in PID 1 reaps and ends as the program does", async () => {
    const { stdout, exit } = await finish({ config: { Cmd: ["sh", "-c", "head -c 6 /proc/1/comm; exit 5"] }, hostConfig: { Init: true } });
    assert.deepEqual([stdout, exit?.exitCode], ["berth-", 5]);
  });

  test("the namespaces of the host and of another container", async () => {
    assert.equal(await sh(`test -d /proc/${process.pid} && echo host`, { hostConfig: { PidMode: "host" } }), "host");
    assert.equal(await sh("hostname", { hostConfig: { UTSMode: "host" } }), readFileSync("/proc/sys/kernel/hostname", "utf8").trim());
    assert.equal(await sh("cat /sys/class/net/lo/operstate; ls /sys/class/net"), "down\nlo");
    await withContainer({ hostConfig: { IpcMode: "shareable" } }, async (base) => {
      const { pid } = await base.monitor.launched;
      const id = base.spec.linux.cgroupsPath?.split("/").at(-1) ?? "";
      await exec(base, "echo shared >/dev/shm/x");
      const run: Run = { hostConfig: { PidMode: `container:${id}`, IpcMode: `container:${id}` }, request: { joinPid: pid, joinIpc: pid } };
      assert.match(await sh("ps; cat /dev/shm/x", run), /sleep 1000[\s\S]*shared$/);
    });
    assert.equal(await sh("ls -d /dev/shm 2>/dev/null || echo none", { hostConfig: { IpcMode: "none" } }), "none");
  });

  test("failures, in Docker's words", async () => {
    const words = async (run: Run): Promise<string> => {
      try {
        await finish(run);
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        assert.ok(typeof cause === "object" && cause !== null && "stage" in cause, String(error));
        return explainFailure(cause as Parameters<typeof explainFailure>[0]).message;
      }
      return "";
    };
    assert.match(await words({ config: { Cmd: ["nosuch"] } }), /: exec: "nosuch": executable file not found in \$PATH: unknown$/);
    assert.match(await words({ config: { Cmd: ["/no/such"] } }), /exec: "\/no\/such": stat \/no\/such: no such file or directory/);
    assert.match(await words({ config: { Cmd: ["/etc/passwd"] } }), /exec: "\/etc\/passwd": permission denied/);
    assert.match(await words({ config: { Cmd: ["/etc"] } }), /exec: "\/etc": (permission denied|is a directory)/);
    assert.match(await words({ config: { Cmd: ["true"], WorkingDir: "/etc/passwd" } }), /not a directory/);
    assert.match(await words({ config: { Cmd: ["true"], WorkingDir: "/proc/self/fd/3" } }), /runc create failed/);
    assert.match(
      await words({ config: { Cmd: ["true"] }, request: { mounts: [bind("/etc/passwd", "/tmp")] } }),
      /Are you trying to mount a directory onto a file/,
    );
    await withContainer({}, async (container) => {
      await assert.rejects(container.exec({ Cmd: ["nosuch"] }, { execId: "e" }), (error) => {
        const { cause } = error as Error;
        assert.equal(
          explainFailure(cause as Parameters<typeof explainFailure>[0]).message,
          'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown',
        );
        return true;
      });
    });
  });

  test("another daemon adopts what runs, and finds how it ended", async () => {
    const request = requestFor({ config: { Cmd: ["sleep", "1000"] }, hostConfig: { GroupAdd: ["7"] } });
    const container = await runtime.start(request);
    const { pid } = await container.monitor.launched;
    await container.monitor.go();
    container.monitor.release();
    const { running } = await runtime.adopt(request.containerId, request.statePath);
    assert.ok(running);
    assert.equal((await running.monitor.launched).pid, pid);
    assert.deepEqual(running.cgroups, container.cgroups);
    assert.equal(await exec(running, "id -G; echo $HOME"), "0 7\n/root");
    assert.ok((await readProcesses(running.cgroups)).some((one) => one.pid === pid));
    await running.monitor.signal(15);
    await running.monitor.signal(9);
    await running.monitor.exited;
    const { exit } = await runtime.adopt(request.containerId, request.statePath);
    assert.equal(exit?.exitCode, 137);
  });
});
