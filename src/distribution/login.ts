/** `docker login`'s question, in Docker's words. */
import { EngineError } from "../base/base.ts";
import type { Credentials } from "./credentials.ts";
import { NetworkError } from "./network-error.ts";
import { engineErrorOf, RegistryError } from "./refusal.ts";
import { type Services, Session } from "./session.ts";
import { discard } from "./transport.ts";

/** `https://index.docker.io/v1/` → `docker.io`; anything else without its scheme and path. */
export function hostOf(server: string): string {
  const host =
    server
      .trim()
      .replace(/^https?:\/\//, "")
      .split("/")[0] ?? "";
  return host === "" || host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

export async function logIn(
  server: string,
  credentials: Credentials,
  services: Services,
  signal?: AbortSignal,
): Promise<{ identityToken?: string }> {
  let failure: unknown;
  for (const endpoint of await services.endpoints.own(hostOf(server))) {
    const session = new Session(endpoint, credentials, services);
    try {
      return await attempt(session, credentials, signal);
    } catch (error) {
      failure = error;
      if (!(error instanceof NetworkError) || session.hasAnswered) break;
    }
  }
  throw engineErrorOf(failure, undefined);
}

async function attempt(session: Session, credentials: Credentials, signal?: AbortSignal): Promise<{ identityToken?: string }> {
  const url = `${session.endpoint.base}/v2/`;
  try {
    const answer = await session.ask({ at: "/v2/", scopes: [], expect: [200, 401], signal });
    await discard(answer);
    if (answer.status !== 200) throw new EngineError("Unauthorized", `login attempt to ${url} failed with status: ${answer.statusText}`);
    const identityToken = credentials.kind === "password" ? await session.refreshToken() : undefined;
    return identityToken === undefined ? {} : { identityToken };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    throw new RegistryError(error.status, error.code, `Get ${JSON.stringify(url)}: ${error.message}`, error.retryAfterMs);
  }
}
