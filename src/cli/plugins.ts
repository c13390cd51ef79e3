/**
 * Docker's plugins: each program `docker-NAME` in one of certain folders is a verb of its own, as `berth compose`. It gets
 * the whole command line and takes this process's place; told with `docker-cli-plugin-metadata`, it says what it is.
 */
import { execFile } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { defaultHost } from "../client/address.ts";
import type { Context, Entry } from "./command.ts";
import type { Configuration } from "./configuration.ts";

const prefix = "docker-";
const nameShape = /^[a-z][a-z0-9]*$/;

/** How long a plugin may take to say what it is. */
const patienceMs = 2000;

/** The user's own come first; a system's packages put theirs into one of the last. */
function folders(configuration: Configuration): string[] {
  const extra = configuration.content()["cliPluginsExtraDirs"];
  const system = ["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"];
  return [
    join(configuration.folder, "cli-plugins"),
    ...(Array.isArray(extra) ? extra.filter((one) => typeof one === "string") : []),
    ...system.map((folder) => `${folder}/docker/cli-plugins`),
  ];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program of the verb `name`; undefined: there is none. */
export function findPlugin(configuration: Configuration, name: string): string | undefined {
  if (!nameShape.test(name)) return undefined;
  return folders(configuration)
    .map((folder) => join(folder, prefix + name))
    .find(isProgram);
}

/** Plugins find the engine where docker's client does: in a context, which they read themselves, or at DOCKER_HOST. */
function environment(context: Context): Record<string, string> {
  const entries = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const host = context.contextName() === "default" ? { DOCKER_HOST: context.host ?? defaultHost } : {};
  // By this a plugin knows that it is one, and was not called by its own name.
  return { ...Object.fromEntries(entries), DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: "berth", ...host };
}

/** Becomes the plugin. `args` begin with flags that stand in front of the verb, and the verb itself. */
export async function becomePlugin(context: Context, program: string, args: readonly string[]): Promise<never> {
  // Starts the daemon where `run` would. A plugin may have things to do for which none is needed, and says itself that there is none.
  await context
    .startedClient()
    .version()
    .catch(() => undefined);
  const { execve } = process;
  if (execve === undefined) throw new Error("plugins need a system on which a program can take another's place");
  return execve(program, [program, ...args], environment(context));
}

function programNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Most of the folders are not there.
  }
}

/** What the plugins say of themselves, for `berth --help`. What does not answer as a plugin is none. */
export async function listPlugins(configuration: Configuration): Promise<Entry[]> {
  const names = new Set(
    folders(configuration)
      .flatMap(programNames)
      .filter((file) => file.startsWith(prefix))
      .map((file) => file.slice(prefix.length)),
  );
  const described = [...names].map(async (name): Promise<Entry[]> => {
    const program = findPlugin(configuration, name);
    if (program === undefined) return [];
    try {
      const { stdout } = await promisify(execFile)(program, ["docker-cli-plugin-metadata"], { timeout: patienceMs });
      const metadata = JSON.parse(stdout) as { readonly SchemaVersion?: string; readonly ShortDescription?: string };
      if (metadata.SchemaVersion !== "0.1.0") return [];
      return [{ name, summary: metadata.ShortDescription ?? "", entries: [] }];
    } catch {
      return [];
    }
  });
  return (await Promise.all(described)).flat();
}
