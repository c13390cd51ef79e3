import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { errnoOf, messageOf } from "../base/errors.ts";
import { writeAll } from "./output/write.ts";

/** Names in `config.json` of texts that stand in for a flag. */
export type ConfiguredText =
  | "currentContext"
  | "detachKeys"
  | "imagesFormat"
  | "networksFormat"
  | "psFormat"
  | "statsFormat"
  | "volumesFormat";

type Content = Readonly<Record<string, unknown>>;

/** Docker's `config.json`, which both clients share. It is read when it is first asked for. */
export class Configuration {
  /** `~/.docker` unless `--config` or DOCKER_CONFIG name another. */
  readonly folder: string;
  #content: Content | undefined;

  constructor(folder: string) {
    const named = folder === "" ? (process.env["DOCKER_CONFIG"] ?? "") : folder;
    this.folder = named === "" ? join(homedir(), ".docker") : named;
  }

  get path(): string {
    return join(this.folder, "config.json");
  }

  /** A file that cannot be read is told and passed over, as Docker does. */
  content(): Content {
    if (this.#content !== undefined) return this.#content;
    let text = "{}";
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR" && errnoOf(error) !== "EACCES") throw error;
    }
    try {
      this.#content = JSON.parse(text === "" ? "{}" : text) as Content;
    } catch (error) {
      writeAll(2, `WARNING: Error loading config file: parsing config file (${this.path}): ${messageOf(error)}\n`);
      this.#content = {};
    }
    return this.#content;
  }

  /** Empty when it is not set. */
  text(name: ConfiguredText): string {
    const value = this.content()[name];
    return typeof value === "string" ? value : "";
  }

  /** Writes the choice of a context down; undefined: none. All else in the file stays as it is. */
  setCurrentContext(name: string | undefined): void {
    const { currentContext, ...rest } = this.content();
    if ((currentContext ?? "") === (name ?? "")) return;
    this.#write({ auths: {}, ...rest, ...(name === undefined ? {} : { currentContext: name }) });
  }

  /** Writes a member of one of the file's objects; undefined takes it away. */
  changeEntry(object: "auths", key: string, value: Content | undefined): void {
    const { [key]: before, ...others } = Object(this.content()[object]) as Record<string, unknown>;
    if (value === undefined && before === undefined) return;
    this.#write({ ...this.content(), [object]: { ...others, ...(value === undefined ? {} : { [key]: value }) } });
  }

  #write(content: Content): void {
    this.#content = content;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    // The file may be a link to where somebody keeps it.
    const path = existsSync(this.path) ? realpathSync(this.path) : this.path;
    const partial = `${path}.${process.pid}.partial`;
    writeFileSync(partial, JSON.stringify(content, undefined, "\t"), { mode: 0o600 });
    renameSync(partial, path);
  }

  /** Headers that go with every request. */
  headers(): Readonly<Record<string, string>> {
    const given = this.content()["HttpHeaders"];
    if (given === null || typeof given !== "object") return {};
    return Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === "string"));
  }
}
