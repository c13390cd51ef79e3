import { closeSync, existsSync, openSync, rmSync, writeFileSync } from "node:fs";
import { invalidParameter, isEngineError, messageOf } from "../base/errors.ts";
import { familiarName, familiarString, parseReference, type Reference, repositoryOf, withDefaultTag } from "../base/reference.ts";
import type { EngineClient } from "../client/engine-client.ts";
import type { ContainerCreateRequest, ContainerCreateResponse } from "../spec/spec.ts";
import { type Context, ExitError } from "./command.ts";
import { registryAuth } from "./credentials/header.ts";
import type { FlagValues } from "./flags/flag.ts";
import { parsePlatform } from "./options/platform.ts";
import { type ProgressMessage, printProgress } from "./output/progress.ts";

/** The image as it is asked for: names get `latest` where they have no tag; ids stay. */
function imageReference(text: string): Reference | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return undefined;
  return withDefaultTag(parseReference(text));
}

/** The parameters of `POST /images/create` for a reference. */
export function pullQuery(reference: Reference, platform: string): Record<string, string | undefined> {
  return {
    fromImage: repositoryOf(reference),
    tag: reference.digest ?? reference.tag,
    platform: platform === "" ? undefined : platform,
  };
}

async function pullImage(
  context: Context,
  client: EngineClient,
  reference: Reference,
  { platform, quiet }: { platform: string; quiet: boolean },
): Promise<void> {
  const headers = await registryAuth(context.configuration(), reference);
  const messages = client.lines<ProgressMessage>("POST", "/images/create", { query: pullQuery(reference, platform), headers });
  if (!quiet) {
    await printProgress(messages, 2);
    return;
  }
  for await (const message of messages)
    if (message.error !== undefined) throw new ExitError(1, message.errorDetail?.message ?? message.error);
}

/** Installs an image that Berth carries in itself. False: it does not carry this one, or the daemon is not Berth. */
async function installEmbedded(context: Context, client: EngineClient, reference: Reference): Promise<boolean> {
  const name = familiarName(reference);
  if (name !== "hello-world" || (reference.tag ?? "latest") !== "latest" || reference.digest !== undefined) return false;
  try {
    await client.send("POST", "/berth/images/embedded", { query: { name }, unversioned: true });
  } catch (error) {
    if (isEngineError(error, "NotFound")) return false;
    throw error;
  }
  context.err(`Berth carries ${familiarString(reference)} in itself: installed it, nothing was downloaded\n`);
  return true;
}

/** The file of `--cidfile`: made before the container is, so that a container never goes without it. */
class IdFile {
  readonly #path: string;
  #written = false;

  constructor(path: string) {
    this.#path = path;
    if (path === "") return;
    if (existsSync(path)) throw invalidParameter(`container ID file found, make sure the other container isn't running or delete ${path}`);
    try {
      closeSync(openSync(path, "wx"));
    } catch (error) {
      throw invalidParameter(`failed to create the container ID file: open ${path}: no such file or directory`, error);
    }
  }

  write(id: string): void {
    if (this.#path === "") return;
    writeFileSync(this.#path, id);
    this.#written = true;
  }

  [Symbol.dispose](): void {
    if (this.#path !== "" && !this.#written) rmSync(this.#path, { force: true });
  }
}

function warn(context: Context, request: ContainerCreateRequest): void {
  for (const server of request.HostConfig?.Dns ?? [])
    if (/^127\.|^::1$/.test(server)) context.err(`WARNING: Localhost DNS (${server}) may fail in containers.\n`);
}

/** The platform as the API takes it. @throws InvalidParameter with Docker's wording */
function platformOf(text: string): string | undefined {
  try {
    return text === "" ? undefined : parsePlatform(text);
  } catch (error) {
    throw invalidParameter(`error parsing specified platform: ${messageOf(error)}`, error);
  }
}

/**
 * Creates the container of `run` and `create`, getting its image first where `--pull` says so.
 * @returns its id
 */
export async function createContainer(
  context: Context,
  client: EngineClient,
  flags: FlagValues,
  request: ContainerCreateRequest,
): Promise<string> {
  const pull = flags.string("pull");
  warn(context, request);
  using idFile = new IdFile(flags.string("cidfile"));
  const reference = imageReference(request.Image ?? "");
  const platform = flags.string("platform");
  const wanted = platformOf(platform);
  const quiet = flags.bool("quiet");
  if (pull === "always" && reference !== undefined) await pullImage(context, client, reference, { platform, quiet });
  const create = (): Promise<ContainerCreateResponse> =>
    client.json<ContainerCreateResponse>("POST", "/containers/create", {
      query: { name: flags.string("name"), platform: wanted },
      json: request,
    });
  let response: ContainerCreateResponse;
  try {
    response = await create();
  } catch (error) {
    if (!isEngineError(error, "NotFound") || reference === undefined || (pull !== "missing" && pull !== "")) throw error;
    if (!quiet) context.err(`Unable to find image '${familiarString(reference)}' locally\n`);
    if (!(await installEmbedded(context, client, reference))) await pullImage(context, client, reference, { platform, quiet });
    response = await create();
  }
  for (const warning of response.Warnings ?? []) context.err(`WARNING: ${warning}\n`);
  idFile.write(response.Id);
  return response.Id;
}
