/** `--docker host=…,ca=…`: the endpoint of a context, from words or from another context. */
import { readFileSync } from "node:fs";
import { invalidParameter, messageOf } from "../../base/errors.ts";
import { parseAddress } from "../../client/address.ts";
import { fileError } from "../archive/file-error.ts";
import type { DockerEndpoint, TlsFiles } from "./context-store.ts";

export interface Endpoint {
  readonly docker: DockerEndpoint;
  readonly tls: TlsFiles;
}

const fields = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];
const files = ["ca", "cert", "key"];

function truth(text: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["", "0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw invalidParameter(`skip-tls-verify: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fileError("open", path, error);
  }
}

/**
 * The endpoint that `--docker` describes: `host=…,ca=…`.
 * @param inherited what `default` means now, and what `from` copies of others
 * @throws InvalidParameter with Docker's wording
 */
export function endpointOf(given: ReadonlyMap<string, string>, inherited: (from: string) => Endpoint): Endpoint {
  try {
    const unknown = [...given.keys()].find((key) => !fields.includes(key));
    if (unknown !== undefined) throw invalidParameter(`unrecognized config key: ${unknown}`);
    const from = given.get("from");
    if (from !== undefined) return inherited(from);
    const tls = new Map(files.filter((key) => given.has(key)).map((key) => [`${key}.pem`, readFile(given.get(key) ?? "")]));
    const skip = truth(given.get("skip-tls-verify") ?? "");
    const host = given.get("host") ?? "";
    try {
      if (host !== "") parseAddress(host);
    } catch (error) {
      throw invalidParameter(`unable to apply docker endpoint options: ${messageOf(error)}`, error);
    }
    return { docker: { Host: host, SkipTLSVerify: skip }, tls };
  } catch (error) {
    throw invalidParameter(`unable to create docker endpoint config: ${messageOf(error)}`, error);
  }
}
