import { invalidParameter, messageOf } from "../base/base.ts";
import type { LogInfo } from "./logs.ts";

/** Go's flags stand at the beginning of the pattern. */
function pattern(text: string): RegExp {
  const [, flags = "", rest = text] = /^\(\?([ims]+)\)(.*)$/s.exec(text) ?? [];
  try {
    return new RegExp(rest, flags);
  } catch (error) {
    throw invalidParameter(`error parsing regexp: ${messageOf(error)}: \`${text}\``);
  }
}

/**
 * The labels and variables that the options `labels`, `labels-regex`, `env` and `env-regex` pick.
 * @param rename gives each its name as the driver has it
 */
export function attributesOf(info: LogInfo, rename: (name: string) => string = (name) => name): Record<string, string> {
  const found: Record<string, string> = {};
  const { options } = info;
  const pick = (from: ReadonlyMap<string, string>, names = "", shape = ""): void => {
    for (const name of names.split(",")) {
      const value = from.get(name);
      if (value !== undefined && names !== "") found[rename(name)] = value;
    }
    if (shape === "") return;
    const wanted = pattern(shape);
    for (const [name, value] of from) if (wanted.test(name)) found[rename(name)] = value;
  };
  pick(new Map(Object.entries(info.labels)), options["labels"], options["labels-regex"]);
  const env = info.env.filter((entry) => entry.includes("="));
  pick(
    new Map(env.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)])),
    options["env"],
    options["env-regex"],
  );
  return found;
}
