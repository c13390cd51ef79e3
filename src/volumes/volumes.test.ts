/** The records and directories of volumes, over a kernel that only notes what is asked of it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Filters, systemError } from "../base/base.ts";
import type { Events } from "../events/events.ts";
import type { FileOp, HostOp } from "../kernel/kernel.ts";
import { type Database, openDatabase } from "../state/state.ts";
import { openVolumes } from "./open.ts";
import { anonymousLabel, type Volumes } from "./volumes.ts";

class World implements AsyncDisposable {
  readonly folder: string;
  readonly database: Database;
  readonly used: Map<string, string[]> = new Map();
  readonly events: string[] = [];
  readonly ops: HostOp[] = [];
  /** What `run` fails with. */
  errno = 0;
  volumes: Volumes;

  private constructor(folder: string) {
    this.folder = folder;
    this.database = openDatabase(join(folder, "berth.db"));
    this.volumes = undefined as unknown as Volumes;
  }

  static async make(): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), "berth-test-volumes-")));
    await world.open();
    return world;
  }

  get root(): string {
    return join(this.folder, "volumes");
  }

  /** As the next daemon. */
  async open(): Promise<void> {
    const events = { publish: (_type: string, action: string, id: string) => void this.events.push(`${action} ${id}`) };
    const removed = async (root: string, ops: readonly FileOp[]): Promise<void> => {
      for (const op of ops) rmSync(join(root, Buffer.from(op.path).toString()), { recursive: true, force: true });
    };
    const run = async (ops: readonly HostOp[]): Promise<void> => {
      this.ops.push(...ops);
      if (this.errno !== 0) throw systemError("run", { stage: ops[0]?.op, errno: this.errno, message: "No such file or directory" });
      for (const op of ops) if (op.op === "copy-up" && op.target !== "") writeFileSync(join(op.target, "copied"), "");
    };
    this.volumes = await openVolumes({
      root: this.root,
      database: this.database,
      kernel: { files: { apply: removed }, run },
      events: events as unknown as Events,
      usedBy: (name) => this.used.get(name) ?? [],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.volumes.close();
    this.database.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const filters = (given: Record<string, readonly string[]> = {}): Filters => new Map(Object.entries(given));
const names = (volumes: readonly { Name: string }[]): string[] => volumes.map(({ Name }) => Name);

describe("volumes", () => {
  test("are made once, by name; what comes later changes nothing", async () => {
    await using world = await World.make();
    const volume = await world.volumes.create({ Name: "data", Labels: { a: "1" } });
    assert.deepEqual(Object.keys(volume), ["CreatedAt", "Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"]);
    assert.match(volume.CreatedAt ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(volume.Mountpoint, join(world.root, "data/_data"));
    assert.equal(volume.Options, null);
    assert.deepEqual([statSync(volume.Mountpoint).mode & 0o777, statSync(join(world.root, "data")).mode & 0o777], [0o755, 0o701]);
    assert.deepEqual(await world.volumes.create({ Name: "data", Labels: { a: "2" }, Driver: "local" }), volume);
    assert.deepEqual(world.volumes.inspect("data"), volume);
    await world.open();
    assert.deepEqual(world.volumes.inspect("data"), volume);
    assert.deepEqual(world.events, ["create data"]);
  });

  test("without a name are anonymous", async () => {
    await using world = await World.make();
    const volume = await world.volumes.create({ Labels: { a: "1" } });
    assert.match(volume.Name, /^[0-9a-f]{64}$/);
    assert.deepEqual(volume.Labels, { a: "1", [anonymousLabel]: "" });
  });

  const refused: readonly (readonly [request: object, code: string, message: RegExp])[] = [
    [{ Name: "a" }, "InvalidParameter", /^create a: volume name is too short, names should be at least two alphanumeric characters$/],
    [{ Name: "a/b" }, "InvalidParameter", /^create a\/b: "a\/b" includes invalid characters for a local volume name, only "\[a-zA-Z0-9\]/],
    [{ Name: ".." }, "InvalidParameter", /includes invalid characters/],
    [{ Name: ".trash" }, "InvalidParameter", /includes invalid characters/],
    [{ Name: "x1", Driver: "no" }, "NotFound", /^create x1: error looking up volume plugin no: plugin "no" not found$/],
    [{ Name: "x1", DriverOpts: { foo: "1" } }, "InvalidParameter", /^create x1: invalid option: "foo"$/],
    [{ Name: "x1", DriverOpts: { type: "tmpfs" } }, "InvalidParameter", /^create x1: missing required option: "device"$/],
    [{ Name: "x1", DriverOpts: { o: "ro" } }, "InvalidParameter", /^create x1: missing required option: "device"$/],
    [{ Name: "x1", DriverOpts: { size: "1m" } }, "InvalidParameter", /^create x1: quota size requested but no quota support$/],
  ];
  for (const [request, code, message] of refused)
    test(`refused: ${JSON.stringify(request)}`, async () => {
      await using world = await World.make();
      await assert.rejects(world.volumes.create(request), { code, message });
      assert.deepEqual([world.volumes.list(filters()), readdirSync(world.root)], [[], [".trash"]]);
    });

  test("in use stay, held ones too, and say by whom", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "data" }, "holder");
    const busy = (users: string): object => ({ code: "Conflict", message: `remove data: volume is in use - [${users}]` });
    await assert.rejects(world.volumes.remove("data", { force: true }), busy("holder"));
    world.used.set("data", ["one", "holder"]);
    await assert.rejects(world.volumes.remove("data", { force: false }), busy("one, holder"));
    world.volumes.release("holder");
    world.used.clear();
    await world.volumes.remove("data", { force: false });
    assert.deepEqual(world.events, ["create data", "destroy data"]);
    const missing = { code: "NotFound", message: "get data: no such volume" };
    await assert.rejects(world.volumes.remove("data", { force: false }), missing);
    await world.volumes.remove("data", { force: true });
    assert.throws(() => world.volumes.inspect("data"), missing);
  });

  test("one made while its namesake goes is a new one", async () => {
    await using world = await World.make();
    const { Mountpoint: place } = await world.volumes.create({ Name: "data" });
    writeFileSync(join(place, "old"), "");
    const [, made] = await Promise.all([world.volumes.remove("data", { force: false }), world.volumes.create({ Name: "data" })]);
    assert.deepEqual(readdirSync(made.Mountpoint), []);
    assert.deepEqual(names(world.volumes.list(filters())), ["data"]);
  });

  test("filters", async () => {
    await using world = await World.make();
    for (const [name, label] of ["aa", "ab", "ba"].map((name) => [name, `of-${name}`] as const))
      await world.volumes.create({ Name: name, Labels: { kind: label, [name]: "" } });
    world.used.set("ab", ["c"]);
    const list = (given: Record<string, string[]>): string[] => names(world.volumes.list(filters(given)));
    assert.deepEqual(list({}), ["aa", "ab", "ba"]);
    assert.deepEqual(list({ name: ["^a"] }), ["aa", "ab"]);
    assert.deepEqual(list({ name: ["ba", "ab"] }), ["ab", "ba"]);
    assert.deepEqual(list({ dangling: ["true"] }), ["aa", "ba"]);
    assert.deepEqual(list({ dangling: ["0"] }), ["ab"]);
    assert.deepEqual(list({ label: ["kind=of-aa"] }), ["aa"]);
    assert.deepEqual(list({ label: ["kind", "ba"] }), ["ba"]);
    assert.deepEqual(list({ driver: ["other"] }), []);
    assert.throws(() => list({ dangling: ["xx"] }), { code: "InvalidParameter", message: "invalid filter 'dangling=[xx]'" });
    assert.throws(() => list({ foo: ["x"] }), { code: "InvalidParameter", message: "invalid filter 'foo'" });
  });

  test("prune: anonymous ones, or all that are not used", async () => {
    await using world = await World.make();
    const anonymous = await world.volumes.create({});
    for (const name of ["kept", "used", "other"]) await world.volumes.create({ Name: name, Labels: { [name]: "1" } });
    writeFileSync(join(anonymous.Mountpoint, "file"), "12345");
    await world.volumes.create({ Name: "mounted", DriverOpts: { type: "tmpfs", device: "tmpfs" } });
    world.used.set("used", ["c"]);
    assert.deepEqual(await world.volumes.prune(filters()), { VolumesDeleted: [anonymous.Name], SpaceReclaimed: 5 });
    assert.deepEqual(await world.volumes.prune(filters({ all: ["true"], "label!": ["kept"] })), {
      VolumesDeleted: ["other"],
      SpaceReclaimed: 0,
    });
    assert.deepEqual(await world.volumes.prune(filters({ all: ["1"], label: ["kept=1"] })), {
      VolumesDeleted: ["kept"],
      SpaceReclaimed: 0,
    });
    assert.deepEqual(world.events.slice(-2), ["destroy kept", "prune "]);
    await assert.rejects(world.volumes.prune(filters({ until: ["1h"] })), { message: "invalid filter 'until'" });
    await assert.rejects(world.volumes.prune(filters({ all: ["maybe"] })), { message: "invalid filter 'all=[maybe]'" });
  });

  test("usage", async () => {
    await using world = await World.make();
    const { Mountpoint: place } = await world.volumes.create({ Name: "data" });
    writeFileSync(join(place, "file"), "12345");
    await world.volumes.create({ Name: "mounted", DriverOpts: { type: "tmpfs", device: "tmpfs" } });
    world.used.set("data", ["c"]);
    const usage = await world.volumes.usage();
    assert.deepEqual(usage, [{ ...world.volumes.inspect("data"), UsageData: { RefCount: 1, Size: 5 } }]);
  });
});

describe("what a killed daemon leaves", () => {
  test("an unfinished volume goes, data that nobody knows stays", async () => {
    await using world = await World.make();
    mkdirSync(join(world.root, "unfinished/_data"), { recursive: true });
    mkdirSync(join(world.root, "half"));
    mkdirSync(join(world.root, "foreign/_data"), { recursive: true });
    writeFileSync(join(world.root, "foreign/_data/file"), "");
    await world.open();
    assert.deepEqual(readdirSync(world.root).sort(), [".trash", "foreign"]);
    await world.volumes.create({ Name: "foreign" });
    assert.deepEqual(readdirSync(world.volumes.inspect("foreign").Mountpoint), ["file"], "and is there for who makes it his");
  });

  test("a removal that was begun is carried out", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "data" });
    writeFileSync(join(world.root, "data/_data/file"), "");
    world.database.exec("UPDATE volumes SET removing = 1");
    await world.open();
    assert.deepEqual(
      [world.volumes.list(filters()), readdirSync(world.root), readdirSync(join(world.root, ".trash"))],
      [[], [".trash"], []],
    );
    assert.equal(world.database.prepare("SELECT count(*) AS n FROM volumes").get()?.["n"], 0);
  });

  test("volumes of containers that did not come about, or were removed with them, go", async () => {
    await using world = await World.make();
    const [lost, kept, shared, own] = await Promise.all([
      world.volumes.create({}, "never-made"),
      world.volumes.create({}, "made"),
      world.volumes.create({}, "removed"),
      world.volumes.create({}, "removed"),
    ]);
    await world.volumes.create({ Name: "named" }, "never-made");
    world.volumes.release("removed");
    world.volumes.tie([shared.Name, own.Name], "removed");
    world.used.set(kept.Name, ["made"]);
    world.used.set(shared.Name, ["another"]);
    await world.open();
    assert.deepEqual(names(world.volumes.list(filters())), [kept.Name, shared.Name, "named"].sort());
    world.used.clear();
    await world.open();
    assert.equal(world.volumes.list(filters()).length, 3, "they are asked once");
    assert.ok(!existsSync(lost.Mountpoint) && !existsSync(own.Mountpoint));
  });

  test("a container that goes does not stand in the way of its volume's removal", async () => {
    await using world = await World.make();
    const { Name: name } = await world.volumes.create({}, "c");
    await assert.rejects(world.volumes.remove(name, { force: true }), { code: "Conflict" });
    await world.volumes.remove(name, { force: true, from: "c" });
  });

  test("trash, and copies that were not finished", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "data" });
    mkdirSync(join(world.root, ".trash/data-1/_data"), { recursive: true });
    mkdirSync(join(world.root, "data/_filling"));
    writeFileSync(join(world.root, "data/_filling/half"), "");
    await world.open();
    assert.deepEqual([readdirSync(join(world.root, ".trash")), readdirSync(join(world.root, "data"))], [[], ["_data"]]);
  });
});

describe("filling", () => {
  test("puts all of it in the place of an empty directory, once", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "data" }, "c");
    assert.equal(await world.volumes.populate("data", ["/l"], "/etc", "c"), "directory");
    assert.deepEqual(world.ops, [{ op: "copy-up", lower: ["/l"], path: "/etc", target: join(world.root, "data/_filling") }]);
    assert.deepEqual(readdirSync(join(world.root, "data")), ["_data"]);
    assert.ok(existsSync(join(world.root, "data/_data/copied")));
    await world.volumes.populate("data", ["/l"], "/etc", "c");
    assert.equal(world.ops.length, 1, "what holds something is not looked at again");
  });

  test("beside another user's eyes is done in place", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "data" }, "c");
    world.used.set("data", ["other"]);
    await world.volumes.populate("data", ["/l"], "/etc", "c");
    assert.deepEqual(world.ops, [{ op: "copy-up", lower: ["/l"], path: "/etc", target: join(world.root, "data/_data") }]);
  });

  test("says what the image has there, and leaves nothing", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "data" }, "c");
    for (const [errno, found] of [
      [2, "nothing"],
      [20, "other"],
    ] as const) {
      world.errno = errno;
      assert.equal(await world.volumes.populate("data", ["/l"], "/etc", "c"), found);
    }
    world.errno = 28;
    await assert.rejects(world.volumes.populate("data", ["/l"], "/etc", "c"), {
      code: "System",
      message: "failed to copy files: /etc to volume data: no space left on device",
    });
    assert.deepEqual(readdirSync(join(world.root, "data")), ["_data"]);
  });
});

describe("options of the local driver", () => {
  const tmpfs = { type: "tmpfs", device: "tmpfs", o: "size=1m,uid=5,nosuid,ro,rw" };

  test("are mounted for the first user and unmounted after the last", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "tmp", DriverOpts: tmpfs });
    const place = join(world.root, "tmp/_data");
    const mount: HostOp = { op: "mount-at", place, device: "tmpfs", type: "tmpfs", flags: 2, data: "size=1m,uid=5" };
    assert.deepEqual(await world.volumes.attach("tmp", "a"), { path: place, engineOnly: true });
    await world.volumes.attach("tmp", "b");
    await world.volumes.detach("tmp", "a");
    await world.volumes.detach("tmp", "a");
    assert.deepEqual(world.ops, [mount, mount]);
    await world.volumes.detach("tmp", "b");
    assert.deepEqual(world.ops.at(-1), { op: "unmount-at", place });
  });

  test("after a restart: those of running containers stay, others are unmounted", async () => {
    await using world = await World.make();
    for (const Name of ["one", "two"]) await world.volumes.create({ Name, DriverOpts: tmpfs });
    await world.volumes.create({ Name: "plain" });
    await world.open();
    await world.volumes.reconcile(new Map([["one", new Set(["a"])]]));
    assert.deepEqual(world.ops, [{ op: "unmount-at", place: join(world.root, "two/_data") }]);
    await world.volumes.detach("one", "a");
    assert.deepEqual(world.ops.at(-1), { op: "unmount-at", place: join(world.root, "one/_data") });
  });

  test("that cannot be mounted fail in Docker's words, without the password", async () => {
    await using world = await World.make();
    await world.volumes.create({ Name: "bad", DriverOpts: { type: "none", device: "/nosuch", o: "bind,password=secret" } });
    world.errno = 2;
    const place = join(world.root, "bad/_data");
    await assert.rejects(world.volumes.attach("bad", "a"), {
      code: "System",
      message: `error while mounting volume '${place}': failed to mount local volume: mount /nosuch:${place}, flags: 0x1000, data: password=********: no such file or directory`,
    });
  });
});
