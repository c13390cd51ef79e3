/** What is killed: a daemon with its broker, a registry behind a slow relay, and who asks them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Daemon, eventually } from "../daemon.ts";
import type { Chance } from "./chance.ts";
import { KnownImages } from "./known-images.ts";
import { RegistryProcess } from "./registry-process.ts";
import { SlowRelay } from "./slow-relay.ts";

/** How long the registry leaves alone what nothing uses yet. */
export const graceMs = 3000;

interface Said {
  readonly status: number;
  readonly body: Buffer;
}

/** Who dies: the daemon alone, it and all other processes of Berth's, the registry, or all of them. */
export type Victims = "daemon" | "all of Berth" | "registry" | "everything";

export class Stand implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly registry: RegistryProcess;
  readonly relay: SlowRelay;
  readonly known: KnownImages;
  /** Entries of the data root as a daemon without anything has them. */
  readonly #entries: readonly string[];

  private constructor(daemon: Daemon, registry: RegistryProcess, relay: SlowRelay, known: KnownImages) {
    this.daemon = daemon;
    this.registry = registry;
    this.relay = relay;
    this.known = known;
    this.#entries = readdirSync(daemon.dataRoot);
  }

  /** With the known images in the registry as `x/y:<tag>`. */
  static async open(chance: Chance): Promise<Stand> {
    await using stack = new AsyncDisposableStack();
    const daemon = await Daemon.start();
    stack.defer(() => daemon.close());
    const registry = stack.use(await RegistryProcess.start(["--gc-grace", `${graceMs}ms`]));
    const known = await KnownImages.make(chance);
    await known.shelf.pushTo(`http://127.0.0.1:${registry.port}`);
    const relay = stack.use(await SlowRelay.open(registry.port));
    stack.move();
    return new Stand(daemon, registry, relay, known);
  }

  /** Of an image in the registry, as the daemon asks for it. */
  name(tag: string, repository = "x/y"): string {
    return `${this.relay.host}/${repository}:${tag}`;
  }

  /** @throws when the connection breaks */
  call(method: string, path: string, body?: object | Readable): Promise<Said> {
    const socketPath = this.daemon.directHost.slice("unix://".length);
    const data = body === undefined || body instanceof Readable ? undefined : JSON.stringify(body);
    const headers = {
      ...(data === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(data) }),
      ...(body instanceof Readable ? { "content-type": "application/x-tar" } : {}),
      "x-registry-auth": "e30=",
    };
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath, method, path, headers, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
      });
      asked.on("error", (error) => {
        if (body instanceof Readable) body.destroy();
        reject(error);
      });
      if (body instanceof Readable) body.on("error", reject).pipe(asked);
      else asked.end(data);
    });
  }

  /** The same; fails for a refusal, also for one within a stream of messages. @returns the body */
  async ok(method: string, path: string, body?: object | Readable): Promise<Buffer> {
    const said = await this.call(method, path, body);
    const text = said.body.length < 100_000 ? said.body.toString() : "";
    assert.ok(said.status < 400 && !text.includes('"errorDetail"'), `${method} ${path}: ${said.status} ${text}`);
    return said.body;
  }

  async json<T>(method: string, path: string, body?: object): Promise<T> {
    return JSON.parse((await this.ok(method, path, body)).toString()) as T;
  }

  pull(tag: string, repository = "x/y"): Promise<Buffer> {
    return this.ok("POST", `/images/create?fromImage=${encodeURIComponent(`${this.relay.host}/${repository}`)}&tag=${tag}`);
  }

  load(archive: Buffer, pause?: () => Promise<void>): Promise<Buffer> {
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let at = 0; at < archive.length; at += 64 << 10) {
        yield archive.subarray(at, at + (64 << 10));
        await pause?.();
      }
    }
    return this.ok("POST", "/images/load?quiet=1", Readable.from(pieces(), { objectMode: false }));
  }

  /** @returns what a container of the image prints */
  async run(image: string, command: readonly string[]): Promise<string> {
    const { Id } = await this.json<{ Id: string }>("POST", "/containers/create", {
      Image: image,
      Cmd: command,
      HostConfig: { NetworkMode: "none" },
    });
    await this.ok("POST", `/containers/${Id}/start`);
    assert.deepEqual(await this.json("POST", `/containers/${Id}/wait`), { StatusCode: 0 });
    const framed = await this.ok("GET", `/containers/${Id}/logs?stdout=1`);
    await this.ok("DELETE", `/containers/${Id}`);
    let output = "";
    for (let at = 0; at < framed.length; at += 8 + framed.readUInt32BE(at + 4))
      output += framed.toString("utf8", at + 8, at + 8 + framed.readUInt32BE(at + 4));
    return output;
  }

  images(): Promise<{ Id: string; RepoTags: string[] | null }[]> {
    return this.json("GET", "/images/json?all=1");
  }

  async removeAll(): Promise<void> {
    for (const { Id } of await this.json<{ Id: string }[]>("GET", "/containers/json?all=1"))
      await this.ok("DELETE", `/containers/${Id}?force=1`);
    // Those that others were made from cannot go before them.
    for (let images = await this.images(), tries = 0; images.length > 0 && tries < 20; images = await this.images(), tries++)
      for (const { Id } of images) await this.call("DELETE", `/images/${Id}?force=1`);
    assert.deepEqual(await this.images(), []);
  }

  async strike(victims: Victims): Promise<void> {
    const others = victims === "all of Berth" || victims === "everything" ? processesBelow(this.daemon.pid) : [];
    const deaths: Promise<void>[] = [];
    if (victims !== "registry") deaths.push(this.daemon.kill("SIGKILL"));
    for (const pid of others) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended since.
      }
    }
    if (victims === "registry" || victims === "everything") deaths.push(this.registry.kill());
    await Promise.all(deaths);
  }

  /** Starts again whatever was killed. */
  async recover(victims: Victims): Promise<void> {
    if (victims === "registry" || victims === "everything") await this.registry.restart();
    if (victims !== "registry") await this.daemon.restart();
    await eventually("the end of all processes but the broker", async () => {
      const names = processesBelow(this.daemon.pid, true).map(nameOf);
      const strays = othersOfBerth(this.daemon.pid);
      return (names.length === 1 && strays.length === 0) || undefined;
    });
  }

  /** Files below a folder of the data root, sorted. */
  files(folder: string): string[] {
    const root = join(this.daemon.dataRoot, folder);
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
      .sort();
  }

  assertNothingNewInDataRoot(): void {
    const isKnown = (name: string): boolean => this.#entries.includes(name) || name.startsWith("berth.db");
    assert.deepEqual(
      readdirSync(this.daemon.dataRoot).filter((name) => !isKnown(name)),
      [],
      "entries of the data root",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.relay[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await this.daemon.close();
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return 0;
  }
}

const allPids = (): number[] => readdirSync("/proc").map(Number).filter(Boolean);

/** Children of a process and theirs; with `named` those only that are Berth's C program. */
function processesBelow(pid: number, named = false): number[] {
  const parents = allPids().map((child) => ({ child, parent: parentOf(child) }));
  const below = (of: number): number[] => parents.filter(({ parent }) => parent === of).flatMap(({ child }) => [child, ...below(child)]);
  return below(pid).filter((child) => !named || nameOf(child).startsWith("berth-"));
}

/** What a killed daemon has left: they have lost their parent. The suite gives each file a process namespace of its own. */
function othersOfBerth(pid: number): number[] {
  const own = new Set(processesBelow(pid));
  return allPids().filter((other) => !own.has(other) && /^berth-(broker|files|worker)/.test(nameOf(other)));
}
