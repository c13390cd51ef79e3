import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { assertTidy } from "../../src/registry/assert-tidy.ts";
import { projectRoot } from "../daemon.ts";

export class RegistryProcess implements AsyncDisposable {
  readonly root: string = mkdtempSync("/var/tmp/berth-test-registry-");
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #isListening = false;
  port = 0;

  constructor(args: readonly string[] = []) {
    this.#args = args;
  }

  static async start(args: readonly string[] = []): Promise<RegistryProcess> {
    const registry = new RegistryProcess(args);
    await registry.restart();
    return registry;
  }

  async restart(): Promise<void> {
    const args = ["registry", "serve", "--addr", `127.0.0.1:${this.port}`, "--root", this.root, "--gc-interval", "0", ...this.#args];
    const child = spawn(join(projectRoot, "berth"), args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    this.port = await new Promise((resolve, reject) => {
      let log = "";
      child.stderr.on("data", (chunk) => {
        log = `${log}${chunk}`.slice(-10_000);
        const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
      child.once("exit", () => reject(new Error(`the registry ended:\n${log}`)));
    });
    this.#isListening = true;
  }

  collect(): void {
    // It ends by the signal as long as it is starting.
    if (this.#isListening) this.#child?.kill("SIGUSR2");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#isListening = false;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Each file has its row and each row its file; of one that is killed, after it was started once more. */
  assertTidy(): void {
    assertTidy(this.root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.root, { recursive: true, force: true });
  }
}
