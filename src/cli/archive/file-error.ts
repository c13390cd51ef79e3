import { errnoText } from "../../base/errno-text.ts";
import { type EngineError, errnoOf, isEngineError, messageOf, notFound, systemError } from "../../base/errors.ts";

/** What Node threw of a file operation, in Go's words; everything else as it is. */
export function toldOfFile(error: unknown, path: string): unknown {
  if (errnoOf(error) === undefined || isEngineError(error)) return error;
  const of = (field: "syscall" | "path"): string | undefined => {
    const value: unknown = Reflect.get(error as Error, field);
    return typeof value === "string" ? value : undefined;
  };
  return fileError(of("syscall") ?? "write", of("path") ?? path, error);
}

/** A failed file operation in the words that Go has for it: `lstat /x: no such file or directory`. */
export function fileError(operation: string, path: string, error: unknown): EngineError {
  const known = error instanceof Error && "errno" in error && typeof error.errno === "number";
  const text = `${operation} ${path}: ${known ? errnoText(-(error.errno as number)) : messageOf(error)}`;
  return errnoOf(error) === "ENOENT" ? notFound(text, error) : systemError(text, error);
}
