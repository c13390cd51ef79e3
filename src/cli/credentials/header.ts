/** X-Registry-Auth: what a request says of who asks, when the daemon has to ask a registry. */
import type { Reference } from "../../base/reference.ts";
import type { Configuration } from "../configuration.ts";
import { type AuthConfig, CredentialStore, hubAddress } from "./store.ts";

/** @param domain as references have it */
export async function credentialsFor(configuration: Configuration, domain: string): Promise<AuthConfig> {
  return await new CredentialStore(configuration).get(domain === "docker.io" ? hubAddress : domain);
}

function headerOf(auth: AuthConfig): Readonly<Record<string, string>> {
  const encoded = Buffer.from(JSON.stringify(auth)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return { "X-Registry-Auth": encoded };
}

/** Sent also where there are none: `{}`. */
export async function registryAuth(
  configuration: Configuration,
  reference: Pick<Reference, "domain">,
): Promise<Readonly<Record<string, string>>> {
  return headerOf(await credentialsFor(configuration, reference.domain));
}
