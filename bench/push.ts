/** Pushes of both engines to Berth's registry, which stands in the engine's network namespace and is new each time. */
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Engine } from "./engines.ts";

const projectRoot = resolve(import.meta.dirname, "..");

/**
 * @param engine undefined: in the network namespace of this process
 * @param kept what it serves, and stays; without, it is disposed of with all that was pushed
 * @returns its host
 */
export async function registryBeside(
  engine: Engine | undefined,
  port: number,
  kept?: string,
): Promise<AsyncDisposable & { readonly host: string }> {
  const root = kept ?? mkdtempSync("/var/tmp/bench-registry-");
  const host = `127.0.0.1:${port}`;
  const serve = [`${projectRoot}/berth`, "registry", "serve", "--root", root, "--addr", host];
  const place = engine?.pid ?? process.pid;
  const child = spawn("nsenter", [`--net=/proc/${place}/ns/net`, ...serve], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  let log = "";
  await new Promise<void>((done, fail) => {
    child.stderr.on("data", (chunk) => {
      log = (log + chunk).slice(-10_000);
      if (/listening on/.test(log)) done();
    });
    child.once("exit", () => fail(new Error(`the registry does not come up: ${log}`)));
  });
  return {
    host,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
      if (kept === undefined) rmSync(root, { recursive: true, force: true });
    },
  };
}

/** @returns a path of a docker-archive of so many layers, half of each can be compressed, and the name in it; to be removed */
export function archiveOfLayers(count: number, layerBytes: number): { readonly path: string; readonly name: string } {
  const folder = mkdtempSync("/var/tmp/bench-layers-");
  const diffIds: string[] = [];
  const layers: string[] = [];
  for (let at = 0; at < count; at++) {
    const half = layerBytes / 2;
    writeFileSync(`${folder}/file${at}`, Buffer.concat([randomBytes(half), textOf(half, at)]));
    execFileSync("tar", ["-cf", `${folder}/layer${at}.tar`, "-C", folder, `file${at}`]);
    rmSync(`${folder}/file${at}`);
    diffIds.push(
      `sha256:${createHash("sha256")
        .update(readFileSync(`${folder}/layer${at}.tar`))
        .digest("hex")}`,
    );
    layers.push(`layer${at}.tar`);
  }
  const name = "bench-layers:latest";
  const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: diffIds } };
  writeFileSync(`${folder}/config.json`, JSON.stringify(config));
  writeFileSync(`${folder}/manifest.json`, JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: layers }]));
  const path = `${folder}.tar`;
  execFileSync("tar", ["-cf", path, "-C", folder, "manifest.json", "config.json", ...layers]);
  rmSync(folder, { recursive: true });
  return { path, name };
}

/** Bytes that compress as programs and texts do, to a third or so. */
export function textOf(length: number, seed = 0): Buffer {
  const words = Array.from({ length: 5000 }, (_, index) =>
    createHash("sha1")
      .update(`${seed} ${index}`)
      .digest("hex")
      .slice(0, 3 + (index % 9)),
  );
  const parts: string[] = [];
  let value = seed + 1;
  for (let done = 0; done < length; ) {
    value = (value * 1103515245 + 12345) % 2147483648;
    const word = words[(value >> 8) % words.length] ?? "";
    parts.push(word);
    done += word.length + 1;
  }
  return Buffer.from(parts.join(" ")).subarray(0, length);
}

/**
 * Pushes an image that has just come in, so that nothing is known of its layers, and once more to a registry that has nothing.
 * @param name of the figures: `push ${name}`, `push ${name} again`
 * @param bring makes the engine have the image under a name
 */
export async function pushFresh(
  engine: Engine,
  name: string,
  bring: (reference: string) => Promise<unknown>,
  timed: (figure: string, work: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await using one = await registryBeside(engine, 5055);
  await using other = await registryBeside(engine, 5056);
  const [first, second] = [`${one.host}/bench/push:1`, `${other.host}/bench/push:1`];
  await bring(first);
  await engine.cli(["tag", first, second]);
  // What the import has left to be written is not to be waited for by the push.
  execFileSync("sync");
  await timed(`push ${name}`, () => engine.cli(["push", first]));
  await timed(`push ${name} again`, () => engine.cli(["push", second]));
  await engine.cli(["rmi", first, second]);
}
