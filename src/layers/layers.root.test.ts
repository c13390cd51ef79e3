/** Runs the contract for each driver, on the real kernel through the broker. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openLinuxKernel } from "../kernel/linux.ts";
import { type ContractRoom, type Dump, layerContract } from "./contract.ts";
import { openLayers } from "./open.ts";

const native = join(import.meta.dirname, "../../build/berth-native");

/** Runs `dump-tree.py` in the broker's mount namespace, where the layers are mounted. */
async function dumpTree(brokerPid: number, lower: readonly string[], overlay: boolean, scratch: string): Promise<Dump> {
  const directory = join(scratch, "mounts");
  await mkdir(directory, { recursive: true });
  const command = ["-t", String(brokerPid), "-m", "python3", join(import.meta.dirname, "dump-tree.py")];
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile("nsenter", command, { maxBuffer: 2 ** 28 }, (error, stdout, stderr) =>
      error ? reject(new Error(`dump-tree.py: ${stderr}`, { cause: error })) : resolve(stdout),
    );
    child.stdin?.end(JSON.stringify({ lower, overlay, scratch: directory }));
  });
  return JSON.parse(output) as Dump;
}

async function openRoom(scratch: string, driver: "erofs" | "overlay2"): Promise<ContractRoom> {
  const stack = new AsyncDisposableStack();
  const kernel = stack.use(await openLinuxKernel({ native, execRoot: join(scratch, "run") }));
  const root = join(scratch, "layers");
  const layers = stack.use(await openLayers({ root, kernel, driver }));
  assert.equal(layers.driver, driver);
  const pid = await kernel.brokerPid();
  assert.ok(pid !== undefined);
  return {
    layers,
    root,
    dump: (lower, overlay) => dumpTree(pid, lower, overlay, scratch),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("the broker is built", () => assert.ok(existsSync(native), "make -C native"));
layerContract("erofs", (scratch) => openRoom(scratch, "erofs"));
layerContract("overlay2", (scratch) => openRoom(scratch, "overlay2"));
