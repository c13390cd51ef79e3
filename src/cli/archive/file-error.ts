import { getSystemErrorMessage } from "node:util";
import { type EngineError, errnoOf, messageOf, notFound, systemError } from "../../base/errors.ts";

/** A failed file operation in the words that Go has for it: `lstat /x: no such file or directory`. */
export function fileError(operation: string, path: string, error: unknown): EngineError {
  const known = error instanceof Error && "errno" in error && typeof error.errno === "number";
  const text = `${operation} ${path}: ${known ? getSystemErrorMessage(error.errno as number) : messageOf(error)}`;
  return errnoOf(error) === "ENOENT" ? notFound(text, error) : systemError(text, error);
}
