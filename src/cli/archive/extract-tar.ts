import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  type Stats,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { forbidden, invalidParameter } from "../../base/errors.ts";
import { fileError, toldOfFile } from "./file-error.ts";
import type { TarEntry } from "./tar-header.ts";
import type { TarReader } from "./tar-reader.ts";

const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);

/** Extracts into a directory of this machine. Files belong to the caller, whoever owned them in the archive. */
class Extraction {
  readonly #root: string;
  readonly #times: (readonly [path: string, seconds: number])[] = [];
  /** Parent directories that are known to be inside. */
  readonly #checked: Set<string> = new Set();

  constructor(root: string) {
    this.#root = resolve(root);
  }

  /** Makes the directory that an entry is in. A link that the archive brought must not lead out of the destination. */
  #parent(path: string): void {
    const parent = dirname(path);
    if (this.#checked.has(parent)) return;
    mkdirSync(parent, { recursive: true });
    if (!inside(realpathSync(parent), realpathSync(this.#root)))
      throw forbidden(`${JSON.stringify(path)} is outside of ${JSON.stringify(this.#root)}`);
    this.#checked.add(parent);
  }

  /** Clears the way. False: the entry is there already and stays as it is. */
  #replace(path: string, entry: TarEntry, name: string): boolean {
    let found: Stats | undefined;
    try {
      found = lstatSync(path, { throwIfNoEntry: false });
    } catch (error) {
      throw fileError("lstat", path, error);
    }
    if (found === undefined) return true;
    const directory = entry.kind === "directory";
    if (found.isDirectory() && !directory)
      throw invalidParameter(`cannot overwrite directory ${JSON.stringify(path)} with non-directory ${JSON.stringify(this.#root)}`);
    if (!found.isDirectory() && directory)
      throw invalidParameter(`cannot overwrite non-directory ${JSON.stringify(path)} with directory ${JSON.stringify(this.#root)}`);
    if (directory && name === ".") return false;
    if (!directory) rmSync(path);
    return true;
  }

  #device(path: string, entry: TarEntry): void {
    const type = { fifo: "p", character: "c", block: "b" }[entry.kind as "fifo"];
    execFileSync("mknod", [path, type, ...(entry.kind === "fifo" ? [] : [String(entry.major), String(entry.minor)])]);
  }

  async #file(path: string, entry: TarEntry, data: AsyncIterable<Buffer>): Promise<void> {
    const descriptor = openSync(path, "wx", entry.mode);
    try {
      for await (const chunk of data) for (let at = 0; at < chunk.length; ) at += writeSync(descriptor, chunk, at);
    } finally {
      closeSync(descriptor);
    }
  }

  async add(entry: TarEntry, data: AsyncIterable<Buffer>): Promise<void> {
    const name = normalize(entry.name).replace(/(?<=.)\/$/, "");
    const path = join(this.#root, name).replace(/(?<=.)\/$/, "");
    if (!inside(path, this.#root)) throw forbidden(`${JSON.stringify(path)} is outside of ${JSON.stringify(this.#root)}`);
    if (path !== this.#root) this.#parent(path);
    if (!this.#replace(path, entry, name)) return;
    switch (entry.kind) {
      case "directory":
        mkdirSync(path, { recursive: true });
        this.#times.push([path, entry.mtimeSeconds]);
        break;
      case "file":
        await this.#file(path, entry, data);
        break;
      case "symlink":
        if (!inside(join(dirname(path), entry.link), this.#root))
          throw forbidden(`invalid symlink ${JSON.stringify(path)} -> ${JSON.stringify(entry.link)}`);
        symlinkSync(entry.link, path);
        lutimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
        return;
      case "hardlink": {
        const target = join(this.#root, entry.link);
        if (!inside(target, this.#root)) throw forbidden(`invalid hardlink ${JSON.stringify(target)} -> ${JSON.stringify(entry.link)}`);
        this.#parent(target);
        linkSync(target, path);
        return;
      }
      case "fifo":
      case "character":
      case "block":
        this.#device(path, entry);
    }
    chmodSync(path, entry.mode);
    if (entry.kind !== "directory") utimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
  }

  /** Directories get their times last, as each file made in them moves these. */
  finish(): void {
    for (const [path, seconds] of this.#times) utimesSync(path, seconds, seconds);
  }
}

/** @param rename applied to the names of entries, and to those that hard links point to */
export async function extractTar(reader: TarReader, directory: string, rename: (name: string) => string): Promise<void> {
  const extraction = new Extraction(directory);
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const link = entry.kind === "hardlink" ? rename(entry.link) : entry.link;
    const name = rename(entry.name);
    try {
      await extraction.add({ ...entry, name, link }, reader.data());
    } catch (error) {
      throw toldOfFile(error, join(directory, name));
    }
  }
  extraction.finish();
}
