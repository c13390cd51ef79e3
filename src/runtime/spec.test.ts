import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import { defaultCapabilities } from "../kernel/capabilities.ts";
import type { HostConfig, RuntimeSpec } from "../spec/spec.ts";
import { bind, type Example, hostFacts, specOf } from "./examples.test.ts";

const schemas = resolve(import.meta.dirname, "../../../shared/data/oci-runtime");
const skip = existsSync(schemas) ? false : `${schemas} is not here`;

const mountAt = (spec: RuntimeSpec, destination: string): RuntimeSpec["mounts"][number] | undefined =>
  spec.mounts.find((mount) => mount.destination === destination);
const has = (spec: RuntimeSpec, type: string): boolean => spec.linux.namespaces.some((namespace) => namespace.type === type);

/** A spread of what people ask for. */
const examples: Readonly<Record<string, Example>> = {
  defaults: {},
  "cgroup v1": { facts: hostFacts(1) },
  privileged: { hostConfig: { Privileged: true } },
  terminal: { config: { Tty: true }, request: { consoleSize: [24, 80] } },
  limits: {
    hostConfig: {
      Memory: 64 << 20,
      NanoCpus: 5e8,
      CpuShares: 512,
      CpusetCpus: "0-1",
      PidsLimit: 50,
      BlkioWeight: 300,
      OomScoreAdj: 500,
      Ulimits: [
        { Name: "nofile", Soft: 100, Hard: 200 },
        { Name: "core", Soft: -1, Hard: -1 },
      ],
    },
  },
  user: { config: { User: "user", WorkingDir: "/srv", Env: ["A=b"] }, hostConfig: { GroupAdd: ["extra", "7"] } },
  mounts: {
    hostConfig: { ReadonlyRootfs: true },
    request: {
      mounts: [
        bind("/etc", "/data", { writable: false, propagation: "rslave" }),
        bind("/var/lib/berth/volumes/v/_data", "/v", { subpath: "a/b", engineOnly: true }),
        { type: "tmpfs", target: "/t", options: ["size=4096", "mode=700"] },
        { type: "image", target: "/i", lower: ["/layers/b", "/layers/a"], subpath: "bin" },
      ],
    },
  },
  devices: {
    hostConfig: {
      Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/nothing", CgroupPermissions: "r" }],
      DeviceCgroupRules: ["c 10:* rw"],
    },
  },
  "host's namespaces": {
    hostConfig: { PidMode: "host", IpcMode: "host", UTSMode: "host", CgroupnsMode: "host", UsernsMode: "host" },
    request: { network: { namespace: "host", prepare: [], hostNetwork: [], containerNetwork: [], dns: false, cleanup: [] } },
  },
  "seccomp off, sysctls": {
    hostConfig: { SecurityOpt: ["seccomp=unconfined", "no-new-privileges"], Sysctls: { "net.core.somaxconn": "10" } },
  },
};

describe("the runtime spec", () => {
  test("is a valid OCI configuration, whatever is asked for", { skip }, async () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    for (const name of readdirSync(schemas)) {
      // Draft 4 calls `id` what later drafts, which ajv knows, call `$id`; the rest of what is used here is the same.
      const { $schema: _draft, id: _id, ...schema } = JSON.parse(readFileSync(`${schemas}/${name}`, "utf8"));
      ajv.addSchema(schema, name);
    }
    // Other systems' parts of the schema are not at hand, and not ours.
    for (const name of ["solaris", "windows", "vm", "zos", "freebsd"]) {
      ajv.addSchema({ [name]: {} }, `config-${name}.json`);
    }
    const validate = ajv.getSchema("config-schema.json");
    assert.ok(validate);
    for (const [name, example] of Object.entries(examples)) {
      const spec: unknown = JSON.parse(JSON.stringify(await specOf(example)));
      assert.ok(validate(spec), `${name}: ${JSON.stringify(validate.errors)}`);
    }
    assert.equal(validate({ process: {} }), false, "the schema can refuse");
  });

  test("the default posture", async () => {
    const spec = await specOf();
    assert.deepEqual(spec.process.capabilities?.effective, defaultCapabilities);
    assert.deepEqual(spec.process.capabilities?.inheritable, []);
    assert.equal(spec.linux.seccomp?.defaultAction, "SCMP_ACT_ERRNO");
    assert.equal(spec.process.noNewPrivileges, false);
    for (const type of ["mount", "network", "uts", "pid", "ipc", "cgroup"]) assert.ok(has(spec, type), type);
    assert.equal(has(spec, "user"), false);
    for (const path of [
      "/proc/kcore",
      "/proc/keys",
      "/proc/interrupts",
      "/sys/firmware",
      "/sys/devices/virtual/powercap",
      "/sys/devices/system/cpu/cpu0/thermal_throttle",
    ])
      assert.ok(spec.linux.maskedPaths?.includes(path), path);
    assert.deepEqual(spec.linux.readonlyPaths, ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
    assert.deepEqual(spec.linux.resources?.devices?.[0], { allow: false, access: "rwm" });
    assert.deepEqual(
      spec.mounts.slice(0, 7).map((mount) => [mount.destination, mount.type, mount.options?.join()]),
      [
        ["/proc", "proc", "nosuid,noexec,nodev"],
        ["/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"],
        ["/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"],
        ["/sys", "sysfs", "nosuid,noexec,nodev,ro"],
        ["/sys/fs/cgroup", "cgroup", "ro,nosuid,noexec,nodev"],
        ["/dev/mqueue", "mqueue", "nosuid,noexec,nodev"],
        ["/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=67108864"],
      ],
    );
    assert.deepEqual(
      spec.mounts.slice(7).map((mount) => mount.destination),
      ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"],
    );
  });

  test("the environment: Docker's own first, replaced in place, taken away by a bare name", async () => {
    const env = (await specOf({ config: { Tty: true, Env: ["A=1", "HOSTNAME=own", "A=2", "PATH"] } })).process.env;
    assert.deepEqual(env, ["HOSTNAME=own", "TERM=xterm", "A=2"]);
    assert.deepEqual((await specOf()).process.env, [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOSTNAME=c0ffee000000",
    ]);
  });

  test("privileged: all capabilities, all devices, no seccomp, no masks, a writable /sys", async () => {
    const spec = await specOf({ hostConfig: { Privileged: true } });
    assert.equal(spec.process.capabilities?.bounding.length, hostFacts(2).capabilities.length);
    assert.equal(spec.linux.seccomp, undefined);
    assert.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths], [[], []]);
    assert.equal(mountAt(spec, "/sys")?.options?.includes("ro"), false);
    assert.equal(mountAt(spec, "/sys/fs/cgroup")?.options?.includes("ro"), false);
    assert.deepEqual(spec.linux.resources?.devices, [{ allow: true, access: "rwm" }]);
    assert.ok(spec.linux.devices?.some(({ path }) => path === "/dev/null"));
    assert.equal(
      spec.linux.devices?.some(({ path }) => path.startsWith("/dev/pts")),
      false,
    );
  });

  test("the namespaces of the host, of none, of another container", async () => {
    const host = await specOf(examples["host's namespaces"]);
    assert.deepEqual(
      host.linux.namespaces.map(({ type }) => type),
      ["mount"],
    );
    assert.equal(host.hostname, undefined);
    assert.deepEqual(host.linux.sysctl, {});
    assert.deepEqual(mountAt(host, "/dev/shm")?.source, "/dev/shm");
    assert.equal(mountAt(await specOf({ hostConfig: { IpcMode: "none" } }), "/dev/shm"), undefined);
    const joined = await specOf({
      hostConfig: { PidMode: "container:abc", IpcMode: "container:abc" },
      request: {
        joinPid: 42,
        joinIpc: 43,
        network: { namespace: "container", joinPid: 44, prepare: [], hostNetwork: [], containerNetwork: [], dns: false, cleanup: [] },
      },
    });
    const path = (type: string): string | undefined => joined.linux.namespaces.find((one) => one.type === type)?.path;
    assert.deepEqual([path("pid"), path("ipc"), path("network")], ["/proc/42/ns/pid", "/proc/43/ns/ipc", "/proc/44/ns/net"]);
    assert.equal(mountAt(joined, "/dev/shm")?.source, "/run/berth/shm/abc");
    await assert.rejects(specOf({ hostConfig: { PidMode: "container:abc" } }), /cannot join PID of a non running container/);
  });

  test("cgroup namespaces: private on v2, the host's on v1, as told otherwise", async () => {
    assert.equal(has(await specOf({ facts: hostFacts(1) }), "cgroup"), false);
    assert.equal(has(await specOf({ facts: hostFacts(1), hostConfig: { CgroupnsMode: "private" } }), "cgroup"), true);
    assert.equal(has(await specOf({ options: { cgroupNamespace: "host" } }), "cgroup"), false);
  });

  test("limits", async () => {
    const { linux, process } = await specOf(examples["limits"]);
    assert.deepEqual(linux.resources?.memory, { limit: 64 << 20, swap: 128 << 20 });
    assert.deepEqual(linux.resources?.cpu, { shares: 512, quota: 50_000, period: 100_000, cpus: "0-1" });
    assert.deepEqual(linux.resources?.pids, { limit: 50 });
    assert.deepEqual(process.rlimits?.[0], { type: "RLIMIT_NOFILE", soft: 100, hard: 200 });
    assert.equal(process.oomScoreAdj, 500);
    assert.deepEqual((await specOf({ options: { pidsLimit: 9 } })).linux.resources?.pids, { limit: 9 });
    assert.equal((await specOf()).linux.resources?.pids, undefined);
    assert.equal((await specOf()).process.rlimits, undefined, "limits nobody asked for are inherited");
    const unsupported = await specOf({
      facts: hostFacts(1, { swap: false, blkioWeight: false }),
      hostConfig: { Memory: 64 << 20, BlkioWeight: 100 },
    });
    assert.deepEqual(unsupported.linux.resources?.memory, { limit: 64 << 20 });
    assert.equal(unsupported.linux.resources?.blockIO, undefined);
  });

  test("mounts: by depth, own ones in place of defaults, read-only to the bottom", async () => {
    const spec = await specOf({
      request: {
        mounts: [
          bind("/etc", "/a/b/c", { writable: false }),
          bind("/etc", "/a"),
          bind("/etc/hosts", "/etc/hosts"),
          { type: "tmpfs", target: "/dev/shm", options: [] },
        ],
      },
    });
    assert.deepEqual(
      spec.mounts.slice(6).map(({ destination }) => destination),
      ["/a", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/dev/shm", "/a/b/c"],
    );
    assert.deepEqual(mountAt(spec, "/a/b/c")?.options, ["rbind", "rro", "rprivate"]);
    assert.equal(mountAt(spec, "/etc/hosts")?.source, "/etc/hosts");
    assert.equal(
      (await specOf({ request: { mounts: [bind("/etc", "/a", { propagation: "rshared" })] } })).linux.rootfsPropagation,
      "shared",
    );
  });

  test("devices: nodes, and rules behind the defaults", async () => {
    const { linux } = await specOf(examples["devices"]);
    assert.deepEqual(
      linux.devices?.map(({ path, type, major, minor }) => [path, type, major, minor]),
      [["/dev/nothing", "c", 1, 3]],
    );
    assert.deepEqual(linux.resources?.devices?.slice(-2), [
      { allow: true, type: "c", major: 1, minor: 3, access: "r" },
      { allow: true, type: "c", major: 10, access: "rw" },
    ]);
    await assert.rejects(specOf({ hostConfig: { Devices: [{ PathOnHost: "/dev/nosuch" }] } }), {
      message: 'error gathering device information while adding custom device "/dev/nosuch": no such file or directory',
    });
    await assert.rejects(specOf({ hostConfig: { Devices: [{ PathOnHost: "/etc/passwd" }] } }), /not a device node/);
  });

  test("security options", async () => {
    const of = (hostConfig: HostConfig): Promise<RuntimeSpec> => specOf({ hostConfig });
    assert.equal((await of({ SecurityOpt: ["no-new-privileges:true"] })).process.noNewPrivileges, true);
    assert.equal((await of({ SecurityOpt: ["seccomp=unconfined"] })).linux.seccomp, undefined);
    assert.deepEqual((await of({ SecurityOpt: ["systempaths=unconfined"] })).linux.maskedPaths, []);
    assert.deepEqual((await of({ MaskedPaths: ["/x"], ReadonlyPaths: [] })).linux.maskedPaths, ["/x"]);
    assert.equal(mountAt(await of({ SecurityOpt: ["writable-cgroups=true"] }), "/sys/fs/cgroup")?.options?.includes("ro"), false);
    const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }] };
    assert.equal((await of({ SecurityOpt: [`seccomp=${JSON.stringify(profile)}`] })).linux.seccomp?.syscalls?.length, 1);
    await assert.rejects(of({ SecurityOpt: ["seccomp={"] }), /Decoding seccomp profile failed/);
    await assert.rejects(of({ SecurityOpt: ["nosuch"] }), { message: 'invalid --security-opt 1: "nosuch"' });
    await assert.rejects(of({ SecurityOpt: ["a=b"] }), { message: 'invalid --security-opt 2: "a=b"' });
  });
});
