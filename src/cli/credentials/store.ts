/**
 * Who a user is to registries: in `config.json` (`auths`), or with the programs that it names there: `credsStore` for all registries,
 * `credHelpers` for one. Their protocol is Docker's: `docker-credential-NAME get|store|erase`, JSON on standard input and output.
 */
import { spawn } from "node:child_process";
import { errnoOf, invalidParameter, messageOf } from "../../base/errors.ts";
import type { Configuration } from "../configuration.ts";

/** Docker's AuthConfig. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
  /** A refresh token, in the password's place. */
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** By which Docker Hub's credentials are kept. */
export const hubAddress = "https://index.docker.io/v1/";

/** The user name with which helpers keep refresh tokens. */
const tokenName = "<token>";

/** Without scheme and path: by this, addresses are compared. */
export function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, "").split("/")[0] ?? "";
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const members = (value: unknown): Readonly<Record<string, unknown>> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export class CredentialStore {
  readonly #configuration: Configuration;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  /** @param server {@link hubAddress}, or a registry's host */
  async get(server: string): Promise<AuthConfig> {
    const helper = this.#helperOf(server);
    return helper === undefined ? this.#inFile(server) : await fromHelper(helper, server);
  }

  /** @returns whether it lies in the file as it is */
  async put(server: string, auth: AuthConfig): Promise<boolean> {
    const helper = this.#helperOf(server);
    const { username = "", password = "", identitytoken = "" } = auth;
    if (helper !== undefined) {
      const kept = identitytoken === "" ? { Username: username, Secret: password } : { Username: tokenName, Secret: identitytoken };
      await ask(helper, "store", JSON.stringify({ ServerURL: server, ...kept }));
      // That there is something is written down, as Docker does.
      this.#configuration.changeEntry("auths", server, {});
      return false;
    }
    const entry = {
      auth: Buffer.from(`${username}:${password}`).toString("base64"),
      ...(identitytoken === "" ? {} : { identitytoken }),
    };
    this.#configuration.changeEntry("auths", server, entry);
    return true;
  }

  async remove(server: string): Promise<void> {
    const helper = this.#helperOf(server);
    if (helper !== undefined) await ask(helper, "erase", server);
    this.#configuration.changeEntry("auths", server, undefined);
  }

  #helperOf(server: string): string | undefined {
    const content = this.#configuration.content();
    const own = text(members(content["credHelpers"])[hostOf(server)]) || text(members(content["credHelpers"])[server]);
    return own || text(content["credsStore"]) || undefined;
  }

  #inFile(server: string): AuthConfig {
    const auths = members(this.#configuration.content()["auths"]);
    const key = Object.hasOwn(auths, server) ? server : Object.keys(auths).find((other) => hostOf(other) === hostOf(server));
    if (key === undefined) return {};
    const entry = members(auths[key]);
    const [name = "", ...rest] = Buffer.from(text(entry["auth"]), "base64").toString().split(":");
    const username = name || text(entry["username"]);
    const password = rest.join(":").replace(/\0+$/, "") || text(entry["password"]);
    const identitytoken = text(entry["identitytoken"]);
    const registrytoken = text(entry["registrytoken"]);
    return {
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password }),
      serveraddress: key,
      ...(identitytoken === "" ? {} : { identitytoken }),
      ...(registrytoken === "" ? {} : { registrytoken }),
    };
  }
}

async function fromHelper(helper: string, server: string): Promise<AuthConfig> {
  const answer = await ask(helper, "get", server);
  if (answer === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch (error) {
    throw invalidParameter(`error getting credentials - docker-credential-${helper} answers with something that is not JSON`, error);
  }
  const { Username, Secret } = members(value);
  if (text(Username) === tokenName) return { serveraddress: server, identitytoken: text(Secret) };
  return { username: text(Username), password: text(Secret), serveraddress: server };
}

/** @returns what the helper prints; undefined: it has none */
async function ask(helper: string, action: "get" | "store" | "erase", input: string): Promise<string | undefined> {
  const doing = { get: "getting", store: "storing", erase: "erasing" }[action];
  const failed = (why: string): Error => invalidParameter(`error ${doing} credentials - ${why}`);
  const program = `docker-credential-${helper}`;
  const child = spawn(program, [action], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    output += part;
  });
  // It may end without reading its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) => {
      const why = errnoOf(error) === "ENOENT" ? "executable file not found in $PATH" : messageOf(error);
      reject(failed(`err: exec: "${program}": ${why}, out: \`\``));
    });
    child.on("close", resolve);
  });
  if (status === 0) return output;
  const said = output.trim();
  if (action !== "store" && /credentials not found in native keychain/.test(said)) return undefined;
  throw failed(`err: exit status ${status}, out: \`${said}\``);
}
