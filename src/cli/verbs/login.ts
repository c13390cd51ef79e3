/** `login` and `logout`: credentials are tried with the registry before they are kept. */
import { spawnSync } from "node:child_process";
import { invalidParameter, isEngineError, messageOf } from "../../base/errors.ts";
import type { Command, Context } from "../command.ts";
import { type AuthConfig, CredentialStore, hostOf, hubAddress } from "../credentials/store.ts";
import type { FlagValues } from "../flags/flag.ts";

interface LoginAnswer {
  readonly Status?: string;
  readonly IdentityToken?: string;
}

/** As credentials are kept by it. */
function serverOf(given: string): string {
  if (given === "" || given === "docker.io") return hubAddress;
  return hostOf(given);
}

/** A line, or with `whole` all of standard input. */
async function readInput(whole: boolean): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (!whole && text.includes("\n")) break;
  }
  return whole ? text.replace(/\n$/, "").replace(/\r$/, "") : (text.split("\n")[0] ?? "").trim();
}

async function readPassword(context: Context): Promise<string> {
  context.out("Password: ");
  const echo = (mode: "echo" | "-echo"): void => void spawnSync("stty", [mode], { stdio: ["inherit", "ignore", "ignore"] });
  echo("-echo");
  try {
    return await readInput(false);
  } finally {
    echo("echo");
    context.out("\n");
  }
}

function checkFlags(context: Context, flags: FlagValues): void {
  const [user, password, fromInput] = [flags.string("username"), flags.string("password"), flags.bool("password-stdin")];
  if (flags.changed("password") && flags.changed("password-stdin"))
    throw invalidParameter("conflicting options: cannot specify both --password and --password-stdin");
  if (flags.changed("username") && user === "") throw invalidParameter("username is empty");
  if (flags.changed("password") && password === "") throw invalidParameter("password is empty");
  if (fromInput && user === "") throw invalidParameter("the --password-stdin option requires --username to be set");
  if (password !== "") context.err("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
}

async function ask(context: Context, flags: FlagValues, known: string): Promise<{ username: string; password: string }> {
  let username = flags.string("username");
  let password = flags.bool("password-stdin") ? await readInput(true) : flags.string("password");
  if ((username === "" || password === "") && !process.stdin.isTTY)
    throw invalidParameter("Error: Cannot perform an interactive login from a non TTY device");
  if (username === "") {
    context.out(known === "" ? "Username: " : `Username (${known}): `);
    username = (await readInput(false)) || known;
    if (username === "") throw invalidParameter("Non-null Username Required");
  }
  if (password === "") {
    password = await readPassword(context);
    if (password === "") throw invalidParameter("Password Required");
  }
  return { username, password };
}

async function authenticate(context: Context, auth: AuthConfig): Promise<LoginAnswer> {
  return await context.startedClient().json<LoginAnswer>("POST", "/auth", { json: auth });
}

/** What is kept for the registry already is tried first. */
async function again(context: Context, kept: AuthConfig, server: string): Promise<LoginAnswer | undefined> {
  const { username = "", password = "" } = kept;
  context.err(`Authenticating with existing credentials... [Username: ${username}]\n`);
  context.err("\n Info -> To login with a different account, run 'berth logout' followed by 'berth login'\n\n\n");
  try {
    return await authenticate(context, { username, password, serveraddress: server });
  } catch (error) {
    context.err(
      isEngineError(error, "Unauthorized")
        ? "Stored credentials invalid or expired\n"
        : `Login did not succeed, error: ${messageOf(error)}\n`,
    );
    return undefined;
  }
}

async function keep(store: CredentialStore, server: string, auth: AuthConfig): Promise<boolean> {
  try {
    return await store.put(server, auth);
  } catch (error) {
    throw invalidParameter(`Error saving credentials: ${messageOf(error)}`, error);
  }
}

export const login: Command = {
  usage: "[OPTIONS] [SERVER]",
  args: { least: 0, most: 1 },
  flags: [
    { name: "password", short: "p", type: "string", help: "Password or access token" },
    { name: "password-stdin", type: "bool", help: "Read the password from standard input" },
    { name: "username", short: "u", type: "string", help: "Username" },
  ],
  details: ["Defaults to Docker Hub if no server is given."],
  async run(context, flags, [given = ""]) {
    checkFlags(context, flags);
    const server = serverOf(given);
    const store = new CredentialStore(context.configuration());
    const isOpen = flags.string("username") === "" && flags.string("password") === "";
    const kept = isOpen ? await store.get(server) : {};
    const hasKept = (kept.username ?? "") !== "" && (kept.password ?? "") !== "";
    let auth: AuthConfig = { ...kept, serveraddress: server };
    let answer = hasKept ? await again(context, kept, server) : undefined;
    if (answer === undefined) {
      auth = { ...(await ask(context, flags, kept.username ?? "")), serveraddress: server };
      answer = await authenticate(context, auth);
    }
    const { IdentityToken: token = "", Status: status = "" } = answer;
    const isPlain = await keep(store, server, token === "" ? auth : { username: auth.username ?? "", identitytoken: token });
    // A token opens less than the password, and what is as it was needs no second warning.
    if (isPlain && token === "" && auth.password !== kept.password)
      context.err(
        `\nWARNING! Your credentials are stored unencrypted in '${context.configuration().path}'.\n` +
          "Configure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n",
      );
    if (status !== "") context.out(`${status}\n`);
    return 0;
  },
};

export const logout: Command = {
  usage: "[SERVER]",
  args: { least: 0, most: 1 },
  flags: [],
  details: ["Defaults to Docker Hub if no server is given."],
  async run(context, _flags, [given = ""]) {
    const server = serverOf(given);
    context.out(`Removing login credentials for ${server}\n`);
    const store = new CredentialStore(context.configuration());
    // Older clients kept them with the scheme.
    const addresses = server === hubAddress ? [server] : [server, `http://${server}`, `https://${server}`];
    const failures: string[] = [];
    for (const address of addresses) {
      try {
        await store.remove(address);
      } catch (error) {
        failures.push(`${address}: ${messageOf(error)}`);
      }
    }
    if (failures.length === addresses.length) context.err(`WARNING: could not erase credentials:\n${failures.join("\n")}\n`);
    return 0;
  },
};
