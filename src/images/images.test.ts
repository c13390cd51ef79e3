import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type ContainerId, type Digest, type Filters, parseReference, shortId } from "../base/base.ts";
import { chainIds } from "./chain.ts";
import { openScratchStore, type ScratchStore, streamOf, tarOf } from "./scratch-store.ts";

const rootfs = (text: string): Buffer => tarOf({ "etc/motd": text });
const filters = (values: Record<string, string[]> = {}): Filters => new Map(Object.entries(values));

async function made(store: ScratchStore, name: string | undefined, text: string, changes: string[] = []): Promise<Digest> {
  return store.images.import(streamOf(rootfs(text)), {
    ...(name === undefined ? {} : { reference: parseReference(name) }),
    message: "made",
    changes,
  });
}

const user = (id: string, running: boolean): { id: ContainerId; running: boolean }[] => [{ id: id.repeat(32) as ContainerId, running }];

describe("import and names", () => {
  test("one layer however it is compressed, Docker's configuration, tag and import events", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/plain:v1", "a", ['CMD ["x"]', "ENV A=b", "LABEL k=v"]);
    for (const [name, data] of [
      ["gz", gzipSync(rootfs("a"))],
      ["zst", zstdCompressSync(rootfs("a"))],
    ] as const)
      await store.images.import(streamOf(data), { reference: parseReference(`t/${name}:v1`), message: "made", changes: [] });
    const layers = ["t/plain:v1", "t/gz:v1", "t/zst:v1"].map((name) => store.images.inspect(name).RootFS?.Layers);
    assert.equal(new Set(layers.map(String)).size, 1);
    const inspect = store.images.inspect(shortId(id));
    assert.deepEqual(inspect.RepoTags, ["t/plain:v1"]);
    assert.deepEqual(inspect.RepoDigests, []);
    assert.equal(inspect.Comment, "made");
    assert.equal(inspect.Os, "linux");
    assert.deepEqual(
      { ...inspect.Config },
      { Cmd: ["x"], Entrypoint: null, Env: ["A=b"], Labels: { k: "v" }, OnBuild: null, User: "", Volumes: null, WorkingDir: "" },
    );
    assert.deepEqual(store.events.slice(0, 2), [
      { action: "tag", id, attributes: { k: "v", name: "t/plain:v1" } },
      { action: "import", id, attributes: { k: "v", name: id } },
    ]);
    const [step, ...more] = store.images.history("t/plain:v1");
    assert.deepEqual(more, []);
    assert.equal(step?.Id, id);
    assert.deepEqual(step?.Tags, ["t/plain:v1"]);
    assert.equal(step?.Size, rootfs("a").length);
  });

  test("a bad change or platform is refused before anything is read", async () => {
    await using store = await openScratchStore();
    const before = await store.traces();
    for (const [options, message] of [
      [{ changes: ["RUN x"] }, "RUN is not a valid change command"],
      [{ changes: ["EXPOSE 99999"] }, "invalid containerPort: 99999"],
      [{ platform: "windows/amd64" }, "operating system is not supported"],
      [{ platform: "a/b/c/d" }, /cannot parse platform specifier/],
    ] as const)
      await assert.rejects(store.images.import(streamOf(rootfs("x")), { message: "", changes: [], ...options }), {
        code: "InvalidParameter",
        message,
      });
    assert.deepEqual(await store.traces(), before);
  });

  test("found by name, default tag, id and unique prefix; unknown, malformed and ambiguous are told apart", async () => {
    await using store = await openScratchStore();
    const ids: Digest[] = [];
    for (let count = 0; count < 20; count++) ids.push(await made(store, `t/x${count}`, `text ${count}`));
    const [id] = ids as [Digest];
    for (const text of ["t/x0", "t/x0:latest", "docker.io/t/x0", id, id.slice(7), shortId(id), `sha256:${shortId(id)}`])
      assert.equal(store.images.resolve(text).id, id, text);
    for (const [text, message] of [
      ["nosuch", "No such image: nosuch:latest"],
      ["t/x0:nosuch", "No such image: t/x0:nosuch"],
      [`sha256:${"0".repeat(64)}`, `No such image: sha256:${"0".repeat(64)}`],
      ["0".repeat(64), `No such image: sha256:${"0".repeat(64)}`],
      ["ffffffffffff", "No such image: ffffffffffff:latest"],
    ] as const)
      assert.throws(() => store.images.resolve(text), { code: "NotFound", message });
    for (const text of ["", "A b", "x@y", "-x", "UPPER"])
      assert.throws(() => store.images.resolve(text), { code: "InvalidParameter" }, text);
    // Twenty images and sixteen first digits: two ids begin alike, and so short a name is rather a name.
    assert.throws(() => [..."0123456789abcdef"].map((digit) => store.images.resolve(digit)), { code: "NotFound" });
  });

  test("a name moves to another image; the one that had it is dangling", async () => {
    await using store = await openScratchStore();
    const first = await made(store, "t/x", "1");
    const second = await made(store, "t/x", "2");
    assert.equal(store.images.resolve("t/x").id, second);
    assert.deepEqual(store.images.get(first)?.references, []);
    store.images.tag(first, parseReference("localhost:5000/y"));
    assert.deepEqual(store.images.get(first)?.references, ["localhost:5000/y:latest"]);
    assert.throws(() => store.images.tag(first, parseReference(`x@${first}`)), {
      message: "refusing to create a tag with a digest reference",
    });
    assert.throws(() => store.images.tag("nosuch", parseReference("x")), { code: "NotFound" });
  });
});

describe("list", () => {
  test("filters as Docker's", async () => {
    await using store = await openScratchStore();
    const a = await made(store, "busybox:1", "a", ["LABEL k=v"]);
    const b = await made(store, "quay.io/team/app:2.1", "b", ["LABEL k=w"]);
    const c = await made(store, undefined, "c");
    const listed = (values: Record<string, string[]>): string[] => store.images.list(filters(values)).map((image) => image.Id);
    assert.deepEqual(listed({}), [c, b, a]);
    assert.deepEqual(listed({ dangling: ["true"] }), [c]);
    assert.deepEqual(listed({ dangling: ["0"] }), [b, a]);
    assert.deepEqual(listed({ label: ["k"] }), [b, a]);
    assert.deepEqual(listed({ label: ["k=v"] }), [a]);
    assert.deepEqual(listed({ before: ["quay.io/team/app:2.1"] }), [a]);
    assert.deepEqual(listed({ since: ["busybox:1"] }), [c, b]);
    assert.deepEqual(listed({ reference: ["busybox"] }), [a]);
    assert.deepEqual(listed({ reference: ["bus*:?"] }), [a]);
    assert.deepEqual(listed({ reference: ["*/*/*"] }), [b]);
    assert.deepEqual(listed({ reference: ["nosuch"] }), []);
    assert.deepEqual(listed({ until: ["1h"] }), []);
    assert.deepEqual(listed({ until: ["2100-01-01"] }), [c, b, a]);
    for (const [values, message] of [
      [{ nosuch: ["1"] }, "invalid filter 'nosuch'"],
      [{ dangling: ["maybe"] }, "invalid filter 'dangling=[maybe]'"],
      [{ until: ["soon"] }, /time or duration/],
    ] as const)
      assert.throws(() => store.images.list(filters(values as unknown as Record<string, string[]>)), { code: "InvalidParameter", message });
    const [, , summary] = store.images.list(filters());
    assert.deepEqual(summary?.RepoTags, ["busybox:1"]);
    assert.deepEqual(summary?.Labels, { k: "v" });
    assert.equal(store.images.list(filters())[0]?.Labels, null);
  });

  test("shared sizes count the layers that another image has", async () => {
    await using store = await openScratchStore();
    await made(store, "x:1", "same");
    await made(store, "x:2", "same", ["CMD a"]);
    await made(store, "x:3", "other");
    const sizes = store.images.list(filters(), { all: false, sharedSize: true }).map((image) => image.SharedSize);
    assert.deepEqual(sizes, [0, rootfs("same").length, rootfs("same").length]);
  });
});

describe("removal", () => {
  test("the last name takes image, layer and files; an id takes name and image", async () => {
    await using store = await openScratchStore();
    const empty = await store.traces();
    for (const by of ["name", "id"]) {
      const id = await made(store, "t/x:1", "x");
      const [layer] = store.images.get(id)?.config.rootfs.diff_ids ?? [];
      const records = await store.images.remove(by === "name" ? "t/x:1" : shortId(id), { force: false, noPrune: false });
      assert.deepEqual(records, [{ Untagged: "t/x:1" }, { Deleted: id }, { Deleted: layer }]);
      assert.deepEqual(await store.traces(), empty, "nothing is left");
      assert.deepEqual(
        store.events.slice(-2).map((event) => [event.action, event.attributes["name"]]),
        [
          ["untag", id],
          ["delete", id],
        ],
      );
    }
    await assert.rejects(store.images.remove("t/x:1", { force: true, noPrune: false }), {
      code: "NotFound",
      message: "No such image: t/x:1",
    });
  });

  test("with several names: a name is untagged, an id is refused unless forced", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    store.images.tag(id, parseReference("t/x:2"));
    store.images.tag(id, parseReference("other:1"));
    assert.deepEqual(await store.images.remove("other:1", { force: false, noPrune: false }), [{ Untagged: "other:1" }]);
    await assert.rejects(store.images.remove(shortId(id), { force: false, noPrune: false }), {
      code: "Conflict",
      message: `conflict: unable to delete ${shortId(id)} (must be forced) - image is referenced in multiple repositories`,
    });
    const records = await store.images.remove(shortId(id), { force: true, noPrune: false });
    assert.deepEqual(records.slice(0, 3), [{ Untagged: "t/x:1" }, { Untagged: "t/x:2" }, { Deleted: id }]);
  });

  test("containers keep it, in Docker's words", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    const refused = (reference: string, force: boolean, message: string): Promise<void> =>
      assert.rejects(store.images.remove(reference, { force, noPrune: false }), { code: "Conflict", message });
    store.users.set(id, user("ab", true));
    const container = "abababababab";
    await refused(
      "t/x:1",
      false,
      `conflict: unable to remove repository reference "t/x:1" (must force) - container ${container} is using its referenced image ${shortId(id)}`,
    );
    await refused(
      shortId(id),
      false,
      `conflict: unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container ${container}`,
    );
    await refused(
      id,
      true,
      `conflict: unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container ${container}`,
    );
    store.users.set(id, user("ab", false));
    await refused(
      shortId(id),
      false,
      `conflict: unable to delete ${shortId(id)} (must be forced) - image is being used by stopped container ${container}`,
    );
    assert.deepEqual(store.images.get(id)?.references, ["docker.io/t/x:1"], "a refusal changes nothing");
  });

  test("removed by force under a running container, only the name goes", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    store.users.set(id, user("ab", true));
    assert.deepEqual(await store.images.remove("t/x:1", { force: true, noPrune: false }), [{ Untagged: "t/x:1" }]);
    assert.equal(store.images.resolve(id).id, id);
  });

  test("removed by force under a stopped container, its layers stay for that container until it is gone", async () => {
    await using store = await openScratchStore();
    const empty = await store.traces();
    const id = await made(store, "t/x:1", "x");
    const [layer] = (store.images.get(id)?.config.rootfs.diff_ids ?? []) as [Digest];
    store.users.set(id, user("ab", false));
    assert.deepEqual(await store.images.remove("t/x:1", { force: true, noPrune: false }), [{ Untagged: "t/x:1" }, { Deleted: id }]);
    assert.throws(() => store.images.resolve(id), { code: "NotFound" });
    assert.throws(() => store.images.resolve(shortId(id)), { code: "NotFound" });
    assert.deepEqual(store.images.list(filters()), []);
    assert.equal(store.images.get(id)?.id, id);
    assert.ok(await store.layers.has(layer));
    await store.images.release(id);
    assert.ok(await store.layers.has(layer), "still used");
    store.users.clear();
    await store.images.release(id);
    assert.deepEqual(await store.traces(), empty);
  });

  test("a removed image that is loaded again is back", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    const config = store.images.resolve(id).config;
    store.users.set(id, user("ab", false));
    await store.images.remove(id, { force: true, noPrune: false });
    assert.equal(await store.images.create(config, parseReference("t/again")), id);
    assert.equal(store.images.resolve("t/again").id, id);
  });

  test("layers are shared, and go with the last image that has them; parents are pruned", async () => {
    await using store = await openScratchStore();
    const base = await made(store, undefined, "base");
    const top = await store.layers.ingest(streamOf(rootfs("top")));
    const { config } = store.images.resolve(base);
    const stack = [...config.rootfs.diff_ids, top.diffId];
    const child = await store.images.create({ ...config, rootfs: { type: "layers", diff_ids: stack } }, parseReference("t/child"), base);
    assert.equal(store.images.inspect(child).Parent, base);
    assert.deepEqual(
      store.images.list(filters(), { all: false, sharedSize: false }).map((image) => image.Id),
      [child],
    );
    await assert.rejects(store.images.remove(base, { force: true, noPrune: false }), {
      message: `conflict: unable to delete ${shortId(base)} (cannot be forced) - image has dependent child images`,
    });
    const records = await store.images.remove("t/child", { force: false, noPrune: false });
    const [lower, upper] = chainIds(stack);
    assert.deepEqual(records, [
      { Untagged: "t/child:latest" },
      { Deleted: child },
      { Deleted: upper },
      { Deleted: base },
      { Deleted: lower },
    ]);
  });

  test("files of a layer wait while somebody holds the custody", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    const [layer] = (store.images.get(id)?.config.rootfs.diff_ids ?? []) as [Digest];
    {
      await using _held = await store.images.hold();
      await store.images.remove("t/x:1", { force: false, noPrune: false });
      assert.ok(await store.layers.has(layer));
    }
    assert.ok(!(await store.layers.has(layer)));
  });
});

describe("start", () => {
  test("what no row names is deleted; what was there stays", async () => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    const before = await store.traces();
    await store.layers.ingest(streamOf(rootfs("orphan")));
    await store.content.put(Buffer.from("orphan"));
    assert.notDeepEqual(await store.traces(), before);
    const again = await store.reopen();
    assert.deepEqual(await again.traces(), before);
    assert.equal(again.images.resolve("t/x:1").id, id);
    await again.close();
  });

  test("rows without files are reported and kept", async (context) => {
    await using store = await openScratchStore();
    const id = await made(store, "t/x:1", "x");
    await rm(`${store.root}/content/sha256/${id.slice(7)}`);
    const lines: string[] = [];
    context.mock.method(process.stderr, "write", (line: string) => lines.push(line) > 0);
    const again = await store.reopen();
    assert.match(lines.join(""), /level=error msg="an image's configuration is missing"/);
    assert.equal(again.images.resolve("t/x:1").id, id);
    await again.close();
  });
});
