/** A token service (distribution's token specification) that gives tokens to `sailor:berth` only: for whatever is asked but what is below `shut/`. */
import { execFile } from "node:child_process";
import { createPrivateKey, type KeyObject, sign, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

export interface AskedFor {
  readonly authorization: string | undefined;
  readonly scopes: readonly string[];
}

export class TokenServer implements AsyncDisposable {
  static readonly service: string = "harbour";
  static readonly issuer: string = "master";
  readonly asked: AskedFor[] = [];
  /** The certificate of the key that signs: what registries are given to trust. */
  readonly certFile: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #key: KeyObject;
  readonly #certificate: string;

  private constructor(folder: string, key: string, certificate: string) {
    this.#folder = folder;
    this.certFile = join(folder, "cert.pem");
    this.#key = createPrivateKey(key);
    this.#certificate = new X509Certificate(certificate).raw.toString("base64");
    this.#server = createServer((request, response) => {
      const scopes = new URL(request.url ?? "", "http://x").searchParams.getAll("scope").flatMap((scope) => scope.split(" "));
      const { authorization } = request.headers;
      this.asked.push({ authorization, scopes });
      if (authorization !== `Basic ${Buffer.from("sailor:berth").toString("base64")}`) response.writeHead(401).end("{}");
      else response.setHeader("content-type", "application/json").end(JSON.stringify({ token: this.#tokenFor(scopes), expires_in: 300 }));
    });
  }

  static async open(): Promise<TokenServer> {
    const folder = await mkdtemp("/var/tmp/berth-test-tokens-");
    const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await promisify(execFile)("openssl", ["req", "-x509", "-days", "2", ...key, ...files, "-subj", "/CN=tokens"]);
    const [pem, certificate] = await Promise.all(["key.pem", "cert.pem"].map((name) => readFile(join(folder, name), "utf8")));
    const server = new TokenServer(folder, pem ?? "", certificate ?? "");
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get realm(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  /** Lines of docker-registry's configuration. */
  get configuration(): string {
    const { realm, certFile } = this;
    return `auth:\n  token:\n    realm: ${realm}\n    service: ${TokenServer.service}\n    issuer: ${TokenServer.issuer}\n    rootcertbundle: ${certFile}\n`;
  }

  #tokenFor(scopes: readonly string[]): string {
    const access = scopes.flatMap((scope) => {
      const [type, ...rest] = scope.split(":");
      const actions = rest.pop() ?? "";
      const name = rest.join(":");
      return name.startsWith("shut/") ? [] : [{ type, name, actions: actions.split(",") }];
    });
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { iss: TokenServer.issuer, aud: TokenServer.service, sub: "sailor", nbf: now - 5, exp: now + 300, access };
    const signed = `${part({ alg: "ES256", typ: "JWT", x5c: [this.#certificate] })}.${part(claims)}`;
    const signature = sign("sha256", Buffer.from(signed), { key: this.#key, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true });
  }
}
