import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InitOp, LaunchPlan } from "../kernel/kernel.ts";
import { accounts, bind, type Example, hostFacts, planOf, specOf } from "./examples.test.ts";
import { execPlan } from "./exec.ts";
import { readMountWords } from "./mount-operations.ts";
import { resolveUser } from "./users.ts";

const stages = (ops: readonly { readonly op: string }[]): string[] => ops.map(({ op }) => op);
const at = (plan: LaunchPlan, op: string): number => plan.init.findIndex((one) => one.op === op);
const mountOn = (plan: LaunchPlan, target: string): Extract<InitOp, { op: "mount" }> | undefined =>
  plan.init.find((op) => op.op === "mount" && op.target === target) as Extract<InitOp, { op: "mount" }> | undefined;

function assertOrder(plan: LaunchPlan, ...order: string[]): void {
  const positions = order.map((op) => at(plan, op));
  assert.ok(
    positions.every((position) => position >= 0),
    `${order.filter((_, index) => (positions[index] ?? -1) < 0)} are not in ${stages(plan.init)}`,
  );
  assert.deepEqual(
    positions,
    [...positions].sort((a, b) => a - b),
    `${order} in ${stages(plan.init)}`,
  );
}

describe("the launch plan", () => {
  test("prepares cgroups before ports, ports before the root, the root before bind sources", async () => {
    const network = {
      namespace: "private" as const,
      prepare: [{ op: "bind-port" as const, protocol: "tcp" as const, address: "0.0.0.0", port: 80 }],
      hostNetwork: [],
      containerNetwork: [],
      dns: false,
      cleanup: [],
    };
    const plan = await planOf({ request: { network, mounts: [bind("/etc", "/x")] } });
    const order = stages(plan.prepare).filter((op, index, all) => all.indexOf(op) === index);
    assert.deepEqual(
      order.filter((op) => ["mkdir", "bind-port", "overlay", "open-tree"].includes(op)),
      ["mkdir", "bind-port", "overlay", "open-tree"],
    );
  });

  test("does things in an order in which they work and protect", async () => {
    const plan = await planOf({
      config: { Tty: true, WorkingDir: "/srv" },
      hostConfig: { ReadonlyRootfs: true, Init: true, Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] },
    });
    assertOrder(
      plan,
      "root-propagation",
      "mount",
      "device",
      "symlink",
      "pivot-root",
      "new-session",
      "console",
      "sysctl",
      "hostname",
      "oom-score-adj",
      "mkdir",
      "readonly-path",
      "masked-path",
      "root-readonly",
      "rlimit",
      "cwd",
      "seccomp",
      "groups",
      "user",
      "capabilities",
      "init-process",
      "exec",
    );
    assert.equal(plan.init.at(-1)?.op, "exec");
  });

  test("with no_new_privs the filter comes last, without it before the capabilities go", async () => {
    assertOrder(
      await planOf({ hostConfig: { SecurityOpt: ["no-new-privileges"] } }),
      "no-new-privileges",
      "user",
      "capabilities",
      "seccomp",
      "exec",
    );
    assertOrder(await planOf(), "seccomp", "user", "capabilities", "exec");
    assert.equal(at(await planOf(), "no-new-privileges"), -1);
  });

  test("namespaces: new ones by flag, others by path", async () => {
    assert.equal((await planOf()).clone.newNamespaces, 0x6e02_0000);
    const joined = await planOf({ hostConfig: { PidMode: "container:a" }, request: { joinPid: 7 } });
    assert.deepEqual(joined.clone.join, [{ path: "/proc/7/ns/pid", flag: 0x2000_0000 }]);
    assert.equal(joined.clone.newNamespaces, 0x4e02_0000);
  });

  test("capabilities: root has the set, another user only its bound", async () => {
    const capabilities = async (example: Example): Promise<unknown> => (await planOf(example)).init.find(({ op }) => op === "capabilities");
    const bits = 0xa804_25fbn;
    assert.deepEqual(await capabilities({}), {
      op: "capabilities",
      bounding: bits,
      effective: bits,
      permitted: bits,
      inheritable: 0n,
      ambient: 0n,
    });
    assert.deepEqual(await capabilities({ config: { User: "user" } }), {
      op: "capabilities",
      bounding: bits,
      effective: 0n,
      permitted: 0n,
      inheritable: 0n,
      ambient: 0n,
    });
  });

  test("mounts: attributes apart from options", async () => {
    const plan = await planOf({
      request: { mounts: [{ type: "tmpfs", target: "/t", options: ["nosuid", "nodev", "size=1m", "exec", "ro"] }] },
    });
    assert.deepEqual(mountOn(plan, "/dev"), {
      op: "mount",
      type: "tmpfs",
      source: "tmpfs",
      target: "/dev",
      attributes: 0x22,
      options: ["mode=755", "size=65536k"],
      create: "directory",
    });
    assert.deepEqual(mountOn(plan, "/sys")?.attributes, 0xf);
    assert.deepEqual(mountOn(plan, "/t")?.options, ["size=1m"]);
    assert.equal(mountOn(plan, "/t")?.attributes, 0x7);
    assert.equal(mountOn(plan, "/dev/mqueue")?.optional, true);
    assert.equal(mountOn(plan, "/sys/fs/cgroup")?.type, "cgroup2");
  });

  test("mount words", () => {
    assert.deepEqual(readMountWords(["rbind", "rro", "rslave"]), {
      set: 1,
      clear: 0,
      recursive: true,
      propagation: 0x8_4000,
      bind: "recursive",
      copyUp: false,
      subpath: "",
      engineOnly: false,
      options: [],
    });
    assert.deepEqual(readMountWords(["bind", "ro", "nosuid", "relatime", "shared"]), {
      set: 3,
      clear: 0x70,
      recursive: false,
      propagation: 0x10_0000,
      bind: "single",
      copyUp: false,
      subpath: "",
      engineOnly: false,
      options: [],
    });
    assert.deepEqual(readMountWords(["tmpcopyup", "size=1m", "defaults", "rw"]), {
      set: 0,
      clear: 1,
      recursive: false,
      propagation: 0,
      bind: "none",
      copyUp: true,
      subpath: "",
      engineOnly: false,
      options: ["size=1m"],
    });
  });

  test("v1 cgroups in the container: binds of its own groups, or fresh mounts in a namespace of its own", async () => {
    const bound = await planOf({ facts: hostFacts(1) });
    assert.equal(mountOn(bound, "/sys/fs/cgroup")?.type, "tmpfs");
    const trees = bound.prepare.flatMap((op) => (op.op === "open-tree" ? [op] : []));
    assert.ok(trees.some(({ source }) => /^\/sys\/fs\/cgroup\/memory\/berth\/c0ffee/.test(source)));
    assert.ok(bound.init.some((op) => op.op === "symlink" && op.target === "/sys/fs/cgroup/cpuacct" && op.linkTo === "cpu,cpuacct"));
    for (const op of bound.init)
      if (op.op === "attach-tree" && op.target.startsWith("/sys/fs/cgroup/")) assert.equal(op.set & 1, 1, "read-only");
    const slots = trees.map(({ slot }) => slot);
    assert.equal(new Set(slots).size, slots.length);
    const fresh = await planOf({ facts: hostFacts(1), hostConfig: { CgroupnsMode: "private" } });
    assert.deepEqual(mountOn(fresh, "/sys/fs/cgroup/cpu,cpuacct")?.options, ["cpu", "cpuacct"]);
  });

  test("whoever binds a /dev of their own gets nothing made in it", async () => {
    const plan = await planOf({ request: { mounts: [bind("/dev", "/dev")] } });
    assert.equal(at(plan, "device"), -1);
    assert.equal(mountOn(plan, "/dev/pts"), undefined);
  });

  test("the clean-up takes the network's part first, and kills once", async () => {
    const network = {
      namespace: "private" as const,
      prepare: [],
      hostNetwork: [],
      containerNetwork: [],
      dns: false,
      cleanup: [{ op: "unlink" as const, path: "/x" }],
    };
    const plan = await planOf({ facts: hostFacts(1), request: { network } });
    assert.equal(plan.networkCleanup[0]?.op, "unlink");
    assert.equal(plan.cleanup.filter((op) => op.op === "rmdir").length, 7);
  });
});

describe("the exec plan", () => {
  test("as the container, with its filter and limits", async () => {
    const spec = await specOf({ config: { Env: ["A=1"], Tty: true }, hostConfig: { Ulimits: [{ Name: "core", Soft: -1, Hard: -1 }] } });
    const user = resolveUser("user", [], accounts);
    const plan = execPlan(
      { Cmd: ["id"], Env: ["B=2"], AttachStdout: true },
      { spec, facts: hostFacts(2), user, execId: "e", rows: 0, columns: 0 },
    );
    assert.deepEqual(stages(plan.process), ["new-session", "rlimit", "umask", "cwd", "seccomp", "groups", "user", "capabilities", "exec"]);
    assert.deepEqual(plan.process[1], { op: "rlimit", resource: 4, soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n });
    const exec = plan.process.at(-1);
    assert.ok(exec?.op === "exec");
    assert.deepEqual(exec.env.slice(1), ["HOSTNAME=c0ffee000000", "A=1", "B=2", "HOME=/home/user"]);
    assert.deepEqual([plan.tty, plan.openStdin, plan.attachStdout, plan.attachStderr], [false, false, true, false]);
  });

  test("privileged: all capabilities", async () => {
    const plan = execPlan(
      { Cmd: ["id"], Privileged: true },
      { spec: await specOf(), facts: hostFacts(1), user: resolveUser("", [], accounts), execId: "e", rows: 1, columns: 2 },
    );
    const capabilities = plan.process.find(({ op }) => op === "capabilities");
    assert.ok(capabilities?.op === "capabilities");
    assert.equal(capabilities.effective, (1n << 41n) - 1n);
  });
});
