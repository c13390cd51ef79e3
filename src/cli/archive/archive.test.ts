/** Archives against the tar program, and what an archive from elsewhere must not do here. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { absolute, localSource, planCopy, splitEntry } from "./copy-rules.ts";
import { extractTar } from "./extract-tar.ts";
import { headerBlocks, padding, type TarEntry } from "./tar-header.ts";
import { TarReader } from "./tar-reader.ts";
import { writeTar } from "./write-tar.ts";

const folder = mkdtempSync("/var/tmp/berth-test-archive-");
after(() => rmSync(folder, { recursive: true, force: true }));

const base: TarEntry = { kind: "file", name: "", mode: 0o644, uid: 0, gid: 0, sizeBytes: 0, mtimeSeconds: 1, link: "", major: 0, minor: 0 };

function archive(...entries: (Partial<TarEntry> & { readonly text?: string })[]): AsyncIterable<Buffer> {
  const blocks = entries.flatMap(({ text = "", ...entry }) => {
    const data = Buffer.from(text);
    return [headerBlocks({ ...base, ...entry, sizeBytes: data.length }), data, Buffer.alloc(padding(data.length))];
  });
  return pieces(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** In pieces that are no blocks. */
async function* pieces(data: Buffer, size = 700): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

const same = (name: string): string => name;

describe("archives", () => {
  let out = "";
  let count = 0;
  beforeEach(() => {
    out = join(folder, `out${count++}`);
    mkdirSync(out);
  });
  const extract = (source: AsyncIterable<Uint8Array>, rename = same): Promise<void> => extractTar(new TarReader(source), out, rename);

  const long = `${"d".repeat(90)}/${"é".repeat(80)}`;
  function tree(): string {
    const root = join(folder, `tree${count}`);
    mkdirSync(join(root, "tree", "d".repeat(90)), { recursive: true });
    const at = join(root, "tree");
    writeFileSync(join(at, "plain"), "x".repeat(1500), { mode: 0o640 });
    execFileSync("sh", ["-c", "ln plain hard; ln -s plain link; mkfifo fifo; mkdir empty; chmod 4711 plain"], { cwd: at });
    writeFileSync(join(at, long), "long");
    utimesSync(join(at, "empty"), 1000, 1000);
    return root;
  }

  test("what is written, tar reads", () => {
    const data = Buffer.concat([...writeTar(join(tree(), "tree"), "new")]);
    assert.equal(data.length % 512, 0);
    execFileSync("tar", ["-x", "-C", out], { input: data });
    assert.equal(readFileSync(join(out, "new", long), "utf8"), "long");
    assert.equal(readlinkSync(join(out, "new/link")), "plain");
    assert.equal(lstatSync(join(out, "new/hard")).ino, lstatSync(join(out, "new/plain")).ino);
    assert.equal(lstatSync(join(out, "new/empty")).mtimeMs, 1_000_000);
    assert.ok(lstatSync(join(out, "new/fifo")).isFIFO());
  });

  for (const format of ["gnu", "posix", "ustar"])
    test(`what tar writes as ${format}, is read`, async () => {
      const root = tree();
      if (format === "ustar") rmSync(join(root, "tree", "d".repeat(90)), { recursive: true });
      const data = execFileSync("tar", ["-c", `--format=${format}`, "-C", root, "tree"], { maxBuffer: 1 << 24 });
      await extract(pieces(data), (name) => name.replace(/^tree/, "copy"));
      const list = (at: string): string =>
        execFileSync("sh", ["-c", "find . -printf '%p %y %m %l %s %Ts %n\\n' | sort"], { cwd: at, encoding: "utf8" });
      const sizes = /(?<= d \d+ +)\d+/g; // of directories: the file system's own affair
      assert.equal(list(join(out, "copy")).replaceAll(sizes, ""), list(join(root, "tree")).replaceAll(sizes, ""));
    });

  test("a number too big for its field goes into a record", async () => {
    const [entry] = [
      await new TarReader(pieces(Buffer.concat([headerBlocks({ ...base, name: "x", uid: 2 ** 31 }), Buffer.alloc(1024)]))).next(),
    ];
    assert.equal(entry?.uid, 2 ** 31);
  });

  test("nothing is written outside of the destination", async () => {
    const refused = /is outside of|invalid symlink|invalid hardlink/;
    await assert.rejects(extract(archive({ name: "../escape", text: "x" })), refused);
    await assert.rejects(extract(archive({ name: "up", kind: "symlink", link: "../.." })), refused);
    await assert.rejects(extract(archive({ name: "up", kind: "hardlink", link: "../../etc/passwd" })), refused);
    // An absolute link is fine by itself, as it means the container's; what would be written through it is not.
    await assert.rejects(extract(archive({ name: "etc", kind: "symlink", link: folder }, { name: "etc/escape", text: "x" })), refused);
    assert.equal(lstatSync(join(folder, "escape"), { throwIfNoEntry: false }), undefined);
  });

  test("directories and files do not replace each other", async () => {
    mkdirSync(join(out, "d"));
    writeFileSync(join(out, "f"), "old");
    await assert.rejects(extract(archive({ name: "d", text: "x" })), /cannot overwrite directory ".*\/d" with non-directory/);
    await assert.rejects(extract(archive({ name: "f/", kind: "directory" })), /cannot overwrite non-directory ".*\/f" with directory/);
    await extract(archive({ name: "f", text: "new" }));
    assert.equal(readFileSync(join(out, "f"), "utf8"), "new");
  });

  test("a file that cannot be written is named", async () => {
    const long = "x".repeat(300);
    await assert.rejects(extract(archive({ name: long, text: "x" })), /lstat .*x{300}: (file )?name too long/);
  });

  test("an archive that is cut off, or none, is refused", async () => {
    const whole = Buffer.concat([headerBlocks({ ...base, name: "x", sizeBytes: 2000 }), Buffer.alloc(1000)]);
    await assert.rejects(extract(pieces(whole)), /unexpected EOF/);
    await assert.rejects(extract(pieces(Buffer.alloc(2048, 0x41))), /invalid tar header/);
  });
});

describe("paths of a copy", () => {
  test("what stands at the end of a path is kept", () => {
    assert.equal(absolute("/a/b/../c/"), "/a/c/");
    assert.equal(absolute("/a/."), "/a/.");
    assert.equal(absolute("/a/./"), "/a/./");
    assert.deepEqual(splitEntry("/a/b/"), ["/a", "b"]);
    assert.deepEqual(splitEntry("/a/."), ["/a", "."]);
    assert.deepEqual(splitEntry("/"), ["/", "/"]);
  });

  const file = { path: "/s/f", exists: true, isDirectory: false };
  const directory = { path: "/s/d", exists: true, isDirectory: true };
  const missing = (path: string): { path: string; exists: boolean; isDirectory: boolean } => ({ path, exists: false, isDirectory: false });
  test("names and places", () => {
    assert.deepEqual(planCopy(file, { path: "/t", exists: true, isDirectory: true }), { directory: "/t", from: "f", to: "f" });
    assert.deepEqual(planCopy(file, { path: "/t/g", exists: true, isDirectory: false }), { directory: "/t", from: "f", to: "g" });
    assert.deepEqual(planCopy(directory, missing("/t/new")), { directory: "/t", from: "d", to: "new" });
    assert.deepEqual(planCopy({ ...directory, path: "/s/d/." }, missing("/t/new")), { directory: "/t", from: ".", to: "new" });
    assert.throws(() => planCopy(directory, { path: "/t/g", exists: true, isDirectory: false }), /cannot copy directory/);
    assert.throws(() => planCopy(file, missing("/t/new/")), /no such directory/);
  });

  test("a link at the end is copied as one, or followed and keeps its name", () => {
    const at = join(folder, "links");
    mkdirSync(at);
    writeFileSync(join(at, "target"), "");
    symlinkSync("target", join(at, "link"));
    assert.equal(localSource(join(at, "link"), false).path, join(at, "link"));
    const source = localSource(join(at, "link"), true);
    assert.deepEqual([source.path, source.calledAs], [join(at, "target"), "link"]);
    assert.throws(() => localSource(join(at, "link/"), false), /not a directory/);
    assert.throws(() => localSource(join(at, "no/such"), false), /lstat .*\/no: no such file or directory/);
  });
});
