/** What registries answer when they do not do what was asked: read safely, and told in the words of Docker's client library. */
import {
  conflict,
  EngineError,
  familiarName,
  familiarString,
  forbidden,
  notFound,
  type Reference,
  systemError,
  unavailable,
} from "../base/base.ts";
import { type Challenge, challengesOf } from "./challenges.ts";
import { NetworkError } from "./network-error.ts";
import { type Answer, readAll } from "./transport.ts";

const longestBody = 64 * 1024;

export class RegistryError extends Error {
  readonly status: number;
  /** `denied`, `manifest unknown`, …; empty when the registry gave none. */
  readonly code: string;
  /** What to wait, in ms, when the registry said so. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = "RegistryError";
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What the codes mean where the registry adds no words: OCI distribution-spec, "Error Codes", and distribution's own. */
const meanings: Readonly<Record<string, string>> = {
  unauthorized: "authentication required",
  denied: "requested access to the resource is denied",
  unsupported: "The operation is unsupported.",
  toomanyrequests: "too many requests",
  "manifest unknown": "manifest unknown",
  "name unknown": "repository name not known to registry",
  "blob unknown": "blob unknown to registry",
  "blob upload unknown": "blob upload unknown to registry",
  unknown: "unknown error",
};

/** There is nothing to show to the registry: no credentials, or no token for them. What was wanted has not been asked. */
export class Unauthenticated extends RegistryError {}

/** The registry wants a name and a password. */
export function noBasicCredentials(): RegistryError {
  return new Unauthenticated(401, "unauthorized", "no basic auth credentials");
}

/** Of a manifest, Docker tells which request it could not make: of one under a tag it first asks whether it is there. */
export function ofManifest(error: unknown, url: URL, byDigest: boolean): unknown {
  if (!(error instanceof Unauthenticated)) return error;
  const told = `${byDigest ? "Get" : "Head"} ${JSON.stringify(url.href)}: ${error.message}`;
  return new Unauthenticated(error.status, "", told, error.retryAfterMs);
}

/** Reads the answer's body, and gives what to throw. */
export async function refusalOf(answer: Answer, withinMs: number): Promise<RegistryError> {
  const { status } = answer;
  const retryAfterMs = retryAfterOf(answer.headers["retry-after"]);
  let body = "";
  try {
    body = (await readAll(answer, longestBody, withinMs)).toString();
  } catch {
    // The status says enough.
  }
  if (status < 400 || status >= 500)
    return new RegistryError(status, "", `received unexpected HTTP status: ${answer.statusText}`, retryAfterMs);
  const [first] = [...ofChallenges(challengesOf(answer.headers["www-authenticate"])), ...ofBody(status, body)];
  if (first !== undefined) return new RegistryError(status, first.code, `${first.code}: ${first.message}`, retryAfterMs);
  const named = { 401: "unauthorized", 403: "denied", 429: "toomanyrequests" }[status];
  const words = printable(body).trim().slice(0, 500);
  const isJson = /^application\/(vnd\.api\+)?json\b/.test(answer.headers["content-type"] ?? "");
  const said = words === "" || isJson ? undefined : words;
  if (named !== undefined) return new RegistryError(status, named, `${named}: ${said ?? meanings[named]}`, retryAfterMs);
  if (words === "")
    return new RegistryError(status, "", `unexpected status from ${describe(answer.url)}: ${answer.statusText}`, retryAfterMs);
  const message = said === undefined ? `error parsing HTTP ${status} response body: ${JSON.stringify(words)}` : `unknown: ${said}`;
  return new RegistryError(status, "", message, retryAfterMs);
}

interface Stated {
  readonly code: string;
  readonly message: string;
}

/** RFC 6750, section 3.1. */
function ofChallenges(challenges: readonly Challenge[]): Stated[] {
  return challenges.flatMap(({ scheme, parameters }) => {
    const code =
      scheme === "bearer" ? { invalid_token: "unauthorized", insufficient_scope: "denied" }[parameters["error"] ?? ""] : undefined;
    if (code === undefined) return [];
    return [{ code, message: printable(parameters["error_description"] ?? "") || (meanings[code] ?? code) }];
  });
}

function ofBody(status: number, body: string): Stated[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [];
  }
  if (value === null || typeof value !== "object") return [];
  const { errors, details, message } = value as Record<string, unknown>;
  const said = [details, message].find((text) => typeof text === "string" && text !== "");
  if (!Array.isArray(errors)) {
    if (said === undefined) return [];
    return [
      {
        code: status === 429 ? "toomanyrequests" : status === 401 ? "unauthorized" : status === 403 ? "denied" : "unknown",
        message: printable(String(said)),
      },
    ];
  }
  return errors.slice(0, 8).flatMap((entry: unknown) => {
    if (entry === null || typeof entry !== "object") return [];
    const { code: given, message: words } = entry as Record<string, unknown>;
    const code = typeof given === "string" && /^[A-Za-z_ ]{1,64}$/.test(given) ? given.toLowerCase().replaceAll("_", " ") : "unknown";
    const text = typeof words === "string" ? printable(words).slice(0, 2000) : "";
    return [{ code, message: text === "" ? (meanings[code] ?? code) : text }];
  });
}

/** Registries' words go to terminals. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is not to get through
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");
}

function describe(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** RFC 9110, section 10.2.3: seconds or a date. */
function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/** As the engine's users are to see it. `reading`: a pull, whose refusals Docker words by reference. */
export function engineErrorOf(error: unknown, reference: Reference | undefined, reading = true): unknown {
  if (error instanceof NetworkError) return systemError(error.message, error);
  if (!(error instanceof RegistryError)) return error;
  if (reading && reference !== undefined) {
    if (error.code === "denied")
      return notFound(
        `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${error.message}`,
        error,
      );
    if (error.code === "manifest unknown") return notFound(`manifest for ${familiarString(reference)} not found: ${error.message}`, error);
    if (error.code === "name unknown") return notFound(`repository ${familiarName(reference)} not found: ${error.message}`, error);
  }
  switch (error.status) {
    case 401:
      return new EngineError("Unauthorized", error.message, { cause: error });
    case 403:
      return forbidden(error.message, error);
    case 404:
      return notFound(error.message, error);
    case 409:
      return conflict(error.message, error);
    case 429:
    case 503:
      return unavailable(error.message, error);
    default:
      return systemError(error.message, error);
  }
}
