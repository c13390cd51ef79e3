/** Lists of manifests that are being put together: `~/.docker/manifests/LIST/MANIFEST`, which both clients share. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import type { Reference } from "../../base/reference.ts";
import { ExitError } from "../command.ts";
import { fullName, type StoredManifest } from "./stored-manifest.ts";

/** As docker names the files. Neither `.` nor `..` can come of a reference. */
const fileName = (reference: Reference): string => fullName(reference).replaceAll(":", "-").replaceAll("/", "_");

export class ManifestStore {
  readonly #root: string;

  /** @param folder of the configuration */
  constructor(folder: string) {
    this.#root = join(folder, "manifests");
  }

  /** Its manifests, by the names of their files; undefined when there is no such list. */
  find(list: Reference): StoredManifest[] | undefined {
    const folder = join(this.#root, fileName(list));
    try {
      const names = readdirSync(folder).sort();
      return names.filter((name) => !name.endsWith(".partial")).map((name) => this.#read(join(folder, name)));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** @throws ExitError in docker's words */
  list(list: Reference): StoredManifest[] {
    const found = this.find(list);
    if (found === undefined) throw new ExitError(1, `No such manifest: ${fullName(list)}`);
    return found;
  }

  manifest(list: Reference, manifest: Reference): StoredManifest | undefined {
    try {
      return this.#read(join(this.#root, fileName(list), fileName(manifest)));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #read(path: string): StoredManifest {
    const text = readFileSync(path, "utf8");
    try {
      return JSON.parse(text) as StoredManifest;
    } catch (error) {
      throw new ExitError(1, `${path} is damaged: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  save(list: Reference, manifest: Reference, content: StoredManifest): void {
    const folder = join(this.#root, fileName(list));
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const path = join(folder, fileName(manifest));
    const partial = `${path}.${process.pid}.partial`;
    writeFileSync(partial, JSON.stringify(content), { mode: 0o644 });
    renameSync(partial, path);
  }

  remove(list: Reference): void {
    rmSync(join(this.#root, fileName(list)), { recursive: true, force: true });
  }
}
