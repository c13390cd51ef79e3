/** The engine over the real rooms, in directories of its own, with a busybox image. For tests as root. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Duplex, duplexPair, Readable } from "node:stream";
import { promisify } from "node:util";
import { parseReference, withDefaultTag } from "../base/base.ts";
import { ContainerStore } from "../containers/containers.ts";
import { openContent } from "../content/open.ts";
import { openEvents } from "../events/bus.ts";
import type { Events } from "../events/events.ts";
import { openImages } from "../images/open.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { openLinuxKernel } from "../kernel/linux.ts";
import { openLayers } from "../layers/open.ts";
import { readLog } from "../logs/read.ts";
import { type NetworkOptions, openNetworks } from "../networks/open.ts";
import { openRuntime } from "../runtime/open.ts";
import type { ContainerCreateRequest } from "../spec/spec.ts";
import { openDatabase } from "../state/state.ts";
import { openVolumes } from "../volumes/open.ts";
import { type Engine, openEngine } from "./engine.ts";

const run = promisify(execFile);
const native = resolve(import.meta.dirname, "../../build/berth-native");

/** A root file system of busybox and two accounts, as a tar. */
async function busyboxTar(folder: string): Promise<Buffer> {
  const root = join(folder, "rootfs");
  await Promise.all(["bin", "etc", "tmp", "root", "home/app"].map((name) => mkdir(join(root, name), { recursive: true })));
  await cp("/bin/busybox", join(root, "bin/busybox"));
  const applets = "sh true false echo cat sleep ls ps tty stty id hostname kill ip grep seq wc head touch rm mkdir env pwd nc";
  await Promise.all(applets.split(" ").map((applet) => symlink("busybox", join(root, "bin", applet))));
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\napp:x:1001:\nextra:x:2000:app\n");
  const { stdout } = await run("tar", ["-C", root, "-c", "."], { encoding: "buffer", maxBuffer: 1 << 26 });
  return stdout;
}

export interface RealEngine {
  readonly engine: Engine;
  readonly kernel: Kernel;
  readonly events: Events;
  close(): Promise<void>;
}

/** Data and exec root of a test; engines can be opened over it one after the other, as restarted daemons are. */
export class RealWorld implements AsyncDisposable {
  readonly folder: string;
  readonly network: NetworkOptions;
  #current: RealEngine | undefined;

  constructor(folder: string, network: NetworkOptions) {
    this.folder = folder;
    this.network = network;
  }

  static async make(network: NetworkOptions = { bridge: "none" }): Promise<RealWorld> {
    // Not below /tmp, which may be a tmpfs: the kernel mounts no EROFS from there.
    return new RealWorld(await mkdtemp("/var/tmp/berth-test-"), network);
  }

  async open(): Promise<RealEngine> {
    const dataRoot = join(this.folder, "data");
    const execRoot = join(this.folder, "exec");
    await Promise.all([mkdir(dataRoot, { recursive: true }), mkdir(execRoot, { recursive: true })]);
    const database = openDatabase(join(dataRoot, "berth.db"));
    const store = new ContainerStore(database);
    const adoptFrom = [...store.list()].map((record) => join(execRoot, "monitors", record.id.slice(0, 32)));
    const kernel = await openLinuxKernel({ native, execRoot, adoptFrom });
    const [content, layers] = await Promise.all([
      openContent(join(dataRoot, "content")),
      openLayers({ root: join(dataRoot, "layers"), kernel }),
    ]);
    const events = openEvents();
    const images = await openImages({ database, content, layers, events, usedBy: (id) => store.usedBy(id) });
    const networks = await openNetworks({ database, kernel, options: this.network });
    const runtime = await openRuntime({ kernel, execRoot, options: { cgroupParent: `/berth-test-${process.pid}` } });
    const usedBy = (volume: string): readonly string[] => store.usersOf(volume);
    const volumes = await openVolumes({ root: join(dataRoot, "volumes"), database, kernel, events, usedBy });
    const engine = await openEngine({ store, kernel, images, layers, networks, runtime, volumes, events, readLog, dataRoot });
    if (images.list(new Map()).length === 0) {
      await images.import(Readable.from([await busyboxTar(this.folder)]), {
        reference: withDefaultTag(parseReference("busybox")),
        message: "",
        changes: ['CMD ["sh"]', "ENV PATH=/bin"],
      });
    }
    const close = async (): Promise<void> => {
      await engine.close();
      volumes.close();
      await runtime.close();
      await networks.close();
      await kernel[Symbol.asyncDispose]();
      database.close();
    };
    this.#current = { engine, kernel, events, close };
    return this.#current;
  }

  /** Removes every container, then all that is left of the test. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#current !== undefined) {
      const { engine } = this.#current;
      for (const { Id = "" } of await engine.containers.list({ all: true, limit: 0, size: false, filters: new Map() })) {
        await engine.containers.remove(Id, { force: true, volumes: true, link: false }).catch(() => undefined);
      }
      await this.#current.close();
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Everything that a stream gives, as text. */
export async function textOf(io: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of io) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Takes Docker's 8-byte frames apart. */
export function demultiplex(data: Buffer): { stdout: string; stderr: string } {
  const parts = ["", "", ""];
  for (let at = 0; at + 8 <= data.length; ) {
    const length = data.readUInt32BE(at + 4);
    parts[data[at] ?? 0] += data.toString("utf8", at + 8, at + 8 + length);
    at += 8 + length;
  }
  return { stdout: parts[1] ?? "", stderr: parts[2] ?? "" };
}

export interface RunResult {
  readonly code: number;
  readonly output: Buffer;
  readonly id: string;
}

/** Create, attach, wait, start, as `docker run` does. `input` is sent and closed. */
export async function runContainer(engine: Engine, request: ContainerCreateRequest, input?: string): Promise<RunResult> {
  const stdin = input !== undefined;
  const { Id } = await engine.containers.create({ Image: "busybox", OpenStdin: stdin, StdinOnce: stdin, ...request }, {});
  const session = await engine.containers.attach(Id, { stdin, stdout: true, stderr: true, logs: false, stream: true });
  const [client, server] = duplexPair();
  const chunks: Buffer[] = [];
  client.on("data", (chunk: Buffer) => chunks.push(chunk));
  const over = session.run(server).then(() => server.end());
  const wait = await engine.containers.wait(Id, "next-exit", new AbortController().signal);
  await engine.containers.start(Id, {});
  if (input !== undefined) client.end(input);
  const { StatusCode } = await wait.result;
  await over;
  // The last bytes cross the pair a tick after it ended.
  await new Promise((done) => setImmediate(done));
  return { code: StatusCode, output: Buffer.concat(chunks), id: Id };
}
