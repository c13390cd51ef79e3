/** Whom to trust and who to be: `certs.d/<host:port>/` with `*.crt` (authorities), `*.cert` and `*.key` (of the client), as Docker has it. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import { errnoOf, systemError } from "../base/base.ts";

/** How to speak TLS with a host. The context holds the parsed certificates: making one costs milliseconds. */
export interface TlsSettings {
  /** False for insecure registries: any certificate will do. */
  readonly verify: boolean;
  readonly context: SecureContext;
  /** Of all that it was made of. */
  readonly fingerprint: string;
}

/** Where Linux distributions keep the system's authorities: Go's list (crypto/x509/root_linux.go). */
const systemFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

let ofSystem: Promise<string | undefined> | undefined;

/** The system's authorities as PEM; undefined where it has none, and Node's own list serves. Read once. */
function systemAuthorities(): Promise<string | undefined> {
  ofSystem ??= (async () => {
    for (const path of [process.env["SSL_CERT_FILE"] ?? "", ...systemFiles]) {
      const found = path === "" ? undefined : await readIfThere(path);
      if (found !== undefined) return found;
    }
    return undefined;
  })();
  return ofSystem;
}

interface HostFiles {
  readonly authorities: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
}

async function hostFiles(folder: string): Promise<HostFiles> {
  let names: string[];
  try {
    names = (await readdir(folder)).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return { authorities: [] };
    throw systemError(`open ${folder}: ${errnoOf(error) ?? "cannot be read"}`, error);
  }
  const authorities: string[] = [];
  let client: HostFiles["client"];
  for (const name of names) {
    const path = join(folder, name);
    const partner = (ending: string): string => name.replace(/\.(cert|key)$/, ending);
    if (name.endsWith(".crt")) authorities.push(await readFile(path, "utf8"));
    if (name.endsWith(".key") && !names.includes(partner(".cert")))
      throw systemError(`missing client certificate ${partner(".cert")} for key ${name}`);
    if (!name.endsWith(".cert")) continue;
    if (!names.includes(partner(".key")))
      throw systemError(`missing key ${partner(".key")} for client certificate ${name}. CA certificates must use the extension .crt`);
    client ??= { cert: await readFile(path, "utf8"), key: await readFile(join(folder, partner(".key")), "utf8") };
  }
  return { authorities, ...(client === undefined ? {} : { client }) };
}

/**
 * @param options.authorities PEM, trusted besides those of the folder; @param options.client in place of the folder's
 * @param options.also a registry whose authorities serve as well: that of the token server's
 * @param known what was made before: given back when nothing has changed, since to parse all certificates takes milliseconds
 * @throws System, in Docker's words, when a key or a certificate has no partner
 */
export async function tlsSettings(
  folder: string,
  host: string,
  options: {
    readonly verify: boolean;
    readonly also?: string;
    readonly authorities?: readonly string[];
    readonly client?: { readonly cert: string; readonly key: string };
  },
  known?: TlsSettings,
): Promise<TlsSettings> {
  const { verify, also, authorities = [] } = options;
  const own = await hostFiles(join(folder, host));
  const others = also === undefined || also === host ? [] : (await hostFiles(join(folder, also))).authorities;
  const trusted = [...authorities, ...own.authorities, ...others];
  const client = options.client ?? own.client;
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([verify, trusted, client ?? null]))
    .digest("base64");
  if (known?.fingerprint === fingerprint) return known;
  const system = verify ? await systemAuthorities() : undefined;
  // Without a list of the system's, Node's stays in force unless others are given.
  const ca = system === undefined && trusted.length === 0 ? undefined : [...(system === undefined ? [] : [system]), ...trusted];
  const context = createSecureContext({ ...(ca === undefined ? {} : { ca }), ...client });
  return { verify, context, fingerprint };
}
