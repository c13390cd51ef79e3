import { invalidParameter } from "../base/errors.ts";

/** What a connection over TLS is made with: PEM texts, and whether the server's certificate is checked. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly verify: boolean;
}

/** Where a daemon listens. `text` is what the user wrote, for messages. */
export type Address =
  | { readonly kind: "unix"; readonly path: string; readonly text: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly text: string; readonly tls?: TlsOptions }
  | {
      readonly kind: "ssh";
      readonly user: string | undefined;
      readonly host: string;
      readonly port: string | undefined;
      /** The daemon's socket on the other machine; undefined: that machine's default. */
      readonly path: string | undefined;
      readonly text: string;
    };

export const defaultHost = "unix:///run/berth/berth.sock";

const plainPort = 2375;
const tlsPort = 2376;

function parseSsh(text: string): Address {
  const match = /^ssh:\/\/(?:([^@/]+)@)?(\[[^\]]*\]|[^:/?#]*)(?::(\d+))?(\/[^?#]*)?$/.exec(text);
  const [, user, host = "", port, path = ""] = match ?? [];
  if (match === null) throw invalidParameter(`invalid SSH URL: ${text}`);
  if (user?.includes(":") === true) throw invalidParameter("invalid SSH URL: plain-text password is not supported");
  if (host === "") throw invalidParameter("invalid SSH URL: no host specified");
  // A name that starts with a dash would be an option of ssh.
  if (host.startsWith("-") || user?.startsWith("-") === true) throw invalidParameter(`invalid SSH URL: ${text}`);
  return { kind: "ssh", user, host: host.replace(/^\[|\]$/g, ""), port, path: path === "" || path === "/" ? undefined : path, text };
}

/**
 * Parses a value of `-H`, BERTH_HOST or DOCKER_HOST: `unix://PATH`, `tcp://HOST[:PORT]`, `http://HOST[:PORT]` or
 * `ssh://[USER@]HOST[:PORT][/PATH]`. With `tls`, TCP connections are encrypted.
 * @throws InvalidParameter for anything else
 */
export function parseAddress(text: string, tls?: TlsOptions): Address {
  const match = /^([a-z]+):\/\/(.*)$/.exec(text);
  if (match === null) throw invalidParameter(`unable to parse docker host \`${text}\``);
  const [, scheme = "", rest = ""] = match;
  if (scheme === "unix") return { kind: "unix", path: rest === "" ? "/var/run/docker.sock" : rest, text };
  if (scheme === "ssh") return parseSsh(text);
  if (!["tcp", "http", "https"].includes(scheme)) throw invalidParameter(`protocol not available: ${scheme}`);
  const parts = /^(\[[^\]]*\]|[^:/]*)(?::(\d+))?\/?$/.exec(rest);
  if (parts === null) throw invalidParameter(`unable to parse docker host \`${text}\``);
  const host = (parts[1] ?? "").replace(/^\[|\]$/g, "");
  const secured = tls ?? (scheme === "https" ? { verify: true } : undefined);
  const port = Number(parts[2] ?? (secured === undefined ? plainPort : tlsPort));
  return { kind: "tcp", host: host === "" ? "127.0.0.1" : host, port, text, ...(secured === undefined ? {} : { tls: secured }) };
}
