/**
 * Contexts: named daemons to talk to. They are kept where and as Docker keeps them, so that both clients see the
 * same ones: `contexts/meta/ID/meta.json` and `contexts/tls/ID/docker/*.pem`, the ID being the SHA-256 of the name.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, invalidParameter, notFound } from "../../base/errors.ts";
import type { TlsOptions } from "../../client/address.ts";
import { fileError } from "../archive/file-error.ts";

export const defaultContext = "default";

export interface DockerEndpoint {
  readonly Host: string;
  readonly SkipTLSVerify: boolean;
}

/** As it stands in meta.json; what others have written into it is kept. */
export interface ContextRecord {
  readonly Name: string;
  readonly Metadata: { readonly Description?: string } & Readonly<Record<string, unknown>>;
  readonly Endpoints: { readonly docker?: DockerEndpoint } & Readonly<Record<string, unknown>>;
}

/** Files of an endpoint's TLS folder, by name: `ca.pem`, `cert.pem`, `key.pem`. */
export type TlsFiles = ReadonlyMap<string, Buffer>;

const namePattern = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";

/** @throws InvalidParameter for what cannot be the name of a stored context */
export function checkContextName(name: string): void {
  if (name === "") throw invalidParameter("context name cannot be empty");
  if (name === defaultContext) throw invalidParameter('"default" is a reserved context name');
  if (!new RegExp(namePattern).test(name))
    throw invalidParameter(
      `context name ${JSON.stringify(name)} is invalid, names are validated against regexp ${JSON.stringify(namePattern)}`,
    );
}

/** Appears whole or not at all. */
function writeWhole(path: string, data: string | Buffer, mode: number): void {
  const partial = join(dirname(path), `.${process.pid}.partial`);
  writeFileSync(partial, data, { mode });
  renameSync(partial, path);
}

export class ContextStore {
  readonly #folder: string;

  /** @param folder that of `config.json` */
  constructor(folder: string) {
    this.#folder = join(folder, "contexts");
  }

  metadataPath(name: string): string {
    return join(this.#folder, "meta", createHash("sha256").update(name).digest("hex"));
  }

  tlsPath(name: string): string {
    return join(this.#folder, "tls", createHash("sha256").update(name).digest("hex"));
  }

  has(name: string): boolean {
    return existsSync(join(this.metadataPath(name), "meta.json"));
  }

  /** @throws NotFound with Docker's wording */
  get(name: string): ContextRecord {
    const path = join(this.metadataPath(name), "meta.json");
    try {
      return JSON.parse(readFileSync(path, "utf8")) as ContextRecord;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      throw notFound(`context ${JSON.stringify(name)}: context not found: ${fileError("open", path, error).message}`, error);
    }
  }

  /** All stored ones, by name. */
  list(): ContextRecord[] {
    const folder = join(this.#folder, "meta");
    const ids = existsSync(folder) ? readdirSync(folder) : [];
    const records = ids.flatMap((id) => {
      const path = join(folder, id, "meta.json");
      return existsSync(path) ? [JSON.parse(readFileSync(path, "utf8")) as ContextRecord] : [];
    });
    return records.sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  put(record: ContextRecord): void {
    const folder = this.metadataPath(record.Name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    writeWhole(join(folder, "meta.json"), JSON.stringify(record), 0o644);
  }

  remove(name: string): void {
    rmSync(this.metadataPath(name), { recursive: true, force: true });
    rmSync(this.tlsPath(name), { recursive: true, force: true });
  }

  tlsFiles(name: string): TlsFiles {
    const folder = join(this.tlsPath(name), "docker");
    const names = existsSync(folder) ? readdirSync(folder).sort() : [];
    return new Map(names.map((file) => [file, readFileSync(join(folder, file))]));
  }

  /** Replaces all of them. */
  putTlsFiles(name: string, files: TlsFiles): void {
    const folder = join(this.tlsPath(name), "docker");
    rmSync(this.tlsPath(name), { recursive: true, force: true });
    if (files.size === 0) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [file, data] of files) writeWhole(join(folder, file), data, 0o600);
  }

  /** How to connect to the daemon of a context. */
  endpoint(name: string): { host: string; tls: TlsOptions | undefined } {
    const endpoint = this.get(name).Endpoints.docker;
    if (endpoint === undefined) throw notFound(`docker endpoint not found in context ${JSON.stringify(name)}`);
    const files = this.tlsFiles(name);
    const pem = (file: "ca" | "cert" | "key"): Partial<Record<"ca" | "cert" | "key", string>> => {
      const data = files.get(`${file}.pem`);
      return data === undefined ? {} : { [file]: data.toString() };
    };
    const secured = files.size > 0 || endpoint.SkipTLSVerify;
    return {
      host: endpoint.Host,
      tls: secured ? { ...pem("ca"), ...pem("cert"), ...pem("key"), verify: !endpoint.SkipTLSVerify } : undefined,
    };
  }
}
