import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import {
  absolute,
  type CopyEnd,
  followed,
  linkTarget,
  localDestination,
  localSource,
  planCopy,
  splitEntry,
} from "../archive/copy-rules.ts";
import { extractTar } from "../archive/extract-tar.ts";
import { fileError } from "../archive/file-error.ts";
import { TarReader } from "../archive/tar-reader.ts";
import { writeTar } from "../archive/write-tar.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { containerPath } from "../object-paths.ts";
import { CopyProgress } from "../output/copy-progress.ts";
import { writeAll } from "../output/write.ts";

/** What the daemon says of a path in a container, in its header `X-Docker-Container-Path-Stat`. */
interface PathStat {
  /** Go's file mode. */
  readonly mode: number;
  readonly linkTarget: string;
}

const goDirectory = 2 ** 31;
const goSymlink = 2 ** 27;
const goDevice = 2 ** 26;
const goIrregular = 2 ** 19;
const has = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1;

const pathOf = (container: string): string => `${containerPath(container)}/archive`;

const parseStat = (header: string | undefined): PathStat => JSON.parse(Buffer.from(header ?? "", "base64").toString()) as PathStat;

/** Undefined: there is nothing, or it cannot be told; what the copy then says of it is better than what this could. */
async function statInContainer(context: Context, container: string, path: string): Promise<PathStat | undefined> {
  try {
    const response = await context.client().call("HEAD", pathOf(container), { query: { path } });
    response.close();
    return parseStat(response.headers.get("x-docker-container-path-stat"));
  } catch {
    return undefined;
  }
}

/** `CONTAINER:PATH`; a path of this machine is absolute, has no colon, or starts with a dot. */
function splitArgument(text: string): { container: string; path: string } {
  const colon = text.indexOf(":");
  if (text.startsWith("/") || colon < 0 || text.startsWith(".")) return { container: "", path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

function checkOutputPath(path: string): void {
  const parent = dirname(path.replace(/(?<=.)\/+\.?$/, ""));
  if (statSync(parent, { throwIfNoEntry: false }) === undefined)
    throw new ExitError(1, `invalid output path: directory ${JSON.stringify(parent)} does not exist`);
  let found: Stats | undefined;
  try {
    found = statSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw fileError("stat", path, error);
  }
  if (found?.isCharacterDevice() === true || found?.isBlockDevice() === true)
    throw new ExitError(1, `invalid output path: ${JSON.stringify(path)} must be a directory or a regular file: got a device`);
}

/** Replaces the first part of an entry's name; the root's own name is empty in an archive. */
const renamer = (from: string, to: string) => (name: string) => (from === to ? name : name.replace(from === "/" ? "" : from, () => to));

async function copyOut(context: Context, flags: FlagValues, container: string, source: string, given: string): Promise<void> {
  const destination = given === "-" ? given : absolute(given);
  if (destination !== "-") checkOutputPath(destination);
  let path = source;
  let calledAs: string | undefined;
  if (flags.bool("follow-link")) {
    const stat = await statInContainer(context, container, path);
    if (stat !== undefined && has(stat.mode, goSymlink)) ({ path, calledAs } = followed(path, linkTarget(path, stat.linkTarget)));
  }
  const response = await context.client().call("GET", pathOf(container), { query: { path } });
  try {
    if (destination === "-") {
      for await (const chunk of response.body) writeAll(1, chunk);
      return;
    }
    const stat = parseStat(response.headers.get("x-docker-container-path-stat"));
    const from: CopyEnd = { path, calledAs, exists: true, isDirectory: has(stat.mode, goDirectory) };
    const plan = planCopy(from, localDestination(destination));
    const called = calledAs === undefined ? (name: string) => name : renamer(splitEntry(path)[1], calledAs);
    const placed = renamer(plan.from, plan.to);
    using progress = new CopyProgress(isQuiet(flags), "Copying from container");
    await extractTar(new TarReader(progress.count(response.body)), plan.directory, (name) => placed(called(name)));
    progress.done(destination);
  } finally {
    response.close();
  }
}

/** Where in the container a copy goes: a link at the path's end is followed. */
async function destinationIn(context: Context, container: string, path: string): Promise<CopyEnd> {
  let at = path;
  let stat = await statInContainer(context, container, at);
  if (stat !== undefined && has(stat.mode, goSymlink)) {
    at = linkTarget(at, stat.linkTarget);
    stat = await statInContainer(context, container, at);
  }
  const odd =
    stat === undefined ? "" : has(stat.mode, goDevice) ? "got a device" : has(stat.mode, goIrregular) ? "got an irregular file" : "";
  if (odd !== "") throw new ExitError(1, `destination "${container}:${path}" must be a directory or a regular file: ${odd}`);
  return { path: at, exists: stat !== undefined, isDirectory: stat !== undefined && has(stat.mode, goDirectory) };
}

async function copyIn(context: Context, flags: FlagValues, given: string, container: string, target: string): Promise<void> {
  const source = given === "-" ? given : absolute(given);
  const destination = await destinationIn(context, container, target);
  const send = (path: string, stream: AsyncIterable<Uint8Array>): Promise<void> =>
    context.client().send("PUT", pathOf(container), {
      query: { path, noOverwriteDirNonDir: "true", copyUIDGID: flags.bool("archive") ? "true" : undefined },
      stream,
    });
  if (source === "-") {
    if (!destination.isDirectory) throw new ExitError(1, `destination "${container}:${target}" must be a directory`);
    await send(destination.path, process.stdin);
    return;
  }
  const from = localSource(source, flags.bool("follow-link"));
  const plan = planCopy(from, destination);
  using progress = new CopyProgress(isQuiet(flags), "Copying to container");
  await send(plan.directory, progress.count(writeTar(from.path, plan.to)));
  progress.done(`${container}:${destination.path}`);
}

const isQuiet = (flags: FlagValues): boolean => (flags.changed("quiet") ? flags.bool("quiet") : !process.stdout.isTTY);

export const command: Command = {
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tberth cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  details: [
    "Use '-' as the source to read a tar archive from stdin",
    "and extract it to a directory destination in a container.",
    "Use '-' as the destination to stream a tar archive of a",
    "container source to stdout.",
  ],
  args: { least: 2, most: 2 },
  completes: "containers",
  completesPaths: true,
  flags: [
    { name: "archive", short: "a", type: "bool", help: "Archive mode (copy all uid/gid information)" },
    { name: "follow-link", short: "L", type: "bool", help: "Always follow symbol link in SRC_PATH" },
    { name: "quiet", short: "q", type: "bool", help: "Do not show how far the copy is; so it is when no terminal is attached" },
  ],
  async run(context, flags, [source = "", destination = ""]) {
    if (source === "") throw new ExitError(1, "source can not be empty");
    if (destination === "") throw new ExitError(1, "destination can not be empty");
    const from = splitArgument(source);
    const to = splitArgument(destination);
    if (from.container !== "" && to.container !== "") throw new ExitError(1, "copying between containers is not supported");
    if (from.container !== "") await copyOut(context, flags, from.container, from.path, to.path);
    else if (to.container !== "") await copyIn(context, flags, from.path, to.container, to.path);
    else throw new ExitError(1, "must specify at least one container source");
    return 0;
  },
};
