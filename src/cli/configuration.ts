import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { errnoOf, messageOf } from "../base/errors.ts";
import { ExitError } from "./command.ts";

/** Names in `config.json` of texts that stand in for a flag. */
export type ConfiguredText = "currentContext" | "detachKeys" | "imagesFormat" | "psFormat" | "statsFormat" | "volumesFormat";

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

  /** @throws ExitError for a file that is not JSON */
  content(): Content {
    if (this.#content !== undefined) return this.#content;
    let text = "{}";
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR" && errnoOf(error) !== "EACCES") throw error;
    }
    try {
      this.#content = JSON.parse(text) as Content;
    } catch (error) {
      throw new ExitError(1, `parsing config file (${this.path}): ${messageOf(error)}`);
    }
    return this.#content;
  }

  /** Empty when it is not set. */
  text(name: ConfiguredText): string {
    const value = this.content()[name];
    return typeof value === "string" ? value : "";
  }

  /** Headers that go with every request. */
  headers(): Readonly<Record<string, string>> {
    const given = this.content()["HttpHeaders"];
    if (given === null || typeof given !== "object") return {};
    return Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === "string"));
  }
}
