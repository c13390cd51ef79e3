/**
 * Where a copy goes and what it is called there, by the rules of `docker cp`: a trailing `/` or `/.` says
 * "directory", an existing directory is copied into, everything else gives the copy its name.
 */
import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { posix } from "node:path";
import { errnoOf, invalidParameter } from "../../base/errors.ts";
import { fileError } from "./file-error.ts";

/** One end of a copy. */
export interface CopyEnd {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
  /** What the entry is called, where a link was followed to something with another name. */
  readonly calledAs?: string | undefined;
}

/** Go's filepath.Base: of `a/.` it is `.`, of `a/` it is `a`. */
const base = (path: string): string => (path === "" ? "." : (path.replace(/\/+$/, "").split("/").at(-1) ?? "") || "/");
const meansHere = (path: string): boolean => base(path) === ".";
const endsWithSlash = (path: string): boolean => path.endsWith("/");
const clean = (path: string): string => {
  const normal = posix.normalize(path === "" ? "." : path);
  return normal.length > 1 ? normal.replace(/\/$/, "") : normal;
};

/** The directory and the name in it; `a/.` is the entry `.` of `a`. */
export function splitEntry(path: string): readonly [directory: string, name: string] {
  const cleaned = clean(path);
  if (meansHere(path) && !meansHere(cleaned)) return [cleaned, "."];
  if (meansHere(path)) return [posix.dirname(`${cleaned}/.`), "."];
  return [posix.dirname(cleaned), base(cleaned)];
}

/** A path of this machine made absolute, with the `/` or `/.` at its end that normalising would lose. */
export function absolute(path: string): string {
  let found = clean(posix.resolve(path));
  if (!meansHere(found) && meansHere(path)) found += endsWithSlash(found) ? "." : "/.";
  return !endsWithSlash(found) && endsWithSlash(path) ? `${found}/` : found;
}

/** Joins a link's target to the directory that the link is in. */
export const linkTarget = (link: string, target: string): string =>
  target.startsWith("/") ? target : posix.join(splitEntry(link)[0], target);

/** A followed link's path with the ending that was asked for, and the name that the copy is to have. */
export function followed(asked: string, target: string): { path: string; calledAs: string | undefined } {
  let path = target;
  if (meansHere(asked) && !meansHere(path)) path += "/.";
  if (endsWithSlash(asked) && !endsWithSlash(path)) path += "/";
  return { path, calledAs: base(asked) === base(path) ? undefined : base(asked) };
}

function realPath(path: string): string {
  try {
    const found = realpathSync(path);
    if (!endsWithSlash(path) || statSync(found).isDirectory()) return found;
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") throw invalidParameter("not a directory", error);
    let at = error instanceof Error && "path" in error ? String(error.path) : path;
    // What is missing is what a broken link leads to.
    while (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true) at = linkTarget(at, readlinkSync(at));
    throw fileError("lstat", at, error);
  }
  throw invalidParameter("not a directory");
}

function lstat(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw fileError("lstat", path, error);
  }
}

/** A source on this machine. Links in its directory are followed always, one at its end where `follow` says so. */
export function localSource(asked: string, follow: boolean): CopyEnd {
  let path: string;
  let calledAs: string | undefined;
  if (follow) ({ path, calledAs } = followed(asked, realPath(asked)));
  else {
    const slash = asked.lastIndexOf("/") + 1;
    path = `${realPath(asked.slice(0, slash))}/${asked.slice(slash)}`;
    if (endsWithSlash(asked) && base(asked) !== base(path)) calledAs = base(asked);
  }
  return { path, calledAs, exists: true, isDirectory: lstat(path).isDirectory() };
}

const mostLinks = 10;

/** A destination on this machine: a link at its end is followed, be it a broken one. Its directory must be there. */
export function localDestination(asked: string): CopyEnd {
  let path = asked;
  for (let links = 0; ; links++) {
    if (links > mostLinks) throw invalidParameter(`too many symlinks in ${asked}`);
    let stats: Stats;
    try {
      stats = lstatSync(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw fileError("lstat", path, error);
      break;
    }
    if (!stats.isSymbolicLink()) return { path, exists: true, isDirectory: stats.isDirectory() };
    path = linkTarget(path, readlinkSync(path));
  }
  const [parent] = splitEntry(path);
  let found: Stats;
  try {
    found = statSync(parent);
  } catch (error) {
    throw fileError("stat", parent, error);
  }
  if (!found.isDirectory()) throw invalidParameter("not a directory");
  return { path, exists: false, isDirectory: false };
}

export interface CopyPlan {
  /** Where the archive is to be extracted. */
  readonly directory: string;
  /** What the archive's first name part is, and what it is to be. */
  readonly from: string;
  readonly to: string;
}

/** @throws InvalidParameter where a directory would replace a file, or a file become a directory */
export function planCopy(source: CopyEnd, destination: CopyEnd): CopyPlan {
  const [, name] = splitEntry(source.path);
  const from = source.calledAs ?? name;
  if (destination.exists && destination.isDirectory) return { directory: destination.path, from, to: from };
  if (destination.exists && source.isDirectory) throw invalidParameter("cannot copy directory");
  const assertsDirectory = endsWithSlash(destination.path) || meansHere(destination.path);
  if (!destination.exists && !source.isDirectory && assertsDirectory) throw invalidParameter("no such directory");
  const [directory, to] = splitEntry(destination.path);
  return { directory, from, to };
}
