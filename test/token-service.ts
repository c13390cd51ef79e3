/** A token service as Docker's specification has it: one user, sailor with the password secret, and rules for whom it gives what. */
import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface TokenService extends AsyncDisposable {
  readonly url: string;
  /** Scopes that clients wanted, in the order that they came in. */
  readonly asked: string[];
}

/**
 * @param keyFile where its public key is written
 * @param may actions in a repository; of a client without a password `user` is undefined
 */
export async function tokenService(
  keyFile: string,
  may: (user: string | undefined, repository: string) => readonly string[],
): Promise<TokenService> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(keyFile, publicKey.export({ type: "spki", format: "pem" }));
  const asked: string[] = [];
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    const scopes = url.searchParams.getAll("scope").flatMap((scope) => scope.split(" "));
    asked.push(...scopes);
    const { authorization } = request.headers;
    response.setHeader("Content-Type", "application/json");
    if (authorization !== undefined && authorization !== `Basic ${Buffer.from("sailor:secret").toString("base64")}`)
      return void response.writeHead(401).end('{"details":"incorrect username or password"}');
    const user = authorization === undefined ? undefined : "sailor";
    const access = scopes.map((scope) => {
      const [type = "", name = "", actions = ""] = scope.split(":");
      return { type, name, actions: actions.split(",").filter((action) => may(user, name).includes(action)) };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: "auth.example.com", aud: url.searchParams.get("service"), sub: user ?? "", nbf: now, exp: now + 300, access };
    const data = `${part({ typ: "JWT", alg: "ES256" })}.${part(claims)}`;
    const signature = sign("sha256", Buffer.from(data), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
    response.end(JSON.stringify({ token: `${data}.${signature}`, expires_in: 300 }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
