/**
 * The one error type of the engine. Every failure that a client may see is an EngineError with a code;
 * anything else that is thrown is a bug and is answered as `System`.
 */
export type ErrorCode =
  | "NotFound"
  | "InvalidParameter"
  | "Conflict"
  | "NotModified"
  | "Unauthorized"
  | "Forbidden"
  | "Unavailable"
  | "NotImplemented"
  | "System"
  | "Cancelled";

/** The only table from code to HTTP status; `api` answers with it, `client` reads it backwards. */
export const httpStatus: Readonly<Record<ErrorCode, number>> = {
  NotFound: 404,
  InvalidParameter: 400,
  Conflict: 409,
  NotModified: 304,
  Unauthorized: 401,
  Forbidden: 403,
  Unavailable: 503,
  NotImplemented: 501,
  System: 500,
  Cancelled: 499,
};

export class EngineError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EngineError";
    this.code = code;
  }
}

type Make = (message: string, cause?: unknown) => EngineError;

const maker =
  (code: ErrorCode): Make =>
  (message, cause) =>
    new EngineError(code, message, cause === undefined ? undefined : { cause });

export const notFound: Make = maker("NotFound");
export const invalidParameter: Make = maker("InvalidParameter");
export const conflict: Make = maker("Conflict");
export const notModified: Make = maker("NotModified");
export const forbidden: Make = maker("Forbidden");
export const unavailable: Make = maker("Unavailable");
export const notImplemented: Make = maker("NotImplemented");
export const systemError: Make = maker("System");
export const cancelled: Make = maker("Cancelled");

/** True for an EngineError, of that code if one is given. */
export function isEngineError(error: unknown, code?: ErrorCode): error is EngineError {
  return error instanceof EngineError && (code === undefined || error.code === code);
}

/** The `code` of a Node system error (ENOENT, …), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** What an error of a full disk, or of another limit of the system, says as the system says it: `mkdir /x: no space left on device`. */
export function systemFailureOf(error: unknown): string | undefined {
  const code = errnoOf(error);
  if (code === undefined || !(error instanceof Error)) return undefined;
  const shown = /^E[A-Z0-9]+: (.*?), (\w+)(?: '(.*)')?$/s.exec(error.message);
  if (shown !== null) return `${shown[2]}${shown[3] === undefined ? "" : ` ${shown[3]}`}: ${shown[1]}`;
  return code === "ERR_SQLITE_ERROR" ? error.message : undefined;
}

/** What to print of anything thrown; of a SuppressedError, the first failure (not the cleanup's). */
export function messageOf(error: unknown): string {
  if (error instanceof SuppressedError) return messageOf(error.suppressed);
  return error instanceof Error ? error.message : String(error);
}
