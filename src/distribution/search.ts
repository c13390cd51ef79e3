/** `docker search`: the search of Docker's first registry protocol, which Docker Hub and some others still have. */
import { invalidParameter, systemError } from "../base/base.ts";
import type { Credentials } from "./credentials.ts";
import type { SearchResult } from "./distribution.ts";
import type { Endpoint } from "./endpoints.ts";
import { NetworkError } from "./network-error.ts";
import { engineErrorOf, printable, RegistryError } from "./refusal.ts";
import { type Services, Session } from "./session.ts";

const longestAnswer = 4 << 20;
const defaultLimit = 25;

interface SearchOptions {
  readonly limit?: number;
  readonly credentials?: Credentials;
  readonly signal?: AbortSignal;
}

export async function search(term: string, services: Services, options: SearchOptions): Promise<SearchResult[]> {
  const { limit = defaultLimit, credentials = { kind: "anonymous" } } = options;
  if (!Number.isInteger(limit) || limit < 0 || limit > 100) throw invalidParameter(`limit ${limit} is outside the range of [1, 100]`);
  if (term.includes("://")) throw invalidParameter(`invalid repository name: repository name (${term}) should not have a scheme`);
  const { host, words } = split(term);
  const query = new URLSearchParams({ q: words, n: String(limit === 0 ? defaultLimit : limit) });
  const endpoints =
    host === "docker.io"
      ? [{ base: "https://index.docker.io", origin: "https://index.docker.io", isMirror: false }]
      : await services.endpoints.own(host);
  let failure: unknown;
  const attempts: string[] = [];
  for (const endpoint of endpoints) {
    const session = new Session(endpoint, credentials, services);
    try {
      const at = `/v1/search?${query}`;
      const { bytes } = await session.read(
        { at, scopes: [], expect: [200], headers: { "x-docker-token": "true" }, signal: options.signal },
        longestAnswer,
      );
      return resultsOf(bytes);
    } catch (error) {
      failure = error instanceof RegistryError ? systemError(`Unexpected status code ${error.status}`, error) : error;
      if (!(error instanceof NetworkError) || session.hasAnswered) break;
      attempts.push(attemptAt(endpoint, error));
    }
  }
  // Docker pings a registry that may speak HTTP by both, and tells of both.
  if (attempts.length === 2) failure = invalidParameter(`invalid registry endpoint "http://${host}/v1/". ${attempts.join(". ")}`, failure);
  throw engineErrorOf(failure, undefined);
}

function attemptAt({ base }: Endpoint, error: NetworkError): string {
  const why = error.cause instanceof NetworkError ? error.cause.message : error.message;
  return `${base.startsWith("https:") ? "HTTPS" : "HTTP"} attempt: Get "${base}/v1/_ping": ${why}`;
}

/** `host/words` where what is before the slash can only be a host. */
function split(term: string): { host: string; words: string } {
  const slash = term.indexOf("/");
  const first = term.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === "localhost";
  const host = !isHost || /^(index\.)?docker\.io$/.test(first) ? "docker.io" : first;
  const words = isHost ? term.slice(slash + 1) : term;
  return { host, words: host === "docker.io" ? words.replace(/^library\//, "") : words };
}

function resultsOf(bytes: Buffer): SearchResult[] {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    throw systemError("error decoding registry search results", error);
  }
  const { results } = Object(value) as { results?: unknown };
  if (!Array.isArray(results)) return [];
  return results.map((entry: unknown) => {
    const { name, description, star_count, is_official, is_automated } = Object(entry) as Record<string, unknown>;
    return {
      name: printable(typeof name === "string" ? name : ""),
      description: printable(typeof description === "string" ? description : ""),
      star_count: typeof star_count === "number" ? star_count : 0,
      is_official: is_official === true,
      is_automated: is_automated === true,
    };
  });
}
