import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, isDigest } from "../base/base.ts";
import { openLinuxKernel } from "../kernel/linux.ts";
import { openLayers } from "./open.ts";

const native = join(import.meta.dirname, "../../build/berth-native");

/** Takes one layer after the other in, a small one and a large one in turn, until it is killed. */
const program = `
  const { Readable } = await import("node:stream");
  const { openLayers } = await import(${JSON.stringify(join(import.meta.dirname, "open.ts"))});
  const { openLinuxKernel } = await import(${JSON.stringify(join(import.meta.dirname, "../kernel/linux.ts"))});
  const { sampleTar } = await import(${JSON.stringify(join(import.meta.dirname, "sample-tar.ts"))});
  const [, root, native] = process.argv;
  const kernel = await openLinuxKernel({ native, execRoot: root + "-run" });
  const layers = await openLayers({ root, kernel, driver: "erofs" });
  process.stdout.write("ready");
  for (let i = 0; ; i++) {
    const files = Array.from({ length: i % 2 === 0 ? 3 : 400 }, (_, n) => ({ name: process.pid + "-" + i + "-" + n, data: "x".repeat(3000) }));
    const tar = sampleTar(...files);
    const chunks = Array.from({ length: Math.ceil(tar.length / 65536) }, (_, n) => tar.subarray(n * 65536, (n + 1) * 65536));
    await layers.ingest(Readable.from(chunks, { objectMode: false }));
  }
`;

test("kill -9 while layers come in leaves whole layers, and what sweep removes", async () => {
  const scratch = await mkdtemp(join(tmpdir(), "berth-test-killed-"));
  const root = join(scratch, "layers");
  try {
    let unfinished = 0;
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program, root, native], { stdio: ["ignore", "pipe", "inherit"] });
      const exited = once(child, "exit");
      await Promise.race([once(child.stdout, "data"), exited]);
      await new Promise((resolve) => setTimeout(resolve, 15 + 37 * round));
      child.kill("SIGKILL");
      assert.deepEqual(await exited, [null, "SIGKILL"]);
      unfinished += (await readdir(root)).filter((name) => name.startsWith(".ingest-")).length;
    }
    assert.ok(unfinished > 0, "no kill hit an ingest");
    await using kernel = await openLinuxKernel({ native, execRoot: `${root}-run` });
    await using layers = await openLayers({ root, kernel, driver: "erofs" });
    const names = await readdir(root);
    const whole = names.map((name) => `sha256:${name}`).filter(isDigest);
    assert.ok(whole.length > 0);
    for (const diffId of whole) {
      assert.equal(digestOf(await readFile(layers.tarPath(diffId))), diffId);
      assert.ok((await layers.readFile([diffId], "/nowhere", 1)) === undefined, "the index can be read");
    }
    await layers.sweep(new Set(whole));
    assert.deepEqual((await readdir(root)).sort(), ["empty", ...whole.map((diffId) => diffId.slice(7))].sort());
    await layers.sweep(new Set());
    assert.deepEqual(await readdir(root), ["empty"]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
