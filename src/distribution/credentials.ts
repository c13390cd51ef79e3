/** Who asks: what clients send as X-Registry-Auth. */
export type Credentials =
  | { readonly kind: "anonymous" }
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** A refresh token of the registry's token server, given at `login`. */
  | { readonly kind: "identityToken"; readonly token: string }
  /** A bearer token for the registry itself. */
  | { readonly kind: "registryToken"; readonly token: string };

export const anonymous: Credentials = { kind: "anonymous" };

/** Of Docker's AuthConfig, whatever else is in it. */
export function credentialsOf(config: unknown): Credentials {
  if (config === null || typeof config !== "object") return anonymous;
  const text = (key: string): string => {
    const value = (config as Record<string, unknown>)[key];
    return typeof value === "string" ? value : "";
  };
  if (text("registrytoken") !== "") return { kind: "registryToken", token: text("registrytoken") };
  if (text("identitytoken") !== "") return { kind: "identityToken", token: text("identitytoken") };
  let username = text("username");
  let password = text("password");
  if (username === "" && text("auth") !== "") {
    const [name = "", ...rest] = Buffer.from(text("auth"), "base64").toString().split(":");
    username = name;
    password = rest.join(":").replace(/\0+$/, "");
  }
  return username === "" && password === "" ? anonymous : { kind: "password", username, password };
}

/** Of the X-Registry-Auth header: base64url of the JSON of an AuthConfig. An empty one is anonymous, and one that is not that, as with Docker. */
export function credentialsOfHeader(header: string | undefined): Credentials {
  if (header === undefined || header === "") return anonymous;
  try {
    return credentialsOf(JSON.parse(Buffer.from(header, "base64url").toString()));
  } catch {
    return anonymous;
  }
}
