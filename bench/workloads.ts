/** The workloads, each figure of which has its budget as a ratio to Docker's. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import type { Engine } from "./engines.ts";
import { archiveOfLayers, pushFresh, textOf } from "./push.ts";

export type Recorder = (figure: string, value: number) => void;

export interface Workload {
  /** At most this many rounds; the long ones need few. */
  readonly rounds: number;
  run(engine: Engine, record: Recorder): Promise<void>;
}

/** figure → how many times better than Docker it must be */
export const budgets: Readonly<{ [figure: string]: number }> = {
  "docker run --rm, bridge": 8,
  "docker run --rm, none": 8,
  "docker run --rm, host": 6,
  "API create": 2,
  "API start, bridge": 20,
  "API exec true": 12,
  "API rm -f": 10,
  "create+start 50": 12,
  "remove 50": 15,
  "memory at 50, MiB": 3,
  "import 20,000 files": 15,
  "load 20,000 files": 15,
  "save 20,000 files": 3,
  "write 500,000 log lines": 2,
  "read 500,000 log lines": 3,
  "cp 100 MB in": 1,
  "cp 100 MB out": 2,
  "commit 100 MB": 2,
  "push 20,000 files": 1.5,
  "push 20,000 files again": 1.5,
  "push 100 MB": 1.5,
  "push 100 MB again": 1.5,
  "push 100 MB of text": 1.5,
  "push 100 MB of text again": 1.5,
  "push ten layers of 10 MB": 1.5,
  "push ten layers of 10 MB again": 1.5,
};

export const image = "bench-busybox:latest";
const imported = new Set<Engine>();
/** Which have had the round that is left out. */
const begun = new Set<Engine>();

export async function importBusybox(engine: Engine): Promise<void> {
  if (imported.has(engine)) return;
  const dir = mkdtempSync("/var/tmp/bench-rootfs-");
  for (const name of ["bin", "etc", "tmp", "root", "proc", "sys", "dev"]) mkdirSync(`${dir}/${name}`);
  const program = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  copyFileSync(program, `${dir}/bin/busybox`);
  for (const applet of execFileSync(program, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean))
    if (applet !== "busybox") symlinkSync("busybox", `${dir}/bin/${applet}`);
  writeFileSync(`${dir}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(`${dir}/etc/group`, "root:x:0:\n");
  const tar = execFileSync("tar", ["-c", "-C", dir, "."], { maxBuffer: 1 << 30 });
  rmSync(dir, { recursive: true });
  await engine.cli(["import", "-", image], tar);
  imported.add(engine);
}

async function timed(record: Recorder, figure: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  record(figure, performance.now() - start);
}

let fileOf100: string | undefined;
/** 100 MB that nobody can compress. */
function largeFile(): string {
  if (fileOf100 !== undefined && existsSync(fileOf100)) return fileOf100;
  const folder = mkdtempSync("/var/tmp/bench-large-");
  const path = `${folder}/large`;
  writeFileSync(path, randomBytes(100_000_000));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  fileOf100 = path;
  return path;
}

let tarOfMany: string | undefined;
/** One layer as an npm or apt install makes it: 20,000 small files, 215 MB. */
export function manyFiles(): string {
  if (tarOfMany !== undefined && existsSync(tarOfMany)) return tarOfMany;
  const dir = mkdtempSync("/var/tmp/bench-many-");
  for (let i = 0; i < 20_000; i++) {
    if (i % 100 === 0) mkdirSync(`${dir}/d${i / 100}`);
    const content = Buffer.alloc(1000 + ((i * 7919) % 18_000), 33 + (i % 94));
    content.writeUInt32LE(i, 0);
    const file = openSync(`${dir}/d${Math.floor(i / 100)}/f${i % 100}`, "w");
    writeSync(file, content);
    closeSync(file);
  }
  tarOfMany = `${dir}.tar`;
  execFileSync("tar", ["-cf", tarOfMany, "-C", dir, "."]);
  rmSync(dir, { recursive: true });
  const file = tarOfMany;
  process.on("exit", () => rmSync(file, { force: true }));
  return tarOfMany;
}

const sleeper = { Image: image, Cmd: ["sleep", "1000"], HostConfig: { NetworkMode: "bridge" } };
const create = async (engine: Engine, body: unknown): Promise<string> =>
  String((await engine.api("POST", "/containers/create", body))["Id"]);

export const workloads: Readonly<{ [name: string]: Workload }> = {
  run: {
    rounds: 15,
    async run(engine, record) {
      await importBusybox(engine);
      for (const net of ["bridge", "none", "host"]) {
        await timed(record, `docker run --rm, ${net}`, () => engine.cli(["run", "--rm", `--net=${net}`, image, "true"]));
      }
    },
  },
  api: {
    rounds: 25,
    async run(engine, record) {
      await importBusybox(engine);
      let id = "";
      await timed(record, "API create", async () => {
        id = await create(engine, sleeper);
      });
      await timed(record, "API start, bridge", () => engine.api("POST", `/containers/${id}/start`));
      let exec = "";
      await timed(record, "API exec true", async () => {
        exec = String((await engine.api("POST", `/containers/${id}/exec`, { Cmd: ["true"], AttachStdout: true }))["Id"]);
        await engine.exec(exec);
      });
      const { ExitCode: code } = await engine.api("GET", `/exec/${exec}/json`);
      if (code !== 0) throw new Error(`${engine.name}: exec ended with ${code}`);
      await timed(record, "API inspect", () => engine.api("GET", `/containers/${id}/json`));
      await timed(record, "API rm -f", () => engine.api("DELETE", `/containers/${id}?force=1`));
    },
  },
  parallel: {
    rounds: 3,
    async run(engine, record) {
      await importBusybox(engine);
      let ids: string[] = [];
      await timed(record, "create+start 50", async () => {
        ids = await Promise.all(
          Array.from({ length: 50 }, async () => {
            const id = await create(engine, sleeper);
            await engine.api("POST", `/containers/${id}/start`);
            return id;
          }),
        );
      });
      await timed(record, "ps with 50", () => engine.api("GET", "/containers/json"));
      record("memory at 50, MiB", engine.memory());
      await timed(record, "remove 50", () => Promise.all(ids.map((id) => engine.api("DELETE", `/containers/${id}?force=1`))));
    },
  },
  layers: {
    rounds: 3,
    async run(engine, record) {
      const tar = manyFiles();
      const saved = `${tar}.saved`;
      await timed(record, "import 20,000 files", () => engine.cli(["import", tar, "bench-many:latest"]));
      await timed(record, "save 20,000 files", () => engine.cli(["save", "-o", saved, "bench-many:latest"]));
      await engine.cli(["rmi", "bench-many:latest"]);
      await timed(record, "load 20,000 files", () => engine.cli(["load", "-i", saved]));
      await engine.cli(["rmi", "bench-many:latest"]);
      rmSync(saved);
    },
  },
  push: {
    rounds: 3,
    async run(engine, record) {
      const large = `${largeFile()}.tar`;
      execFileSync("tar", ["-cf", large, "-C", dirname(large), basename(largeFile())]);
      const text = `${largeFile()}-text`;
      writeFileSync(text, textOf(100_000_000));
      execFileSync("tar", ["-cf", `${text}.tar`, "-C", dirname(text), basename(text)]);
      const push = (name: string, bring: (reference: string) => Promise<unknown>): Promise<void> =>
        pushFresh(engine, name, bring, async (figure, work) => {
          const before = engine.processorMs();
          await timed(record, figure, work);
          record(`processor time of the daemon, ${figure}`, engine.processorMs() - before);
        });
      await push("20,000 files", (reference) => engine.cli(["import", manyFiles(), reference]));
      await push("100 MB", (reference) => engine.cli(["import", large, reference]));
      await push("100 MB of text", (reference) => engine.cli(["import", `${text}.tar`, reference]));
      for (const path of [large, text, `${text}.tar`]) rmSync(path);
      const layers = archiveOfLayers(10, 10_000_000);
      await push("ten layers of 10 MB", async (reference) => {
        await engine.cli(["load", "-q", "-i", layers.path]);
        await engine.cli(["tag", layers.name, reference]);
        await engine.cli(["rmi", layers.name]);
      });
      rmSync(layers.path);
    },
  },
  "push-large": {
    rounds: 1,
    async run(engine, record) {
      // The round before the first is left out of the figures: here it would cost a minute.
      if (!begun.delete(engine)) return void begun.add(engine);
      const megabytes = Number(process.env["BENCH_LAYER_MB"] ?? "2000");
      const folder = mkdtempSync("/var/tmp/bench-large-");
      for (let at = 0; at < megabytes; at += 50) appendFileSync(`${folder}/large`, randomBytes(50_000_000));
      execFileSync("tar", ["-cf", `${folder}.tar`, "-C", folder, "large"]);
      rmSync(folder, { recursive: true });
      const name = `${megabytes} MB`;
      await pushFresh(
        engine,
        name,
        (reference) => engine.cli(["import", `${folder}.tar`, reference]),
        async (figure, work) => {
          engine.forgetPeak();
          await timed(record, figure, work);
          record(`most memory, ${figure}, MiB`, engine.peak());
        },
      );
      rmSync(`${folder}.tar`);
    },
  },
  logs: {
    rounds: 3,
    async run(engine, record) {
      await importBusybox(engine);
      const line = "0123456789".repeat(7);
      const id = await create(engine, {
        Image: image,
        Cmd: ["sh", "-c", `yes ${line} | head -n 500000`],
        HostConfig: { LogConfig: { Type: "json-file" } },
      });
      await timed(record, "write 500,000 log lines", async () => {
        await engine.api("POST", `/containers/${id}/start`);
        await engine.api("POST", `/containers/${id}/wait`);
      });
      await timed(record, "read 500,000 log lines", async () => {
        const bytes = await engine.count("GET", `/containers/${id}/logs?stdout=1`);
        if (bytes < 500_000 * (line.length + 1)) throw new Error(`${engine.name} lost log lines: ${bytes} bytes`);
      });
      await engine.api("DELETE", `/containers/${id}?force=1`);
    },
  },
  files: {
    rounds: 5,
    async run(engine, record) {
      await importBusybox(engine);
      const file = largeFile();
      const id = await create(engine, { Image: image, Cmd: ["sleep", "1000"], HostConfig: { NetworkMode: "none" } });
      await engine.api("POST", `/containers/${id}/start`);
      await timed(record, "cp 100 MB in", () => engine.cli(["cp", file, `${id}:/large`]));
      await timed(record, "cp 100 MB out", () => engine.cli(["cp", `${id}:/large`, `${file}.out`]));
      await timed(record, "commit 100 MB", () => engine.cli(["commit", id, "bench-committed:latest"]));
      await engine.cli(["rmi", "bench-committed:latest"]);
      await engine.api("DELETE", `/containers/${id}?force=1`);
      rmSync(`${file}.out`);
    },
  },
};
