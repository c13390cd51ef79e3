/** Makes the registry client. */
import type { Reference } from "../base/base.ts";
import { anonymous, type Credentials } from "./credentials.ts";
import type { Distribution, DistributionOptions, DistributionSettings, Remote, SearchResult, Timings } from "./distribution.ts";
import { Downloads } from "./downloads.ts";
import { Endpoints } from "./endpoints.ts";
import { Gates } from "./gate.ts";
import { repositoriesOf } from "./listing.ts";
import { hostOf, logIn } from "./login.ts";
import { proxiesOfEnvironment } from "./proxies.ts";
import { RegistryRemote } from "./remote.ts";
import { Repository } from "./repository.ts";
import { search } from "./search.ts";
import type { Services } from "./session.ts";
import { Tokens } from "./tokens.ts";
import { Transport } from "./transport.ts";

const defaultTimings: Timings = {
  connectMs: 30_000,
  answerMs: 60_000,
  stallMs: 30_000,
  retryMs: 1000,
  retryAfterMs: 60_000,
  progressMs: 100,
  keepMs: 24 * 3600 * 1000,
};

/** @throws InvalidParameter for settings that cannot be honoured */
export async function openDistribution(options: DistributionOptions): Promise<Distribution> {
  const timings = { ...defaultTimings, ...options.timings };
  const endpoints = new Endpoints(options);
  const transport = new Transport(timings, options.userAgent ?? "docker/28.0.0", proxiesOfEnvironment());
  const tokens = new Tokens(transport, endpoints, timings);
  const downloads = await Downloads.open(options.root, timings, options.isStored ?? (() => false));
  const client = new RegistryClient({ transport, endpoints, tokens, timings }, downloads);
  client.configure(options);
  return client;
}

class RegistryClient implements Distribution {
  readonly #services: Services;
  readonly #downloads: Downloads;
  readonly #uploads: Gates = new Gates(5);

  constructor(services: Services, downloads: Downloads) {
    this.#services = services;
    this.#downloads = downloads;
  }

  remote(reference: Reference, credentials: Credentials = anonymous): Remote {
    const repository = new Repository(reference, credentials, this.#services);
    return new RegistryRemote(repository, { downloads: this.#downloads, uploads: this.#uploads });
  }

  checkCredentials(server: string, credentials: Credentials, signal?: AbortSignal): Promise<{ identityToken?: string }> {
    return logIn(server, credentials, this.#services, signal);
  }

  search(term: string, options: { limit?: number; credentials?: Credentials; signal?: AbortSignal } = {}): Promise<SearchResult[]> {
    return search(term, this.#services, options);
  }

  catalog(host: string, credentials: Credentials = anonymous, signal?: AbortSignal): AsyncIterable<string> {
    // Only the registry of the reference is asked.
    return repositoriesOf(new Repository({ domain: hostOf(host), path: "_catalog" }, credentials, this.#services), signal);
  }

  configure(settings: DistributionSettings): void {
    this.#services.endpoints.settings = settings;
    this.#services.transport.proxies = { ...proxiesOfEnvironment(), ...settings.proxies };
    this.#downloads.gates.limit = settings.maxConcurrentDownloads ?? 3;
    this.#downloads.attempts = settings.maxDownloadAttempts ?? 5;
    this.#uploads.limit = settings.maxConcurrentUploads ?? 5;
  }

  prune(): Promise<number> {
    return this.#downloads.prune();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#downloads[Symbol.asyncDispose]();
    this.#services.transport.close();
  }
}
