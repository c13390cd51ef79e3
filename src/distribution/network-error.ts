/** Failures of connections, in the words of Go's net, crypto/tls and net/http, which users of Docker know and search for. */
import { isIP } from "node:net";
import { errnoOf, messageOf } from "../base/base.ts";

export class NetworkError extends Error {
  /**
   * `unreachable`: nothing was sent, and nothing will change soon (no such host, refused, not trusted); `astray`: a server has led to
   * where nobody goes; `broken`: it may work again.
   */
  readonly kind: "unreachable" | "astray" | "broken";

  constructor(kind: NetworkError["kind"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "NetworkError";
    this.kind = kind;
  }
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  EACCES: "connect: permission denied",
  EADDRNOTAVAIL: "connect: cannot assign requested address",
  ETIMEDOUT: "connect: connection timed out",
};

const certificateWords: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate signed by unknown authority",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate signed by unknown authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate signed by unknown authority",
  INVALID_CA: "certificate signed by unknown authority",
  CERT_HAS_EXPIRED: "certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "certificate has expired or is not yet valid",
};

interface SystemError {
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  readonly errors?: readonly unknown[];
  readonly cert?: { readonly subjectaltname?: string };
  readonly host?: string;
}

/** What went wrong with a connection, of whatever Node threw. */
export function networkError(thrown: unknown): NetworkError {
  if (thrown instanceof NetworkError) return thrown;
  // Several addresses were tried: Docker tells of the last.
  const detail = (thrown ?? {}) as SystemError;
  if (errnoOf(thrown) !== undefined && detail.errors !== undefined && detail.errors.length > 0) return networkError(detail.errors.at(-1));
  const code = errnoOf(thrown) ?? "";
  const dialled = words[code];
  if (dialled !== undefined) return new NetworkError("unreachable", `dial tcp ${addressOf(detail)}: ${dialled}`, thrown);
  if (code === "ENOTFOUND") return new NetworkError("unreachable", `dial tcp: lookup ${detail.hostname}: no such host`, thrown);
  if (code === "EAI_AGAIN")
    return new NetworkError("unreachable", `dial tcp: lookup ${detail.hostname}: Temporary failure in name resolution`, thrown);
  const certificate = certificateWords[code];
  if (certificate !== undefined) return untrusted(certificate, thrown);
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return untrusted(otherName(detail), thrown);
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" || code === "EPROTO")
    return new NetworkError("unreachable", "http: server gave HTTP response to HTTPS client", thrown);
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_"))
    return new NetworkError(
      "unreachable",
      `remote error: tls: ${code
        .replace(/^ERR_(SSL|TLS)_/, "")
        .toLowerCase()
        .replaceAll("_", " ")}`,
      thrown,
    );
  if (code.startsWith("HPE_"))
    return new NetworkError("unreachable", "net/http: HTTP/1.x transport connection broken: malformed HTTP response", thrown);
  if (code === "ECONNRESET" && /before secure TLS/.test(messageOf(thrown))) return new NetworkError("unreachable", "EOF", thrown);
  if (code === "ECONNRESET") return new NetworkError("broken", "read: connection reset by peer", thrown);
  if (code === "EPIPE") return new NetworkError("broken", "write: broken pipe", thrown);
  return new NetworkError("broken", messageOf(thrown), thrown);
}

function addressOf({ address = "", port }: SystemError): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function untrusted(why: string, cause: unknown): NetworkError {
  return new NetworkError("unreachable", `tls: failed to verify certificate: x509: ${why}`, cause);
}

/** As Go's x509.HostnameError: names are told to who asked by name, addresses to who asked by address. */
function otherName({ cert, host = "" }: SystemError): string {
  const address = isIP(host) !== 0;
  const kind = address ? "IP Address:" : "DNS:";
  const names = (cert?.subjectaltname ?? "").split(", ").flatMap((name) => (name.startsWith(kind) ? [name.slice(kind.length)] : []));
  if (names.length > 0) return `certificate is valid for ${names.join(", ")}, not ${host}`;
  if (address) return `cannot validate certificate for ${host} because it doesn't contain any IP SANs`;
  return `certificate is not valid for any names, but wanted to match ${host}`;
}

/** As Go's url.Error: `Get "https://…": dial tcp …`. */
export function ofRequest(method: string, url: URL | string, error: NetworkError): NetworkError {
  const verb = `${method[0]}${method.slice(1).toLowerCase()}`;
  return new NetworkError(error.kind, `${verb} ${JSON.stringify(String(url))}: ${error.message}`, error);
}
