import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { errnoOf, invalidParameter, messageOf, notFound, systemError } from "../../base/errors.ts";
import { defaultHost } from "../../client/address.ts";
import { fileError } from "../archive/file-error.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import { packContext, unpackContext } from "../contexts/context-archive.ts";
import { type ContextRecord, ContextStore, checkContextName, defaultContext } from "../contexts/context-store.ts";
import { type Endpoint, endpointOf } from "../contexts/endpoint-fields.ts";
import type { FlagSpec, FlagValues } from "../flags/flag.ts";
import { formatFlag, inspectFormatFlag } from "../flags/list-flags.ts";
import { inspectObjects } from "../inspect-objects.ts";
import { formatList, type ListShape } from "../output/format-list.ts";
import { ellipsis } from "../output/text.ts";
import { writeAll } from "../output/write.ts";

const storeOf = (context: Context): ContextStore => new ContextStore(context.configuration().folder);

/** `default` is made anew for each call, of flags and environment. */
function defaultRecord(context: Context): ContextRecord {
  return { Name: defaultContext, Metadata: {}, Endpoints: { docker: { Host: context.host ?? defaultHost, SkipTLSVerify: false } } };
}

const defaultDescription = "Current DOCKER_HOST based configuration";
const recordOf = (context: Context, name: string): ContextRecord =>
  name === defaultContext ? defaultRecord(context) : storeOf(context).get(name);

interface Row {
  readonly name: string;
  readonly current: boolean;
  readonly description: string;
  readonly endpoint: string;
  readonly failure: string;
}

const shape: ListShape<Row> = {
  typeName: "formatter.clientContextContext",
  table: "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
  quiet: "{{.Name}}",
  headers: { Name: "NAME", Current: "", Description: "DESCRIPTION", DockerEndpoint: "DOCKER ENDPOINT", Error: "ERROR" },
  fields: (row) => ({
    Current: () => row.current,
    Description: () => row.description,
    DockerEndpoint: () => row.endpoint,
    // A long failure would break the table.
    Error: () => ellipsis(row.failure, 45),
    Name: () => row.name,
  }),
};

function rowsOf(context: Context): Row[] {
  const current = context.contextName();
  const rows = [...storeOf(context).list(), defaultRecord(context)].map(
    ({ Name, Metadata, Endpoints }): Row => ({
      name: Name,
      current: Name === current,
      description: Name === defaultContext ? defaultDescription : (Metadata.Description ?? ""),
      endpoint: Endpoints.docker?.Host ?? "",
      failure: "",
    }),
  );
  if (!rows.some((row) => row.current)) {
    let failure = "";
    try {
      storeOf(context).get(current);
    } catch (error) {
      failure = messageOf(error);
    }
    rows.push({ name: current, current: true, description: "", endpoint: "", failure });
  }
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Where DOCKER_HOST has the last word, a person who chooses a context should know. */
function warnOfHost(context: Context, use: string): void {
  const variable = ["BERTH_HOST", "DOCKER_HOST"].find((name) => (process.env[name] ?? "") !== "");
  if (variable !== undefined)
    context.err(
      `Warning: ${variable} environment variable overrides the active context. To use ${use}, either set the global --context flag, or unset ${variable} environment variable.\n`,
    );
}

export const ls: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [formatFlag, { name: "quiet", short: "q", type: "bool", help: "Only show context names" }],
  async run(context, flags) {
    const quiet = flags.bool("quiet");
    context.out(formatList(shape, rowsOf(context), { format: flags.string("format"), quiet, truncate: true }));
    if (!quiet && context.contextName() === defaultContext) warnOfHost(context, "a context");
    return 0;
  },
};

export const show: Command = {
  usage: "",
  args: { least: 0, most: 0 },
  flags: [],
  async run(context) {
    context.out(`${context.contextName()}\n`);
    return 0;
  },
};

export const inspect: Command = {
  usage: "[OPTIONS] [CONTEXT] [CONTEXT...]",
  args: { least: 0 },
  completes: "contexts",
  flags: [inspectFormatFlag],
  async run(context, flags, names) {
    const store = storeOf(context);
    const wanted = names.length > 0 ? names : [context.contextName()];
    return inspectObjects(context, wanted, flags.string("format"), async (name) => {
      const record = recordOf(context, name);
      const own = name !== defaultContext;
      const files = own ? [...store.tlsFiles(name).keys()] : [];
      const json = JSON.stringify({
        ...record,
        TLSMaterial: files.length > 0 ? { docker: files } : {},
        Storage: own
          ? { MetadataPath: store.metadataPath(name), TLSPath: store.tlsPath(name) }
          : { MetadataPath: "<IN MEMORY>", TLSPath: "<IN MEMORY>" },
      });
      return { kind: "context", json: json.replaceAll("<", "\\u003c").replaceAll(">", "\\u003e") };
    });
  },
};

export const use: Command = {
  usage: "CONTEXT",
  args: { least: 1, most: 1 },
  completes: "contexts",
  flags: [],
  async run(context, _flags, [name = ""]) {
    if (name !== defaultContext) {
      checkContextName(name);
      storeOf(context).get(name);
    }
    context.configuration().setCurrentContext(name === defaultContext ? undefined : name);
    context.out(`${name}\n`);
    context.err(`Current context is now ${JSON.stringify(name)}\n`);
    if (name !== defaultContext) warnOfHost(context, JSON.stringify(name));
    return 0;
  },
};

const dockerFlag: FlagSpec = {
  name: "docker",
  type: "stringToString",
  many: true,
  help: "set the docker endpoint (default [])",
  check: (value) => {
    const wrong = value.split(",").find((part) => !part.includes("="));
    if (wrong !== undefined) throw new Error(`${wrong} must be formatted as key=value`);
    return value;
  },
};
const descriptionFlag: FlagSpec = { name: "description", type: "string", help: "Description of the context" };

const endpointHelp = [
  "Docker endpoint config:",
  "",
  "NAME                DESCRIPTION",
  "from                Copy named context's Docker endpoint configuration",
  "host                Docker endpoint on which to connect",
  "ca                  Trust certs signed only by this CA",
  "cert                Path to TLS certificate file",
  "key                 Path to TLS key file",
  "skip-tls-verify     Skip TLS certificate validation",
  "",
  "Example:",
];
const example = (verb: string): string[] => [
  "",
  `$ berth context ${verb} my-context --description "some description" --docker "host=tcp://myserver:2376,ca=~/ca-file,cert=~/cert-file,key=~/key-file"`,
];

function pairsOf(flags: FlagValues): Map<string, string> {
  const pairs = flags.list("docker").flatMap((value) => value.split(","));
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const));
}

function inherited(context: Context, from: string): Endpoint {
  const { docker } = recordOf(context, from).Endpoints;
  if (docker === undefined) throw notFound(`no docker endpoint configured in context ${JSON.stringify(from)}`);
  return { docker, tls: from === defaultContext ? new Map() : storeOf(context).tlsFiles(from) };
}

function checkNew(store: ContextStore, name: string): void {
  checkContextName(name);
  if (store.has(name)) throw invalidParameter(`context ${JSON.stringify(name)} already exists`);
}

function done(context: Context, name: string, what: string): number {
  context.out(`${name}\n`);
  context.err(`Successfully ${what} context ${JSON.stringify(name)}\n`);
  return 0;
}

export const create: Command = {
  usage: "[OPTIONS] CONTEXT",
  details: [...endpointHelp, ...example("create")],
  args: { least: 1, most: 1 },
  flags: [descriptionFlag, dockerFlag, { name: "from", type: "string", help: "create context from a named context" }],
  async run(context, flags, [name = ""]) {
    const store = storeOf(context);
    checkNew(store, name);
    const from = flags.string("from");
    const given = flags.changed("docker");
    if (from !== "" && given) throw new ExitError(1, "cannot use --docker flag when --from is set");
    // With neither, the new context is what is used now.
    const source = from === "" && !given ? context.contextName() : from;
    const endpoint = source === "" ? endpointOf(pairsOf(flags), (other) => inherited(context, other)) : inherited(context, source);
    const old = source === "" ? {} : recordOf(context, source).Metadata;
    const description = flags.string("description");
    const shown = description !== "" ? description : source === defaultContext ? defaultDescription : old.Description;
    const Metadata = { ...old, ...(shown === undefined ? {} : { Description: shown }) };
    store.put({ Name: name, Metadata, Endpoints: { docker: endpoint.docker } });
    store.putTlsFiles(name, endpoint.tls);
    return done(context, name, "created");
  },
};

export const update: Command = {
  usage: "[OPTIONS] CONTEXT",
  details: [...endpointHelp, ...example("update")],
  args: { least: 1, most: 1 },
  completes: "contexts",
  flags: [descriptionFlag, dockerFlag],
  async run(context, flags, [name = ""]) {
    const store = storeOf(context);
    checkContextName(name);
    const old = store.get(name);
    const description = flags.string("description");
    const endpoint = flags.changed("docker") ? endpointOf(pairsOf(flags), (other) => inherited(context, other)) : undefined;
    store.put({
      ...old,
      Metadata: { ...old.Metadata, ...(description === "" ? {} : { Description: description }) },
      Endpoints: { ...old.Endpoints, ...(endpoint === undefined ? {} : { docker: endpoint.docker }) },
    });
    if (endpoint !== undefined) store.putTlsFiles(name, endpoint.tls);
    return done(context, name, "updated");
  },
};

export const rm: Command = {
  usage: "CONTEXT [CONTEXT...]",
  args: { least: 1 },
  completes: "contexts",
  flags: [{ name: "force", short: "f", type: "bool", help: "Force the removal of a context in use" }],
  async run(context, flags, names) {
    const store = storeOf(context);
    const force = flags.bool("force");
    const current = context.contextName();
    const failures: string[] = [];
    for (const name of names) {
      let failure = "";
      if (name === defaultContext) failure = `context ${JSON.stringify(name)} cannot be removed`;
      else if (!force && !store.has(name)) failure = `context ${JSON.stringify(name)} does not exist`;
      else if (!force && name === current) failure = `context ${JSON.stringify(name)} is in use, set -f flag to force remove`;
      if (failure !== "") {
        failures.push(failure);
        continue;
      }
      if (name === current) context.configuration().setCurrentContext(undefined);
      store.remove(name);
      context.out(`${name}\n`);
    }
    if (failures.length > 0) throw new ExitError(1, failures.join("\n"));
    return 0;
  },
};

export const exportContext: Command = {
  usage: "[OPTIONS] CONTEXT [FILE|-]",
  args: { least: 1, most: 2 },
  completes: "contexts",
  flags: [],
  async run(context, _flags, [name = "", given]) {
    checkContextName(name);
    const store = storeOf(context);
    const archive = packContext(store.get(name), store.tlsFiles(name));
    const path = given ?? `${name}.dockercontext`;
    if (path === "-") {
      if (process.stdout.isTTY) throw new ExitError(1, "cowardly refusing to export to a terminal, specify a file path");
      writeAll(1, archive);
      return 0;
    }
    let descriptor: number;
    try {
      descriptor = openSync(path, "wx", 0o600);
    } catch (error) {
      const text = errnoOf(error) === "EEXIST" ? `open ${path}: file exists` : fileError("open", path, error).message;
      throw systemError(text, error);
    }
    try {
      writeSync(descriptor, archive);
    } finally {
      closeSync(descriptor);
    }
    context.err(`Written file ${JSON.stringify(path)}\n`);
    return 0;
  },
};

async function* opened(path: string): AsyncGenerator<Buffer, void> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    throw fileError("open", path, error);
  }
}

export const importContext: Command = {
  usage: "CONTEXT FILE|-",
  args: { least: 2, most: 2 },
  flags: [],
  async run(context, _flags, [name = "", path = ""]) {
    const store = storeOf(context);
    checkNew(store, name);
    const { record, tls } = await unpackContext(path === "-" ? process.stdin : opened(path));
    store.put({ ...record, Name: name });
    store.putTlsFiles(name, tls);
    return done(context, name, "imported");
  },
};
