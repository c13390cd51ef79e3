/** The words of `berth registry serve`, `gc` and `passwd`. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isLevel, type Level, messageOf, parseBytes, parseDuration } from "../base/base.ts";
import { parseAddress } from "./listen.ts";
import type { MirrorOptions } from "./mirror.ts";
import { prefixOf } from "./names.ts";
import type { RegistryOptions } from "./open.ts";
import type { Credentials } from "./upstream.ts";

export class UsageError extends Error {}

export type Command =
  | { readonly run: "help"; readonly verb: Verb }
  | { readonly run: "serve"; readonly options: RegistryOptions; readonly logLevel: Level }
  | { readonly run: "gc"; readonly options: RegistryOptions }
  | { readonly run: "passwd"; readonly user: string };

type Verb = "serve" | "gc" | "passwd";

interface FlagDescription {
  readonly type: "string" | "boolean";
  readonly multiple?: true;
  readonly placeholder?: string;
  readonly help: string;
  readonly verbs: readonly Verb[];
}

const every: readonly Verb[] = ["serve", "gc", "passwd"];
const both: readonly Verb[] = ["serve", "gc"];
const onlyServe: readonly Verb[] = ["serve"];
const text = (placeholder: string, help: string, verbs = onlyServe): FlagDescription => ({ type: "string", placeholder, help, verbs });

const flags: Readonly<Record<string, FlagDescription>> = {
  addr: text("host:port", "Address to listen on (default 127.0.0.1:5000)"),
  "gc-grace": text("duration", "How long what nothing uses stays (default 24h)", both),
  "gc-interval": text("duration", "Between two garbage collections, 0 for none (default 1h)"),
  "gc-untagged": { type: "boolean", help: "Delete manifests that no tag leads to, too", verbs: both },
  help: { type: "boolean", help: "Print usage", verbs: every },
  htpasswd: text("file", "Let in the users of this file (lines of 'berth registry passwd', or htpasswd -B)"),
  "log-level": text("level", "debug, info, warn, error (default info)"),
  "max-upload": text("bytes", "Largest blob that is taken (default 100g)"),
  "metrics-addr": text("host:port", "Serve Prometheus metrics there, at /metrics"),
  proxy: {
    type: "string",
    multiple: true,
    placeholder: "prefix=url",
    help: "Serve copies of a registry's repositories below this prefix; of no prefix: every name that nobody pushed to",
    verbs: onlyServe,
  },
  "proxy-auth": text("file", "Credentials for these registries: a config.json of docker login"),
  "proxy-ttl": text("duration", "How long a copied tag is served without asking (default 1m)"),
  "read-only": { type: "boolean", help: "Take no pushes and no deletions", verbs: onlyServe },
  realm: text("name", "What the login of --htpasswd is called (default Berth registry)"),
  root: text("dir", "Where all of it is kept (default /var/lib/berth/registry)", both),
  "tls-cert": text("file", "Certificate, with those that vouch for it (PEM)"),
  "tls-key": text("file", "Its key (PEM)"),
  "token-issuer": text("name", "Who makes tokens"),
  "token-key": text("file", "Public keys or certificates that tokens are signed by (PEM)"),
  "token-realm": text("url", "Where clients get tokens"),
  "token-service": text("name", "Whom tokens are for"),
};

const summaries: Readonly<Record<Verb, string>> = {
  serve: "Run a registry in the foreground.\n\nSIGHUP: certificates, users and keys are read again. SIGUSR2: garbage is collected now.",
  gc: "Delete what nothing uses from the folder of a registry that is not running.",
  passwd: "Print a user's line for the file of --htpasswd. The password is the first line of the standard input.",
};

export function usage(verb: Verb): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => flag.verbs.includes(verb))
    .map(([name, flag]): [string, string] => [`      --${name} ${flag.placeholder ?? ""}`.trimEnd(), flag.help]);
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, help]) => `${left.padEnd(width)}   ${help}`);
  const operands = verb === "passwd" ? "USER < FILE" : "[OPTIONS]";
  return `Usage:  berth registry ${verb} ${operands}\n\n${summaries[verb]}\n\nOptions:\n${lines.join("\n")}\n`;
}

type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

function single(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function milliseconds(values: Values, name: string): number | undefined {
  const value = single(values, name);
  if (value === undefined) return undefined;
  const nanos = parseDuration(value);
  if (nanos === undefined || nanos < 0) throw new UsageError(`--${name}: ${value} is no duration (24h, 90s)`);
  return nanos / 1e6;
}

/** All or none of these. */
function together(values: Values, names: readonly string[]): readonly string[] | undefined {
  const given = names.map((name) => single(values, name)).filter((value) => value !== undefined);
  if (given.length === 0) return undefined;
  if (given.length < names.length) throw new UsageError(`${names.map((name) => `--${name}`).join(", ")} belong together`);
  return given;
}

function accessOf(values: Values): RegistryOptions["access"] {
  const file = single(values, "htpasswd");
  const [realm, service, issuer, keyFile] = together(values, ["token-realm", "token-service", "token-issuer", "token-key"]) ?? [];
  if (file !== undefined && realm !== undefined) throw new UsageError("--htpasswd and --token-realm exclude each other");
  if (file !== undefined) return { kind: "htpasswd", file, realm: (single(values, "realm") ?? "Berth registry").replaceAll(/["\\]/g, "") };
  if (realm === undefined || service === undefined || issuer === undefined || keyFile === undefined) return undefined;
  return { kind: "token", realm, service, issuer, keyFile };
}

/** `docker login` keeps them as `auths`: host → base64 of `user:password`. */
function credentialsIn(path: string): (host: string) => Credentials | undefined {
  const { auths = {} } = JSON.parse(readFileSync(path, "utf8")) as { auths?: Record<string, { auth?: string }> };
  return (host) => {
    // Docker Hub's are kept under its oldest name.
    const names =
      host === "docker.io" || host.endsWith(".docker.io") ? [host, "https://index.docker.io/v1/", "docker.io"] : [host, `https://${host}`];
    const pair = Buffer.from(names.map((name) => auths[name]?.auth).find((auth) => auth !== undefined) ?? "", "base64").toString();
    const colon = pair.indexOf(":");
    return colon < 0 ? undefined : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
  };
}

function mirrorOf(values: Values): MirrorOptions | undefined {
  const given = values["proxy"];
  if (!Array.isArray(given)) return undefined;
  const upstreams = new Map(
    given.map((entry): [string, URL] => {
      const mark = String(entry).indexOf("=");
      const text = String(entry).slice(0, Math.max(0, mark));
      const prefix = text === "" ? text : prefixOf(text);
      const url = URL.parse(String(entry).slice(mark + 1));
      if (mark < 0 || url === null || !/^https?:$/.test(url.protocol) || prefix === undefined)
        throw new UsageError(`--proxy: ${entry} is not PREFIX=http(s)://HOST`);
      if (url.username !== "" || url.password !== "") throw new UsageError("--proxy: credentials belong into the file of --proxy-auth");
      return [prefix, url];
    }),
  );
  const file = single(values, "proxy-auth");
  const tagTtlMs = milliseconds(values, "proxy-ttl");
  return {
    upstreams,
    ...(tagTtlMs === undefined ? {} : { tagTtlMs }),
    ...(file === undefined ? {} : { credentialsFor: credentialsIn(file) }),
  };
}

function optionsOf(values: Values): RegistryOptions {
  const [certFile, keyFile] = together(values, ["tls-cert", "tls-key"]) ?? [];
  const metrics = single(values, "metrics-addr");
  const graceMs = milliseconds(values, "gc-grace");
  const gcIntervalMs = milliseconds(values, "gc-interval");
  return {
    root: single(values, "root") ?? (process.getuid?.() === 0 ? "/var/lib/berth/registry" : join(homedir(), ".local/share/berth/registry")),
    address: parseAddress(single(values, "addr") ?? "127.0.0.1:5000"),
    metricsAddress: metrics === undefined ? undefined : parseAddress(metrics),
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    access: accessOf(values),
    readOnly: values["read-only"] === true,
    mirror: mirrorOf(values),
    maxUploadBytes: parseBytes(single(values, "max-upload") ?? "100g"),
    gcUntagged: values["gc-untagged"] === true,
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(gcIntervalMs === undefined ? {} : { gcIntervalMs }),
  };
}

function userOf(positionals: readonly string[]): string {
  const [user = "", ...more] = positionals;
  if (more.length > 0 || !/^[^:\s#][^:\s]*$/.test(user)) throw new UsageError("one USER is needed, without colons and blanks");
  return user;
}

/** @throws UsageError */
export function readCommandLine(args: readonly string[]): Command {
  const [verb, ...rest] = args;
  if (verb !== "serve" && verb !== "gc" && verb !== "passwd") throw new UsageError(`unknown command: ${verb ?? ""}`);
  const options = Object.fromEntries(Object.entries(flags).filter(([, flag]) => flag.verbs.includes(verb)));
  try {
    const { values, positionals } = parseArgs({ args: rest, options, strict: true, allowPositionals: verb === "passwd" });
    if (values["help"] === true) return { run: "help", verb };
    if (verb === "passwd") return { run: "passwd", user: userOf(positionals) };
    const level = single(values, "log-level") ?? "info";
    if (!isLevel(level)) throw new UsageError(`--log-level: unknown level ${level}`);
    return verb === "gc" ? { run: "gc", options: optionsOf(values) } : { run: "serve", options: optionsOf(values), logLevel: level };
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}
