import { invalidParameter } from "../base/errors.ts";

/** Where a daemon listens. `text` is what the user wrote, for messages. */
export type Address =
  | { readonly kind: "unix"; readonly path: string; readonly text: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly text: string };

export const defaultHost = "unix:///run/berth/berth.sock";

/**
 * Parses a value of `-H`, BERTH_HOST or DOCKER_HOST: `unix://PATH`, `tcp://HOST[:PORT]` or `http://HOST[:PORT]`.
 * @throws InvalidParameter for anything else
 */
export function parseAddress(text: string): Address {
  const match = /^([a-z]+):\/\/(.*)$/.exec(text);
  if (match === null) throw invalidParameter(`unable to parse docker host \`${text}\``);
  const [, scheme = "", rest = ""] = match;
  if (scheme === "unix") return { kind: "unix", path: rest === "" ? "/var/run/docker.sock" : rest, text };
  if (scheme === "ssh")
    throw invalidParameter("ssh:// hosts are not supported: forward the socket with 'ssh -L' and give its path as unix://PATH");
  if (scheme !== "tcp" && scheme !== "http") throw invalidParameter(`protocol not available: ${scheme}`);
  const parts = /^(\[[^\]]*\]|[^:/]*)(?::(\d+))?\/?$/.exec(rest);
  if (parts === null) throw invalidParameter(`unable to parse docker host \`${text}\``);
  const host = (parts[1] ?? "").replace(/^\[|\]$/g, "");
  return { kind: "tcp", host: host === "" ? "127.0.0.1" : host, port: Number(parts[2] ?? 2375), text };
}
