#!/usr/bin/env node
import { errnoOf, isEngineError, messageOf } from "../base/errors.ts";
import { defaultHost, type TlsOptions } from "../client/address.ts";
import { EngineClient } from "../client/engine-client.ts";
import { type Command, type Context, type Entry, ExitError, RunError } from "./command.ts";
import { commands } from "./commands.ts";
import { Configuration } from "./configuration.ts";
import { allFlags } from "./flags/all-flags.ts";
import { FlagValues } from "./flags/flag.ts";
import { FlagError, parseFlags } from "./flags/parse-flags.ts";
import { globalFlags } from "./global-flags.ts";
import { writeAll } from "./output/write.ts";

const help = () => import("./help.ts");
const flagErrorStatus = 125;

/** The host that flags or the environment name. */
function namedHost(flags: FlagValues): string | undefined {
  const hosts = flags.list("host");
  if (hosts.length > 1) throw new ExitError(1, "specify only one -H");
  if (hosts.length > 0 && flags.string("context") !== "")
    throw new ExitError(1, "conflicting options: cannot specify both --host and --context");
  const host = hosts[0] ?? process.env["BERTH_HOST"] ?? process.env["DOCKER_HOST"];
  return host === "" ? undefined : host;
}

/** As DOCKER_API_VERSION has it, where somebody wants to speak an older one. */
const apiVersionOverride = (): string | undefined => process.env["DOCKER_API_VERSION"]?.replace(/^v/, "") || undefined;

const usesTls = (flags: FlagValues): boolean =>
  ["tls", "tlsverify"].some((name) => flags.changed(name)) ||
  ["DOCKER_TLS", "DOCKER_TLS_VERIFY"].some((name) => (process.env[name] ?? "") !== "");

async function contextOf(flags: FlagValues): Promise<Context> {
  const host = namedHost(flags);
  const configuration = new Configuration(flags.string("config"));
  let contextName = flags.string("context");
  if (contextName === "" && host === undefined) contextName = process.env["DOCKER_CONTEXT"] ?? "";
  if (contextName === "" && host === undefined) contextName = configuration.text("currentContext");
  if (contextName === "") contextName = "default";
  // Few need a context or TLS: what does them is loaded for these only.
  const store =
    contextName === "default" ? undefined : new (await import("./contexts/context-store.ts")).ContextStore(configuration.folder);
  const secured = usesTls(flags) ? (await import("./contexts/tls-flags.ts")).tlsOptions : undefined;
  const endpoint = (): { host: string; tls: TlsOptions | undefined } => {
    try {
      return store?.endpoint(contextName) ?? { host: host ?? defaultHost, tls: secured?.(flags, configuration.folder) };
    } catch (error) {
      throw new ExitError(1, `Failed to initialize: unable to resolve docker endpoint: ${messageOf(error)}`);
    }
  };
  let client: EngineClient | undefined;
  const connect = (): EngineClient => {
    if (client !== undefined) return client;
    const found = endpoint();
    client = new EngineClient(found.host, { headers: configuration.headers(), tls: found.tls, version: apiVersionOverride() });
    return client;
  };
  return {
    host,
    debug: flags.bool("debug"),
    configuration: () => configuration,
    contextName: () => contextName,
    client: connect,
    startedClient: () => {
      const started = connect();
      if (host === undefined && store === undefined && process.getuid?.() === 0)
        started.whenNotRunning = async () => (await import("./start-daemon.ts")).startDaemon((text) => writeAll(2, text));
      return started;
    },
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
  };
}

interface Found {
  readonly path: readonly string[];
  readonly entry: Entry;
  readonly rest: readonly string[];
}

/** Follows words into the tree. @throws ExitError for a word that is no command */
async function find(words: readonly string[]): Promise<Found | undefined> {
  let entries: readonly Entry[] = commands;
  let entry: Entry | undefined;
  const path: string[] = [];
  for (const [at, word] of words.entries()) {
    const next = entries.find((one) => one.name === word || one.aliases?.includes(word));
    if (next === undefined) {
      if (entry !== undefined && word.startsWith("-")) return { path, entry, rest: words.slice(at) };
      const { program } = await help();
      const above = [program, ...path].join(" ");
      const usage = path.length === 0 ? "" : `Usage:  ${[above, entry?.usage ?? ""].join(" ").trimEnd()}\n\n`;
      const near = (await import("./suggest.ts")).suggest(
        word,
        entries.map((one) => one.name),
      );
      const hint = near === undefined ? "" : `Did you mean '${above} ${near}'?\n\n`;
      throw new ExitError(1, `${program}: unknown command: ${above} ${word}\n\n${hint}${usage}Run '${above} --help' for more information`);
    }
    path.push(word);
    entry = next;
    if (next.load !== undefined) return { path, entry: next, rest: words.slice(at + 1) };
    entries = next.entries ?? [];
  }
  return entry === undefined ? undefined : { path, entry, rest: [] };
}

async function checkArity(path: readonly string[], command: Command, count: number): Promise<void> {
  const { least, most } = command.args;
  if (count >= least && (most === undefined || count <= most)) return;
  const { program, usageLine } = await help();
  const name = [program, ...path].join(" ");
  const plural = (number: number): string => `${number} argument${number === 1 ? "" : "s"}`;
  let need = `requires ${plural(least)}`;
  if (most === 0) need = "accepts no arguments";
  else if (most === undefined) need = `requires at least ${plural(least)}`;
  else if (least === 0) need = `requires at most ${plural(most)}`;
  else if (most !== least) need = `requires at least ${least} and at most ${plural(most)}`;
  const pointer = most === undefined ? "See" : "Run";
  throw new ExitError(
    1,
    `${program}: '${name}' ${need}\n\nUsage:  ${usageLine(path, command)}\n\n${pointer} '${name} --help' for more information`,
  );
}

async function runCommand(found: Found, context: Context): Promise<number> {
  const { entry, path, rest } = found;
  if (entry.load === undefined) {
    const asked = rest[0];
    const { groupHelp, program } = await help();
    const name = [program, ...path].join(" ");
    if (asked !== undefined && asked !== "--help" && asked !== "-h")
      throw new ExitError(
        flagErrorStatus,
        `unknown ${asked.startsWith("--") ? "flag: " : "shorthand flag: "}${asked}\n\nUsage:  ${[name, entry.usage ?? ""].join(" ").trimEnd()}\n\nRun '${name} --help' for more information`,
      );
    // Who asked for nothing in particular has made a mistake.
    (asked === undefined ? context.err : context.out)(groupHelp(path, entry));
    return 0;
  }
  const { command } = await entry.load();
  if (command.raw === true) return command.run(context, new FlagValues([]), rest);
  const specs = allFlags(command);
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(specs, rest, command.interspersed !== false);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const { program, usageLine } = await help();
    const name = [program, ...path].join(" ");
    const near = /^unknown flag: --(.*)$/.exec(error.message)?.[1];
    const meant =
      near === undefined
        ? undefined
        : (await import("./suggest.ts")).suggest(
            near,
            specs.map((spec) => spec.name),
          );
    const hint = meant === undefined ? "" : `\n\nDid you mean '--${meant}'?`;
    throw new ExitError(
      flagErrorStatus,
      `${error.message}${hint}\n\nUsage:  ${usageLine(path, command)}\n\nRun '${name} --help' for more information`,
    );
  }
  const { values, args } = parsed;
  if (values.bool("help")) {
    const { commandHelp } = await help();
    context.out(commandHelp(path, entry, command));
    return 0;
  }
  if (values.has("json") && values.bool("json")) values.add("format", "json");
  await checkArity(path, command, args.length);
  try {
    return await command.run(context, values, args);
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    const { program } = await help();
    throw new ExitError(error.status, `${program}: ${error.message}\n\nRun '${[program, ...path].join(" ")} --help' for more information`);
  }
}

async function main(argv: readonly string[]): Promise<number> {
  let globals: ReturnType<typeof parseFlags>;
  try {
    globals = parseFlags(globalFlags, argv, false);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const { program } = await help();
    throw new ExitError(
      flagErrorStatus,
      `${error.message}\n\nUsage:  ${program} [OPTIONS] COMMAND [ARG...]\n\nRun '${program} --help' for more information`,
    );
  }
  const context = await contextOf(globals.values);
  if (globals.values.bool("version")) {
    context.out(`${(await import("./client-version.ts")).versionLine()}\n`);
    return 0;
  }
  let words = globals.args;
  const asksHelp = globals.values.bool("help") || words[0] === "help";
  if (words[0] === "help") words = words.slice(1);
  if (asksHelp && words.length > 0) words = [...words.filter((word) => !word.startsWith("-")), "--help"];
  const verb = words[0] ?? "";
  if (verb !== "" && !commands.some((entry) => entry.name === verb)) {
    const { becomePlugin, findPlugin } = await import("./plugins.ts");
    const plugin = findPlugin(context.configuration(), verb);
    const flags = argv.slice(0, argv.length - globals.args.length);
    if (plugin !== undefined) return becomePlugin(context, plugin, [...flags, ...words]);
  }
  const found = await find(words);
  if (found !== undefined) return runCommand(found, context);
  const { rootHelp } = await help();
  const { listPlugins } = await import("./plugins.ts");
  context.out(rootHelp([...commands, ...(await listPlugins(context.configuration()))], globalFlags));
  return 0;
}

function fail(error: unknown): never {
  const status = error instanceof ExitError ? error.status : 1;
  const text = messageOf(error);
  if (text !== "") writeAll(2, `${text}\n`);
  // What is neither an EngineError nor the system's is a fault of ours: its origin helps whoever reports it.
  const expected = error instanceof ExitError || isEngineError(error) || errnoOf(error) !== undefined;
  if (error instanceof Error && (process.argv.includes("-D") || !expected)) writeAll(2, `${error.stack ?? ""}\n`);
  process.exit(status);
}

// A promise that nothing will settle any more is a fault of ours, and must not look like success.
process.once("beforeExit", () => fail(new Error("the command came to no end")));
main(process.argv.slice(2)).then((status) => process.exit(status), fail);
