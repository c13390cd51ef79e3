import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Digest, parseReference } from "../base/base.ts";
import { type SampleEntry, sampleTar } from "../layers/sample-tar.ts";
import type { ImageDifference } from "../spec/spec.ts";
import { openScratchStore, type ScratchStore, streamOf } from "./scratch-store.ts";

async function build(store: ScratchStore, name: string, ...layers: readonly (readonly SampleEntry[])[]): Promise<void> {
  await using _held = await store.images.hold();
  const diffIds: Digest[] = [];
  for (const entries of layers) diffIds.push((await store.layers.ingest(streamOf(sampleTar(...entries)))).diffId);
  await store.images.create(
    {
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: diffIds },
      history: [{ created_by: "ENV", empty_layer: true }, ...layers.map((_, at) => ({ created_by: `step ${at}` }))],
    },
    parseReference(name),
  );
}

const directory = (name: string, more: Partial<SampleEntry> = {}): SampleEntry => ({ name, type: "5", mode: 0o755, ...more });

const base = [
  directory("etc/"),
  { name: "etc/kept", data: "k" },
  { name: "etc/changed", data: "12345" },
  { name: "etc/gone", data: "1234567" },
  directory("opt/"),
  directory("opt/deep/"),
  { name: "opt/deep/one", data: "1" },
  { name: "opt/deep/two", data: "22" },
  { name: "bin", type: "2", link: "usr/bin" },
  { name: "a", data: "linked" },
  { name: "b", type: "1", link: "a" },
];
const top = [
  directory("etc/"),
  { name: "etc/changed", data: "123" },
  { name: "etc/.wh.gone" },
  { name: "etc/new", data: "new!" },
  { name: ".wh.opt" },
  { name: ".wh.a" },
];
const third = [
  directory("etc/", { mode: 0o700 }),
  { name: ".wh.b" },
  directory("opt/"),
  { name: "opt/.wh..wh..opq" },
  { name: "etc/new", data: "x" },
];

const paths = async (store: ScratchStore, from: string, to: string): Promise<string[]> =>
  (await Array.fromAsync(store.images.differences(from, to))).map(
    ({ Kind, Path, What, FromSize, ToSize }: ImageDifference) => `${Kind} ${Path} ${What.join()} ${FromSize}>${ToSize}`,
  );

describe("layers of an image", () => {
  test("what each adds, changes and hides; wasted is what nobody sees, once for all names of a file", async () => {
    await using store = await openScratchStore();
    await build(store, "x", base, top, third);
    const { Layers, Wasted, WastedSize, Size } = await store.images.layers("x");
    assert.deepEqual(
      Layers.map(({ CreatedBy, Added, Changed, Removed, WastedSize: wasted }) => [CreatedBy, Added, Changed, Removed, wasted]),
      [
        ["step 0", { Count: 11, Size: 1 + 5 + 7 + 1 + 2 + 6 }, { Count: 0, Size: 0 }, { Count: 0, Size: 0 }, 5 + 7 + 1 + 2 + 6],
        ["step 1", { Count: 1, Size: 4 }, { Count: 1, Size: 3 }, { Count: 4, Size: 7 + 1 + 2 }, 4],
        ["step 2", { Count: 1, Size: 0 }, { Count: 2, Size: 1 }, { Count: 1, Size: 6 }, 0],
      ],
    );
    assert.equal(WastedSize, 21 + 4);
    assert.equal(Size, sampleTar(...base).length + sampleTar(...top).length + sampleTar(...third).length);
    assert.deepEqual(Wasted.slice(0, 3), [
      { Path: "/etc/gone", Size: 7, Layer: 0, HiddenBy: 1 },
      { Path: "/b", Size: 6, Layer: 0, HiddenBy: 2 },
      { Path: "/etc/changed", Size: 5, Layer: 0, HiddenBy: 1 },
    ]);
    const files = await Array.fromAsync(store.images.layerFiles("x"));
    assert.deepEqual(
      files
        .filter(({ Layer }) => Layer === 1)
        .map(({ Kind, Path }) => `${Kind} ${Path}`)
        .sort(),
      ["added /etc/new", "changed /etc/changed", "removed /a", "removed /etc/gone", "removed /opt"],
    );
    await assert.rejects(store.images.layers("nosuch"), { code: "NotFound" });
  });

  test("an image without layers, and one layer twice", async () => {
    await using store = await openScratchStore();
    await build(store, "empty");
    assert.deepEqual((await store.images.layers("empty")).Layers, []);
    await build(store, "twice", base, base);
    assert.equal((await store.images.layers("twice")).WastedSize, 1 + 5 + 7 + 1 + 2 + 6);
  });

  test("a removal that comes meanwhile waits for the reader", async () => {
    await using store = await openScratchStore();
    await build(store, "x", base);
    const files = store.images.layerFiles("x")[Symbol.asyncIterator]();
    await files.next();
    await store.images.remove("x", { force: false, noPrune: false });
    let count = 1;
    while ((await files.next()).done !== true) count++;
    assert.equal(count, 11);
    assert.deepEqual(
      (await store.traces()).filter((trace) => trace.includes("layer")),
      [],
    );
  });
});

describe("two images", () => {
  test("differences in each respect, none in times", async () => {
    await using store = await openScratchStore();
    const entries: SampleEntry[] = [
      { name: "same", data: "s" },
      { name: "newer", data: "s" },
      { name: "content", data: "abc" },
      { name: "size", data: "abc" },
      { name: "mode", data: "m" },
      { name: "owner", data: "o" },
      { name: "link", type: "2", link: "x" },
      { name: "type", data: "t" },
      { name: "marked", data: "m" },
      { name: "null", type: "3", major: 1, minor: 3 },
      directory("d/"),
      { name: "d/inside", data: "12" },
      { name: "gone", data: "123" },
    ];
    const changed: Record<string, Partial<SampleEntry> | undefined> = {
      newer: { mtime: 1_800_000_000 },
      content: { data: "abd" },
      size: { data: "abcd" },
      mode: { mode: 0o4755 },
      owner: { uid: 5 },
      link: { link: "y" },
      type: { type: "2", link: "z", data: "" },
      marked: { pax: { "SCHILY.xattr.user.a": "b" } },
      null: { minor: 5 },
      "d/": { type: "0", data: "file", mode: 0o755 },
    };
    const other = entries
      .filter(({ name }) => name !== "gone" && name !== "d/inside")
      .map((entry) => ({ ...entry, ...changed[String(entry.name)], ...(entry.name === "d/" ? { name: "d" } : {}) }));
    await build(store, "one", entries);
    await build(store, "two", other, [{ name: "new", data: "1" }]);
    assert.deepEqual(await paths(store, "one", "two"), [
      "changed /content content 3>3",
      "changed /d type 0>4",
      "removed /gone  3>0",
      "changed /link target 0>0",
      "changed /marked attributes 1>1",
      "changed /mode mode 1>1",
      "added /new  0>1",
      "changed /null device 0>0",
      "changed /owner owner 1>1",
      "changed /size content 3>4",
      "changed /type type 1>0",
      "removed /d/inside  2>0",
    ]);
    assert.deepEqual(await paths(store, "one", "one"), []);
    await assert.rejects(async () => paths(store, "one", "nosuch"), { code: "NotFound" });
  });

  test("layers that hide and layers without what is hidden are the same", async () => {
    await using store = await openScratchStore();
    await build(store, "stacked", base, top);
    const flat = [
      directory("etc/"),
      { name: "etc/kept", data: "k" },
      { name: "etc/changed", data: "123" },
      { name: "etc/new", data: "new!" },
    ];
    await build(store, "flat", [...flat, { name: "bin", type: "2", link: "usr/bin" }, { name: "b", data: "linked" }]);
    assert.deepEqual(await paths(store, "stacked", "flat"), []);
  });
});
