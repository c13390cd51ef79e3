import { invalidParameter, isEngineError } from "../base/base.ts";
import type { Platform } from "../spec/spec.ts";
import type { Call } from "./call.ts";

/**
 * The parameters `name`, each a platform as JSON, as Docker's newer endpoints take it.
 * @param since the minor version of the API from which on there is such a parameter
 * @throws InvalidParameter in Docker's words
 */
function platforms(call: Call, name: string, since: number): Platform[] {
  if (call.minor < since) return [];
  return call.query
    .all(name)
    .filter((text) => text !== "")
    .map(parse);
}

/** One platform or none. */
export function platformParameter(call: Call, since: number): { platform?: Platform } {
  const [platform, ...more] = platforms(call, "platform", since);
  if (more.length > 0) throw invalidParameter("multiple platform parameters not supported");
  return platform === undefined ? {} : { platform };
}

/** The same under the name that a removal has for it. */
export function platformsParameter(call: Call, since: number): { platform?: Platform } {
  const [platform, ...more] = platforms(call, "platforms", since);
  if (more.length > 0) throw invalidParameter("multiple platforms are not supported");
  return platform === undefined ? {} : { platform };
}

function parse(text: string): Platform {
  let value: unknown;
  try {
    value = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidParameter("not an object");
  } catch (error) {
    throw invalidParameter(`failed to parse platform: ${isEngineError(error) ? error.message : `invalid JSON`}`, error);
  }
  const member = (name: string): string => {
    const found = (value as Record<string, unknown>)[name] ?? "";
    if (typeof found !== "string") throw invalidParameter(`failed to parse platform: ${name} is not a string`);
    return found;
  };
  const [os, architecture, variant, version] = ["os", "architecture", "variant", "os.version"].map(member) as [
    string,
    string,
    string,
    string,
  ];
  if (os === "" && architecture === "" && (variant !== "" || version !== ""))
    throw invalidParameter("optional platform components provided, but OS and Architecture are empty");
  if (os === "" || architecture === "") throw invalidParameter("both OS and Architecture must be provided");
  return { os, architecture, ...(variant === "" ? {} : { variant }) };
}
