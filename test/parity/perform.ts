/** Runs the script's groups against an engine. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, command, projectRoot, type Result } from "../daemon.ts";
import { type Folders, Normaliser } from "./normalise.ts";
import { openRegistries } from "./registries.ts";
import type { Group } from "./script.ts";
import type { StepResult } from "./transcript.ts";

export interface Engine {
  readonly host: string;
  readonly folders: Folders;
  /** A folder with another program called `docker`, to be found first. */
  readonly client?: string;
  /** More variables for the script. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Both engines are asked in the words of the API that the reference speaks: what was added later is no difference. */
const apiVersion = "1.45";

function environment(engine: Engine): Record<string, string> {
  const { PATH = "" } = process.env;
  const path = engine.client === undefined ? PATH : `${engine.client}:${PATH}`;
  const BERTH = join(projectRoot, "berth");
  const own = {
    BERTH,
    PATH: path,
    DOCKER_HOST: engine.host,
    DOCKER_API_VERSION: apiVersion,
    DOCKER_CLI_HINTS: "false",
    LC_ALL: "C",
    TZ: "UTC",
  };
  return { ...own, ...engine.environment };
}

function shell(engine: Engine, line: string, cwd = "/", input: string | Uint8Array = ""): Promise<Result> {
  const script = 'cd "$1" && eval "$2"';
  return command("timeout", ["-s", "KILL", "45", "sh", "-c", script, "sh", cwd, line], { env: environment(engine), input });
}

/** The image that every group starts with, made anew; nothing else is there. */
async function prepare(engine: Engine): Promise<void> {
  const imported = await shell(engine, "docker import - busybox:latest", "/", await busyboxRootfs());
  if (imported.status !== 0) throw new Error(`docker import: ${imported.stderr}`);
}

const leftovers = `docker ps -aq | xargs -r docker rm -fv; docker volume ls -q | xargs -r docker volume rm -f;
  docker network ls -q -f type=custom | xargs -r docker network rm;
  docker images --format '{{.Repository}}:{{.Tag}}' | grep -vx busybox:latest | grep -v '<none>' | xargs -r docker rmi -f;
  docker images -qf dangling=true | xargs -r docker rmi -f`;

const image = "docker images -aq | sort -u | xargs -r docker rmi -f";

/** @returns what each step printed, and what the group left behind although it should clear up after itself. */
export async function perform(engine: Engine, group: Group): Promise<{ steps: StepResult[]; left: string }> {
  if (group.name !== "registries") return await performSteps(engine, group);
  await using registries = await openRegistries();
  const { environment, folders } = registries;
  return await performSteps({ ...engine, environment, folders: [...engine.folders, ...folders] }, group);
}

async function performSteps(engine: Engine, group: Group): Promise<{ steps: StepResult[]; left: string }> {
  await prepare(engine);
  mkdirSync("/var/tmp/berth-parity", { recursive: true });
  const work = mkdtempSync("/var/tmp/berth-parity/run-");
  const cwd = join(work, group.name);
  mkdirSync(cwd);
  const normaliser = new Normaliser([...engine.folders, [cwd, "<work>"]]);
  const steps: StepResult[] = [];
  try {
    for (const line of group.steps) {
      normaliser.next();
      const { stdout, stderr, status } = await shell(engine, line, cwd);
      steps.push({ command: line, stdout: normaliser.stdout(stdout), stderr: normaliser.stderr(stderr), status });
    }
    const { stdout: left } = await shell(engine, leftovers);
    await shell(engine, image);
    return { steps, left };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
