/** What clients ask of registries without getting an image: who they are, what there is, what a name stands for. */
import { booleanFilter, checkFilterKeys, type Filters, invalidParameter, parseReference, withDefaultTag } from "../base/base.ts";
import { credentialsOf, credentialsOfHeader } from "../distribution/credentials.ts";
import type { Distribution, Remote, RemoteManifest, SearchResult } from "../distribution/distribution.ts";
import type { DistributionInspect, Platform } from "../spec/spec.ts";

export class RegistryBackend {
  readonly #distribution: Distribution;

  constructor(distribution: Distribution) {
    this.#distribution = distribution;
  }

  /** @param config Docker's AuthConfig */
  async login(config: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }> {
    const server = config["serveraddress"];
    const address = typeof server === "string" ? server : "";
    const { identityToken = "" } = await this.#distribution.checkCredentials(address, credentialsOf(config), signal);
    return { Status: "Login Succeeded", IdentityToken: identityToken };
  }

  async search(term: string, options: { limit?: number; filters: Filters; auth?: string; signal: AbortSignal }): Promise<SearchResult[]> {
    const { limit, filters, auth, signal } = options;
    checkFilterKeys(filters, ["is-automated", "is-official", "stars"]);
    const automated = booleanFilter("is-automated", filters.get("is-automated"));
    const official = booleanFilter("is-official", filters.get("is-official"));
    const stars = (filters.get("stars") ?? []).map((text) => {
      if (!/^\d{1,15}$/.test(text))
        throw invalidParameter(`invalid filter 'stars=${text}': strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
      return Number(text);
    });
    const asked = { credentials: credentialsOfHeader(auth), signal, ...(limit === undefined ? {} : { limit }) };
    const found = await this.#distribution.search(term, asked);
    return found.filter(
      (result) =>
        (automated === undefined || result.is_automated === automated) &&
        (official === undefined || result.is_official === official) &&
        stars.every((least) => result.star_count >= least),
    );
  }

  /** `docker manifest inspect` and schedulers ask what a name stands for, and where it runs. */
  async inspect(name: string, options: { auth?: string; signal: AbortSignal }): Promise<DistributionInspect> {
    const remote = this.#distribution.remote(withDefaultTag(parseReference(name)), credentialsOfHeader(options.auth));
    const manifest = await remote.manifest(undefined, options.signal);
    const { digest, mediaType, bytes } = manifest;
    return {
      Descriptor: { mediaType, digest, size: bytes.byteLength },
      Platforms: await platformsOf(remote, manifest, options.signal),
    };
  }
}

async function platformsOf(remote: Remote, { content }: RemoteManifest, signal: AbortSignal): Promise<Platform[]> {
  if (content.kind === "index") return content.index.manifests.flatMap(({ platform }) => (platform ? [platform] : []));
  let config: unknown;
  try {
    config = JSON.parse(Buffer.from(await remote.readBlob(content.manifest.config, signal)).toString());
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  const { architecture, os, variant, "os.version": version } = Object(config) as Partial<Platform>;
  if (typeof architecture !== "string" || typeof os !== "string" || os === "") return [];
  const more = { ...(variant ? { variant } : {}), ...(version ? { "os.version": version } : {}) };
  return [{ architecture, os, ...more }];
}

export function openRegistryBackend(distribution: Distribution): RegistryBackend {
  return new RegistryBackend(distribution);
}
