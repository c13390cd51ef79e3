/** Users of an htpasswd file: whoever is in it may do everything. */
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Mutex } from "../base/base.ts";
import { type Access, detailOf, type Grant, type Need } from "./access.ts";
import { checkBcrypt, isBcryptHash, prepareBcrypt } from "./bcrypt.ts";
import { RegistryError } from "./registry-error.ts";

/** Nobody's: what a user that is not there is checked against, so that it takes as long. */
const nobody = "$2y$10$......................0123456789012345678901234567890";
const maxKnown = 1000;
/** Failures of one address that are answered; each is forgotten after a while. */
const maxFailures = 10;
const forgetMs = 60_000;
/** Checks that wait for their turn; each costs some fifty milliseconds. */
const maxWaiting = 32;

/** @throws Error for a line that is none, or a hash that is not bcrypt's */
function readHtpasswd(path: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [at, line] of readFileSync(path, "utf8").split("\n").entries()) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    const colon = text.indexOf(":");
    const hash = text.slice(colon + 1);
    if (colon <= 0) throw new Error(`${path}:${at + 1}: no USER:HASH`);
    if (!isBcryptHash(hash)) throw new Error(`${path}:${at + 1}: only bcrypt hashes are taken (berth registry passwd, htpasswd -B)`);
    users.set(text.slice(0, colon), hash);
  }
  return users;
}

export class HtpasswdAccess implements Access {
  readonly #path: string;
  readonly #realm: string;
  readonly #key = randomBytes(32);
  #users: ReadonlyMap<string, string>;
  /** Keyed hashes of what was found right, so that a client is checked once and not with each request. */
  readonly #known = new Set<string>();
  readonly #failures = new Map<string, { count: number; readonly since: number }>();
  readonly #turn = new Mutex();
  #waiting = 0;

  constructor(path: string, realm: string) {
    this.#path = path;
    this.#realm = realm;
    prepareBcrypt();
    this.#users = readHtpasswd(path);
  }

  reload(): void {
    this.#users = readHtpasswd(this.#path);
    this.#known.clear();
  }

  async authorize(authorization: string | undefined, remote: string, need: Need): Promise<Grant> {
    const text = /^basic +([A-Za-z0-9+/=]+)$/i.exec(authorization ?? "")?.[1];
    const pair = Buffer.from(text ?? "", "base64").toString();
    const colon = pair.indexOf(":");
    if (text === undefined || colon < 0) throw this.#challenge(need);
    const user = pair.slice(0, colon);
    const hash = this.#users.get(user);
    const fingerprint = createHmac("sha256", this.#key)
      .update(`${hash ?? ""}\0${pair}`)
      .digest("base64");
    if (!this.#known.has(fingerprint)) {
      this.#checkRate(remote);
      const isRight = await this.#check(pair.slice(colon + 1), hash ?? nobody);
      if (!isRight || hash === undefined) {
        this.#failed(remote);
        throw this.#challenge(need);
      }
      if (this.#known.size >= maxKnown) this.#known.clear();
      this.#known.add(fingerprint);
    }
    return { user, mayPull: () => true };
  }

  async #check(password: string, hash: string): Promise<boolean> {
    if (this.#waiting >= maxWaiting) throw new RegistryError("TOOMANYREQUESTS", { headers: { "Retry-After": "5" } });
    this.#waiting++;
    try {
      return await this.#turn.run(() => checkBcrypt(password, hash));
    } finally {
      this.#waiting--;
    }
  }

  #checkRate(remote: string): void {
    const known = this.#failures.get(remote);
    if (known === undefined) return;
    if (Date.now() - known.since > forgetMs) this.#failures.delete(remote);
    else if (known.count >= maxFailures)
      throw new RegistryError("TOOMANYREQUESTS", { message: "too many failed logins", headers: { "Retry-After": "60" } });
  }

  #failed(remote: string): void {
    const known = this.#failures.get(remote);
    if (known !== undefined) known.count++;
    else {
      if (this.#failures.size >= 10_000) this.#failures.clear();
      this.#failures.set(remote, { count: 1, since: Date.now() });
    }
  }

  #challenge(need: Need): RegistryError {
    return new RegistryError("UNAUTHORIZED", {
      detail: detailOf(need),
      headers: { "WWW-Authenticate": `Basic realm="${this.#realm}", charset="UTF-8"` },
    });
  }
}
