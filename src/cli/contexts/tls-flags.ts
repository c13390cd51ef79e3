import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { invalidParameter } from "../../base/errors.ts";
import type { TlsOptions } from "../../client/address.ts";
import { fileError } from "../archive/file-error.ts";
import type { FlagValues } from "../flags/flag.ts";

/** What the flags and DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH ask for. */
export function tlsOptions(flags: FlagValues, folder: string): TlsOptions | undefined {
  const asked = (flag: string, variable: string): boolean =>
    flags.changed(flag) ? flags.bool(flag) : (process.env[variable] ?? "") !== "";
  const verify = asked("tlsverify", "DOCKER_TLS_VERIFY");
  if (!asked("tls", "DOCKER_TLS") && !verify && !flags.changed("tlsverify")) return undefined;
  const given = process.env["DOCKER_CERT_PATH"] ?? "";
  const certificates = given === "" ? folder : given;
  const read = (flag: string, file: string, what: string, needed: boolean): string | undefined => {
    const named = flags.string(flag);
    const path = named === "" ? join(certificates, file) : named.replace(/^(["'])(.*)\1$/, "$2");
    if (named === "" && !needed && !existsSync(path)) return undefined;
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw invalidParameter(`could not read ${what} ${JSON.stringify(path)}: ${fileError("open", path, error).message}`, error);
    }
  };
  const ca = verify ? read("tlscacert", "ca.pem", "CA certificate", true) : undefined;
  const cert = read("tlscert", "cert.pem", "X509 key pair", false);
  const key = read("tlskey", "key.pem", "X509 key pair", false);
  return { verify, ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
}
