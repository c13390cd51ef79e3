/**
 * containerd's `certs.d/<host>/hosts.toml`: where a registry's content is to be had, and how each of those hosts is spoken to. It is
 * read for each pull and push, so that it is in force as soon as it is written.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { join, resolve } from "node:path";
import { parse, TomlError, type TomlTable, type TomlValue } from "smol-toml";
import { errnoOf, messageOf, parseDuration, systemError } from "../base/base.ts";

/** `resolve`: manifests by tag; `pull`: the rest, by digest. */
export type Capability = "pull" | "resolve" | "push";
const all: readonly Capability[] = ["pull", "resolve", "push"];

/** Besides what is in `certs.d` for its name. */
export interface HostTls {
  readonly verify: boolean;
  /** PEM. */
  readonly authorities: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
  /** The same for the same content. */
  readonly fingerprint: string;
}

export interface HostSettings {
  /** What the file says that it is for; undefined where it does not say. */
  readonly capabilities: ReadonlySet<Capability> | undefined;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: HostTls | undefined;
  /** Paths go on behind the URL as it is, without `/v2`. */
  readonly overridesPath: boolean;
  readonly connectMs: number | undefined;
}

export interface HostOfFile extends HostSettings {
  /** With scheme, without `/v2` or a slash at its end. */
  readonly url: string;
}

export interface HostsFile {
  /** In order of preference. */
  readonly hosts: readonly HostOfFile[];
  /** The registry itself; `url` where the file names one. */
  readonly server: HostSettings & { readonly url: string | undefined };
}

/**
 * The file of a host, else that of `_default`.
 * @param host as references have it. A port may be written as `_5000_`, as containerd has it too
 * @throws System when it cannot be read or understood
 */
export async function readHostsFile(folder: string, host: string): Promise<HostsFile | undefined> {
  const names = [host.replace(/:(\d+)$/, "_$1_"), host, "_default"];
  for (const name of new Set(names)) {
    const path = join(folder, name, "hosts.toml");
    try {
      return await hostsOf(await readFile(path, "utf8"), join(folder, name));
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOENT" || code === "ENOTDIR") continue;
      throw systemError(`failed to load ${path}: ${wording(error)}`, error);
    }
  }
  return undefined;
}

class Wrong extends Error {}

function wording(error: unknown): string {
  // Its message goes on with an excerpt of the file, which may hold credentials.
  if (error instanceof TomlError) return `line ${error.line}: ${error.message.split("\n", 1)[0] ?? ""}`;
  return error instanceof Wrong ? error.message : (errnoOf(error) ?? messageOf(error));
}

const hostKeys = ["capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout"];

async function hostsOf(text: string, folder: string): Promise<HostsFile> {
  const root = parse(text);
  refuseOthers(root, [...hostKeys, "server", "host"], "");
  const server = optional(root, "server", "", asText);
  const hosts: HostOfFile[] = [];
  for (const [name, value] of Object.entries(optional(root, "host", "", asTable) ?? {})) {
    const where = `host."${name}".`;
    const table = asTable(value, `host."${name}"`);
    refuseOthers(table, hostKeys, where);
    const settings = await settingsOf(table, folder, where);
    hosts.push({ ...settings, url: urlOf(name, settings.overridesPath) });
  }
  const settings = await settingsOf(root, folder, "");
  return { hosts, server: { ...settings, url: server === undefined ? undefined : urlOf(server, settings.overridesPath) } };
}

function refuseOthers(table: TomlTable, known: readonly string[], where: string): void {
  for (const key of Object.keys(table)) if (!known.includes(key)) throw new Wrong(`unknown key ${where}${key}`);
}

function urlOf(text: string, overridesPath: boolean): string {
  const full = /^https?:/.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || (full !== text && text.includes("://"))) throw new Wrong(`${JSON.stringify(text)} is no address of a host`);
  if (url.search !== "" || url.hash !== "") throw new Wrong(`${JSON.stringify(text)} has a query or a fragment`);
  if (url.username !== "" || url.password !== "") throw new Wrong("an address has credentials: they belong into header");
  // Docker Hub's registry has another name.
  if (url.host === "docker.io") url.host = "registry-1.docker.io";
  const path = url.pathname.replace(/\/+$/, "");
  return url.origin + (overridesPath ? path : path.replace(/\/v2$/, ""));
}

async function settingsOf(table: TomlTable, folder: string, where: string): Promise<HostSettings> {
  const capabilities = optional(table, "capabilities", where, asTexts)?.map((text) => {
    const found = all.find((known) => known === text);
    if (found === undefined) throw new Wrong(`${where}capabilities: there is no ${JSON.stringify(text)}`);
    return found;
  });
  const timeout = optional(table, "dial_timeout", where, asText);
  const nanos = timeout === undefined ? undefined : parseDuration(timeout);
  if (timeout !== undefined && (nanos === undefined || nanos <= 0))
    throw new Wrong(`${where}dial_timeout: ${JSON.stringify(timeout)} is no duration`);
  return {
    capabilities: capabilities === undefined || capabilities.length === 0 ? undefined : new Set(capabilities),
    headers: headersOf(optional(table, "header", where, asTable) ?? {}, `${where}header.`),
    tls: await tlsOf(table, folder, where),
    overridesPath: optional(table, "override_path", where, asBoolean) ?? false,
    connectMs: nanos === undefined ? undefined : Math.ceil(nanos / 1e6),
  };
}

function headersOf(table: TomlTable, where: string): Record<string, string> {
  const headers = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(table)) {
    const text = asTexts(value, `${where}${name}`).join(", ");
    try {
      validateHeaderName(name);
      validateHeaderValue(name, text);
    } catch {
      throw new Wrong(`${where}${name} is no header`);
    }
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

async function tlsOf(table: TomlTable, folder: string, where: string): Promise<HostTls | undefined> {
  const verify = !(optional(table, "skip_verify", where, asBoolean) ?? false);
  const read = async (path: string): Promise<string> => {
    try {
      return await readFile(resolve(folder, path), "utf8");
    } catch (error) {
      throw new Wrong(`open ${resolve(folder, path)}: ${errnoOf(error) ?? messageOf(error)}`);
    }
  };
  const authorities = await Promise.all((optional(table, "ca", where, asTexts) ?? []).map(read));
  // Of several, the first that is complete: a connection shows one.
  const pair = clientOf(table["client"], `${where}client`);
  const client = pair === undefined ? undefined : { cert: await read(pair[0]), key: await read(pair[1]) };
  if (verify && authorities.length === 0 && client === undefined) return undefined;
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([verify, authorities, client ?? null]))
    .digest("base64");
  return { verify, authorities, fingerprint, ...(client === undefined ? {} : { client }) };
}

/** A file with certificate and key, several of them, or pairs of files. */
function clientOf(value: TomlValue | undefined, where: string): readonly [cert: string, key: string] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return [value, value];
  const [first] = Array.isArray(value) ? (value as readonly TomlValue[]) : [];
  if (typeof first === "string") return [first, first];
  const [cert, key] = first === undefined ? [] : asTexts(first, where);
  if (cert === undefined) throw new Wrong(`${where} is no file, and no list of files or of pairs of files`);
  return [cert, key === undefined || key === "" ? cert : key];
}

function optional<T>(table: TomlTable, key: string, where: string, as: (value: TomlValue, where: string) => T): T | undefined {
  const value = Object.hasOwn(table, key) ? table[key] : undefined;
  return value === undefined ? undefined : as(value, `${where}${key}`);
}

function asText(value: TomlValue, where: string): string {
  if (typeof value !== "string") throw new Wrong(`${where} is no string`);
  return value;
}

function asBoolean(value: TomlValue, where: string): boolean {
  if (typeof value !== "boolean") throw new Wrong(`${where} is neither true nor false`);
  return value;
}

function asTable(value: TomlValue, where: string): TomlTable {
  // Dates are objects too.
  if (Object.prototype.toString.call(value) !== "[object Object]") throw new Wrong(`${where} is no table`);
  return value as TomlTable;
}

/** A string, or several. */
function asTexts(value: TomlValue, where: string): readonly string[] {
  const list = Array.isArray(value) ? (value as readonly TomlValue[]) : [value];
  return list.map((entry) => {
    if (typeof entry !== "string") throw new Wrong(`${where} is no string, and no list of strings`);
    return entry;
  });
}
