/** Bearer tokens of token servers: distribution's token protocol (GET), and its OAuth2 variant (POST) where a refresh token is given. */
import { createHash } from "node:crypto";
import type { Credentials } from "./credentials.ts";
import type { Timings } from "./distribution.ts";
import type { Endpoints } from "./endpoints.ts";
import type { HostTls } from "./hosts-file.ts";
import { NetworkError, ofRequest } from "./network-error.ts";
import { RegistryError, refusalOf } from "./refusal.ts";
import { type Answer, readAll, type Transport } from "./transport.ts";

const clientId = "docker";
const longestAnswer = 1 << 20;
/** Of a token whose server does not say: the protocol's. Less is taken for this too, so that clocks may differ. */
const shortestLifeMs = 60_000;
const mostKept = 1000;

export interface TokenRequest {
  readonly realm: string;
  readonly service: string;
  readonly scopes: readonly string[];
  readonly credentials: Credentials;
  /** The registry that sends us there. */
  readonly registry: URL;
  /** What hosts.toml has for it. */
  readonly tls?: HostTls | undefined;
  /** Asks for a refresh token too: at `login`. */
  readonly isOffline?: boolean;
}

export interface Token {
  readonly value: string;
  readonly refreshToken?: string;
  readonly expiresAt: number;
}

export class Tokens {
  readonly #transport: Transport;
  readonly #endpoints: Endpoints;
  readonly #timings: Timings;
  readonly #known = new Map<string, Promise<Token>>();

  constructor(transport: Transport, endpoints: Endpoints, timings: Timings) {
    this.#transport = transport;
    this.#endpoints = endpoints;
    this.#timings = timings;
  }

  /** @param refused a token that the registry did not take: another is asked for. @throws RegistryError, NetworkError */
  async get(request: TokenRequest, refused?: string): Promise<Token> {
    const { realm, service, credentials, registry, isOffline = false } = request;
    const scopes = joinScopes(request.scopes);
    // Not the secrets themselves: keys stay around.
    const who = createHash("sha256").update(JSON.stringify(credentials)).digest("base64");
    const key = JSON.stringify([registry.origin, realm, service, scopes, who, isOffline]);
    const before = this.#known.get(key);
    const known = await before?.catch(() => undefined);
    if (known !== undefined && known.expiresAt > Date.now() && known.value !== refused) return known;
    // Those who ask at the same time have one answer.
    const beside = this.#known.get(key);
    if (beside !== undefined && beside !== before) return beside;
    const fresh = this.#ask({ ...request, scopes });
    this.#keep(key, fresh);
    return fresh;
  }

  #keep(key: string, token: Promise<Token>): void {
    this.#known.delete(key);
    this.#known.set(key, token);
    token.catch(() => {
      if (this.#known.get(key) === token) this.#known.delete(key);
    });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostKept) return;
      this.#known.delete(oldest);
    }
  }

  async #ask(request: TokenRequest): Promise<Token> {
    const realm = checkedRealm(request.realm, request.registry);
    const { credentials } = request;
    if (credentials.kind !== "anonymous" && !this.#endpoints.mayAsk(realm, request.registry)) throw ofAnother(realm, request.registry);
    const tls = await this.#endpoints.tls(realm, { registry: request.registry.host, of: request.tls });
    const sent = credentials.kind === "identityToken" ? refreshing(realm, request, credentials.token) : asking(realm, request);
    let answer: Answer;
    try {
      answer = await this.#transport.call({ ...sent, tls });
    } catch (error) {
      throw error instanceof NetworkError ? ofRequest(sent.method, sent.url, error) : error;
    }
    // A redirect would carry a password to who knows where.
    if (answer.status !== 200) {
      const refusal = await refusalOf(answer, this.#timings.answerMs);
      throw refusal.status >= 300 && refusal.status < 400
        ? new RegistryError(refusal.status, "", `failed to authorize: the token server ${realm.origin} redirects`)
        : refusal;
    }
    return tokenOf(await readAll(answer, longestAnswer, this.#timings.answerMs));
  }
}

/** Each resource once, with all its actions, so that the same wish always reads the same. */
function joinScopes(scopes: readonly string[]): string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const at = scope.lastIndexOf(":");
    if (at < 0) continue;
    const known = actions.get(scope.slice(0, at)) ?? new Set();
    for (const action of scope.slice(at + 1).split(",")) known.add(action);
    actions.set(scope.slice(0, at), known);
  }
  return [...actions].map(([resource, set]) => `${resource}:${[...set].sort().join(",")}`).sort();
}

/** Docker would send them to whatever host is named. */
function ofAnother(realm: URL, registry: URL): RegistryError {
  const why = `the registry ${registry.host} asks for credentials to be sent to ${realm.host}, which is of another domain`;
  return new RegistryError(401, "unauthorized", `unauthorized: ${why}: not done unless "token-servers" of daemon.json names it`);
}

/** What came by HTTPS does not go on by HTTP. */
function checkedRealm(text: string, registry: URL): URL {
  const refused = (why: string): RegistryError => new RegistryError(401, "unauthorized", `unauthorized: ${why}`);
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined || (realm.protocol !== "https:" && realm.protocol !== "http:"))
    throw refused(`the registry ${registry.host} names no usable token server`);
  if (realm.username !== "" || realm.password !== "") throw refused(`the token server of ${registry.host} has credentials in its address`);
  if (realm.protocol === "http:" && registry.protocol === "https:")
    throw refused(`the registry ${registry.host} is asked by HTTPS, and its token server ${realm.host} would be by HTTP`);
  return realm;
}

interface Sent {
  readonly method: string;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
}

function asking(realm: URL, { service, scopes, credentials, isOffline }: TokenRequest): Sent {
  const url = new URL(realm);
  if (service !== "") url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (isOffline === true) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", clientId);
  }
  const headers: Record<string, string> = { accept: "application/json" };
  if (credentials.kind === "password") {
    url.searchParams.set("account", credentials.username);
    headers["authorization"] = basic(credentials);
  }
  return { method: "GET", url, headers };
}

function refreshing(realm: URL, { service, scopes, isOffline }: TokenRequest, refreshToken: string): Sent {
  const form = new URLSearchParams({ grant_type: "refresh_token", service, client_id: clientId, refresh_token: refreshToken });
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  if (isOffline === true) form.set("access_type", "offline");
  const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url: realm, headers, body: Buffer.from(form.toString()) };
}

export function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function tokenOf(body: Buffer): Token {
  let value: Record<string, unknown>;
  try {
    value = Object(JSON.parse(body.toString())) as Record<string, unknown>;
  } catch {
    throw new RegistryError(502, "", "unable to decode token response");
  }
  const token = [value["token"], value["access_token"]].find((text) => typeof text === "string" && /^[\x21-\x7e]+$/.test(text));
  if (typeof token !== "string") throw new RegistryError(502, "", "authorization server did not include a token in the response");
  const seconds = typeof value["expires_in"] === "number" ? value["expires_in"] : 0;
  const lifeMs = Math.max(seconds * 1000, shortestLifeMs);
  const refreshToken = value["refresh_token"];
  // By our own clock, and a little earlier.
  return {
    value: token,
    expiresAt: Date.now() + lifeMs * 0.9,
    ...(typeof refreshToken === "string" && refreshToken !== "" ? { refreshToken } : {}),
  };
}
