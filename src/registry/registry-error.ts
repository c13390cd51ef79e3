import { errnoOf } from "../base/base.ts";

export type RegistryErrorCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS"
  | "UNAVAILABLE"
  | "UNKNOWN";

/** The distribution specification's error codes ("Error Codes"), and two for 5xx, each with its HTTP status. */
const codes: Readonly<Record<RegistryErrorCode, readonly [number, string]>> = {
  BLOB_UNKNOWN: [404, "blob unknown to registry"],
  BLOB_UPLOAD_INVALID: [400, "blob upload invalid"],
  BLOB_UPLOAD_UNKNOWN: [404, "blob upload unknown to registry"],
  DIGEST_INVALID: [400, "provided digest did not match uploaded content"],
  MANIFEST_BLOB_UNKNOWN: [404, "manifest references a blob unknown to registry"],
  MANIFEST_INVALID: [400, "manifest invalid"],
  MANIFEST_UNKNOWN: [404, "manifest unknown to registry"],
  NAME_INVALID: [400, "invalid repository name"],
  NAME_UNKNOWN: [404, "repository name not known to registry"],
  SIZE_INVALID: [400, "provided length did not match content length"],
  UNAUTHORIZED: [401, "authentication required"],
  DENIED: [403, "requested access to the resource is denied"],
  UNSUPPORTED: [405, "the operation is unsupported"],
  TOOMANYREQUESTS: [429, "too many requests"],
  UNAVAILABLE: [503, "service unavailable"],
  UNKNOWN: [500, "unknown error"],
};

interface Details {
  readonly message?: string;
  readonly detail?: unknown;
  /** Where the code's own does not fit: 416 for a chunk out of order, 413 for what is too large, 507 for a full disk. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A failure that is answered to the client as the specification has it: `{"errors":[{code,message,detail}]}`. */
export class RegistryError extends Error {
  readonly code: RegistryErrorCode;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RegistryErrorCode, details: Details = {}) {
    const [status, message] = codes[code];
    super(details.message ?? message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "RegistryError";
    this.code = code;
    this.status = details.status ?? status;
    this.detail = details.detail;
    this.headers = details.headers ?? {};
  }

  body(): string {
    const detail = this.detail === undefined ? {} : { detail: this.detail };
    return `${JSON.stringify({ errors: [{ code: this.code, message: this.message, ...detail }] })}\n`;
  }
}

/** A full disk is told as such: 507. Whatever else was thrown is given back. */
export function explained(error: unknown): unknown {
  const full = ["ENOSPC", "EDQUOT"].includes(errnoOf(error) ?? "") || (error instanceof Error && /disk is full/.test(error.message));
  return full ? new RegistryError("UNAVAILABLE", { status: 507, message: "no space left on the registry's disk", cause: error }) : error;
}
