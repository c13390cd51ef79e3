import { posix } from "node:path";
import type { Readable } from "node:stream";
import { EngineError, errnoText, invalidParameter, isEngineError, notFound, systemError } from "../base/base.ts";
import type { LaunchFailure, TarOutput, TreeStat } from "../kernel/kernel.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import { extract } from "../layers/extract.ts";
import { resolveUser } from "../runtime/users.ts";
import { onView, streamFromView } from "./container-view.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { readRootFile } from "./root-file.ts";

/** What `X-Docker-Container-Path-Stat` says. */
export interface PathStat extends TreeStat {
  /** Last part of the path. */
  readonly name: string;
}

export interface CopyInOptions {
  /** Neither is a directory replaced by something else, nor the other way round. */
  readonly noOverwriteDirNonDir: boolean;
  /** What is copied belongs to the container's user. */
  readonly copyUidGid: boolean;
}

const withCopies = { mounts: true } as const;

/** Go's filepath.Base. */
function baseOf(path: string): string {
  return posix.basename(path) || "/";
}

/** Absolute and without detours; a `/` or `/.` at the end stays, as it asks for a directory and what is in it. */
export function absolutePath(path: string): string {
  const clean = posix.normalize(`/${path}`).replace(/(?<=.)\/$/, "");
  const dot = baseOf(path) === "." && /(?:^|\/)\.\/*$/.test(path) ? (clean === "/" ? "." : "/.") : "";
  return clean + dot + (path.endsWith("/") && !(clean + dot).endsWith("/") ? "/" : "");
}

/** Docker's words for what has gone wrong at the client's path; other failures stay what they are. */
function explainFailure(error: unknown, call: string, path: string, reference: string): unknown {
  const failure = launchFailureOf(error);
  if (failure === undefined) return error;
  if (failure.stage === "path" && errnoText(failure.errno) === "no such file or directory")
    return notFound(`Could not find the file ${path} in container ${reference}`, error);
  const about = failure.stage === "path" ? `${call} ${absolutePath(path)}` : whatFailed(failure);
  return new EngineError("System", `${about}: ${errnoText(failure.errno)}`, { cause: error });
}

function whatFailed({ stage, message }: LaunchFailure): string {
  switch (stage) {
    case "remove":
      return `unlinkat ${message}`;
    case "make":
    case "find":
    case "link":
      return `open ${message}`;
    default:
      return `${stage} ${message}`;
  }
}

/** `HEAD /containers/x/archive`. @throws NotFound `Could not find the file p in container x` */
export async function statPath(context: EngineContext, reference: string, path: string): Promise<PathStat> {
  const live = context.find(reference);
  const absolute = absolutePath(path);
  try {
    return await onView(context, live, withCopies, async (view) => ({
      ...(await context.kernel.trees.stat(view, absolute)),
      name: baseOf(absolute),
    }));
  } catch (error) {
    throw explainFailure(error, "lstat", path, reference);
  }
}

/** `GET /containers/x/archive`: the path as a tar. Destroying the stream ends the work. */
export async function readPath(
  context: EngineContext,
  reference: string,
  path: string,
  client?: number,
): Promise<TarOutput & { stat: PathStat }> {
  const live = context.find(reference);
  const absolute = absolutePath(path);
  const name = baseOf(absolute);
  try {
    const { stat, ...output } = await streamFromView(context, live, withCopies, (view) =>
      context.kernel.trees.read(view, absolute, name === "/" ? "" : name, client),
    );
    context.publish(live, "archive-path");
    return { ...output, stat: { ...stat, name } };
  } catch (error) {
    throw explainFailure(error, "lstat", path, reference);
  }
}

/** @throws InvalidParameter in Docker's words where nothing may be written */
function assertWritable(live: LiveContainer, path: string): void {
  const { mounts, hostConfig } = live.record.settings;
  const inside = (target: string): boolean => path === target || path.startsWith(`${target.replace(/\/$/, "")}/`);
  // Of several, one inside the other, the innermost counts.
  const [mount] = mounts
    .filter(({ type, target }) => type !== "tmpfs" && inside(target))
    .toSorted((a, b) => b.target.length - a.target.length);
  if (mount !== undefined && !("writable" in mount && mount.writable)) throw invalidParameter("mounted volume is marked read-only");
  if (mount === undefined && hostConfig.ReadonlyRootfs === true) throw invalidParameter("container rootfs is marked read-only");
}

async function ownerFor(
  context: EngineContext,
  live: LiveContainer,
  options: CopyInOptions,
): Promise<{ uid: number; gid: number } | undefined> {
  const user = live.record.settings.config.User ?? "";
  if (!options.copyUidGid || user === "") return undefined;
  const [passwd, group] = await Promise.all([readRootFile(context, live, "/etc/passwd"), readRootFile(context, live, "/etc/group")]);
  return resolveUser(user, [], { passwd, group });
}

/** `PUT /containers/x/archive`: extracts a tar into a directory of the container. */
export async function writePath(
  context: EngineContext,
  reference: string,
  path: string,
  source: Readable,
  options: CopyInOptions,
): Promise<void> {
  const live = context.find(reference);
  const owner = await ownerFor(context, live, options);
  try {
    await onView(context, live, withCopies, async (view) => {
      await using tree = await context.kernel.trees.write(view, absolutePath(path), { keepKinds: options.noOverwriteDirNonDir });
      if (!tree.isDirectory) throw invalidParameter("extraction point is not a directory");
      assertWritable(live, tree.path);
      try {
        await extract(source, tree, { destination: tree.path, ...(owner === undefined ? {} : { owner }) });
      } catch (error) {
        throw overwriteRefusal(error, tree.path) ?? error;
      }
      context.publish(live, "extract-to-dir");
    });
  } catch (error) {
    throw isEngineError(error, "InvalidParameter") ? error : explainFailure(error, "lstat", path, reference);
  }
}

/** Without a cause: it says all that there is to be said. */
function overwriteRefusal(error: unknown, destination: string): EngineError | undefined {
  const failure = launchFailureOf(error);
  const refused = (what: string, by: string): EngineError =>
    systemError(`cannot overwrite ${what} ${JSON.stringify(failure?.message)} with ${by} ${JSON.stringify(destination)}`);
  if (failure?.stage === "over-directory") return refused("directory", "non-directory");
  if (failure?.stage === "over-file") return refused("non-directory", "directory");
  return undefined;
}
