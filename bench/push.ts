/** Pushes of both engines to Berth's registry, which stands in the engine's network namespace and is new each time. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import type { Engine } from "./engines.ts";

const projectRoot = resolve(import.meta.dirname, "..");

/** @returns its host; disposed of with all that was pushed */
async function registryBeside(engine: Engine, port: number): Promise<AsyncDisposable & { readonly host: string }> {
  const root = mkdtempSync("/var/tmp/bench-registry-");
  const host = `127.0.0.1:${port}`;
  const serve = [`${projectRoot}/berth`, "registry", "serve", "--root", root, "--addr", host];
  const child = spawn("nsenter", [`--net=/proc/${engine.pid}/ns/net`, ...serve], { stdio: ["ignore", "ignore", "pipe"] });
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
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/**
 * Pushes an image that has just come in, so that nothing is known of its layer, and once more to a registry that has nothing.
 * @param name of the figures: `push ${name}`, `push ${name} again`
 */
export async function pushTar(
  engine: Engine,
  name: string,
  tar: string,
  timed: (figure: string, work: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await using one = await registryBeside(engine, 5055);
  await using other = await registryBeside(engine, 5056);
  const [first, second] = [`${one.host}/bench/push:1`, `${other.host}/bench/push:1`];
  await engine.cli(["import", tar, first]);
  await engine.cli(["tag", first, second]);
  // What the import has left to be written is not to be waited for by the push.
  execFileSync("sync");
  await timed(`push ${name}`, () => engine.cli(["push", first]));
  await timed(`push ${name} again`, () => engine.cli(["push", second]));
  await engine.cli(["rmi", first, second]);
}
