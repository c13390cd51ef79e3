/**
 * Registries, asked by the command line itself: a list of manifests is put together on the user's side, with the user's
 * credentials, and needs no daemon.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEngineError, systemError } from "../../base/errors.ts";
import { setLogLevel } from "../../base/log.ts";
import { type Reference, repositoryOf } from "../../base/reference.ts";
import { version } from "../../base/version.ts";
import { credentialsOf } from "../../distribution/credentials.ts";
import type { Distribution, Remote, RemoteManifest } from "../../distribution/distribution.ts";
import { openDistribution } from "../../distribution/open.ts";
import type { ImageManifest, Platform } from "../../spec/spec.ts";
import { type Context, ExitError } from "../command.ts";
import { credentialsFor } from "../credentials/header.ts";
import { fullName, inOrder, listOf, type StoredManifest, storedManifest } from "./stored-manifest.ts";

export class Registries implements AsyncDisposable {
  readonly #context: Context;
  readonly #distribution: Distribution;
  readonly #folder: string;

  private constructor(context: Context, distribution: Distribution, folder: string) {
    this.#context = context;
    this.#distribution = distribution;
    this.#folder = folder;
  }

  /** @param insecure registries whose certificates are not looked at, and that may speak HTTP */
  static async open(context: Context, insecure: readonly Reference[]): Promise<Registries> {
    const folder = await mkdtemp(join(tmpdir(), "berth-manifest-"));
    // What the registry client tells of its ways is for a daemon's log.
    setLogLevel("error");
    try {
      const insecureRegistries = insecure.map(({ domain }) => domain);
      const options = { root: folder, insecureRegistries, userAgent: `Berth-Client/${version.version}` };
      return new Registries(context, await openDistribution(options), folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async #remote(reference: Reference): Promise<Remote> {
    return this.#distribution.remote(reference, credentialsOf(await credentialsFor(this.#context.configuration(), reference.domain)));
  }

  async #manifest(remote: Remote): Promise<RemoteManifest> {
    try {
      return await remote.manifest();
    } catch (error) {
      if (isEngineError(error, "NotFound")) throw new ExitError(1, `no such manifest: ${fullName(remote.reference)}`);
      throw error;
    }
  }

  /** An image's manifest, or all of a list's. */
  async inspect(reference: Reference): Promise<StoredManifest | StoredManifest[]> {
    const remote = await this.#remote(reference);
    const found = await this.#manifest(remote);
    if (found.content.kind === "image") return storedManifest(reference, found, await platformOf(remote, found.content.manifest));
    const { manifests } = found.content.index;
    const one = async (entry: (typeof manifests)[number]): Promise<StoredManifest> => {
      const manifest = await remote.manifest(entry.digest);
      return storedManifest({ ...reference, digest: entry.digest }, manifest, entry.platform ?? {});
    };
    return await Promise.all(manifests.map(one));
  }

  /** @throws ExitError for one that is a list itself */
  async image(reference: Reference): Promise<StoredManifest> {
    const remote = await this.#remote(reference);
    const found = await this.#manifest(remote);
    if (found.content.kind === "index") throw new ExitError(1, `${fullName(reference)} is a manifest list`);
    return storedManifest(reference, found, await platformOf(remote, found.content.manifest));
  }

  /** Brings the images into the list's repository where they are not there, then the list. @returns its digest */
  async push(list: Reference, manifests: readonly { readonly stored: StoredManifest; readonly from: Reference }[]): Promise<string> {
    for (const { stored, from } of manifests) {
      const { platform } = stored.Descriptor;
      if (from.domain !== list.domain)
        throw new ExitError(
          1,
          `cannot use source images from a different registry than the target image: ${from.domain} != ${list.domain}`,
        );
      if (!platform?.architecture || !platform.os)
        throw new ExitError(1, `manifest ${stored.Ref} must have an OS and Architecture to be pushed to a registry`);
    }
    const { mediaType, text } = listOf(manifests.map(({ stored }) => stored));
    const remote = await this.#remote(list);
    for (const { stored, from } of manifests) {
      if (from.path === list.path) continue;
      const bytes = Buffer.from(stored.Raw, "base64");
      await mountBlobs(remote, JSON.parse(bytes.toString()) as ImageManifest, from);
      const { digest } = stored.Descriptor;
      const pushed = await remote.putManifest(digest, stored.Descriptor.mediaType, bytes);
      this.#context.out(`Pushed ref ${repositoryOf(list)}@${digest} with digest: ${pushed}\n`);
    }
    return await remote.putManifest(list.digest ?? list.tag ?? "latest", mediaType, Buffer.from(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#distribution[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function platformOf(remote: Remote, { config }: ImageManifest): Promise<Platform> {
  const value: unknown = JSON.parse(Buffer.from(await remote.readBlob(config)).toString());
  return inOrder(Object(value) as Partial<Platform>);
}

/** What is in one repository of a registry need not be sent to another. */
async function mountBlobs(remote: Remote, { config, layers }: ImageManifest, from: Reference): Promise<void> {
  for (const { digest, size, urls } of [config, ...layers]) {
    if ((urls ?? []).length > 0) continue;
    const open = (): never => {
      throw systemError(`the registry does not mount blob ${digest} from ${repositoryOf(from)} to ${repositoryOf(remote.reference)}`);
    };
    await remote.pushBlob({ digest, size, open }, { mountFrom: [from.path] });
  }
}
