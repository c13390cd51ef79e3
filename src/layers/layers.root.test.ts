/** Runs the contract for each driver, on the real kernel through the broker. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
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
  const brokerPid = async (): Promise<number> => {
    const pid = await kernel.brokerPid();
    assert.ok(pid !== undefined);
    return pid;
  };
  return {
    layers,
    root,
    dump: async (lower, overlay) => dumpTree(await brokerPid(), lower, overlay, scratch),
    async killBroker() {
      const old = await brokerPid();
      process.kill(old, "SIGKILL");
      while ((await brokerPid()) === old) await setTimeout(5);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

// The stock virtual machine has no Python.
const skip = spawnSync("python3", ["--version"]).error !== undefined && "python3, which looks at what is mounted, is missing";
test("the broker is built", () => assert.ok(existsSync(native), "make -C native"));
layerContract("erofs", skip, (scratch) => openRoom(scratch, "erofs"));
layerContract("overlay2", skip, (scratch) => openRoom(scratch, "overlay2"));
