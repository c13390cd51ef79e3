import { invalidParameter, messageOf } from "../base/errors.ts";
import { type Context, ExitError } from "./command.ts";
import { absentContainerFields, absentImageFields } from "./output/absent-fields-table.ts";
import { indentJson } from "./output/indent-json.ts";
import { compileTemplate } from "./template/template.ts";

/** An object as the daemon wrote it. */
export interface Inspected {
  readonly kind: "container" | "image" | "network";
  readonly json: string;
}

const absentOf = (kind: Inspected["kind"]): ((path: readonly string[]) => unknown) => {
  const table = kind === "container" ? absentContainerFields : kind === "image" ? absentImageFields : {};
  return (path) => (Object.hasOwn(table, path.join(".")) ? table[path.join(".")] : undefined);
};

function formatted(objects: readonly Inspected[], format: string): string {
  if (format === "") {
    // What the daemon wrote, laid out; objects of different kinds stand in one list.
    return objects.length === 0 ? "[]\n" : `${indentJson(`[${objects.map(({ json }) => json).join(",")}]`, "    ")}\n`;
  }
  if (format === "json") return `[${objects.map(({ json }) => json.trim()).join(",")}]\n`;
  let template: ReturnType<typeof compileTemplate>;
  try {
    template = compileTemplate(format.replaceAll("\\t", "\t").replaceAll("\\n", "\n"));
    return objects.map(({ kind, json }) => `${template.execute(JSON.parse(json), absentOf(kind))}\n`).join("");
  } catch (error) {
    throw invalidParameter(`template parsing error: ${messageOf(error)}`, error);
  }
}

/**
 * Prints objects in the order asked for; what was found is printed though others were not.
 * @throws ExitError with the failures
 */
export async function inspectObjects(
  context: Context,
  names: readonly string[],
  format: string,
  get: (name: string) => Promise<Inspected>,
): Promise<number> {
  const found: Inspected[] = [];
  const failures: string[] = [];
  for (const name of names) {
    try {
      found.push(await get(name));
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  context.out(format !== "" && format !== "json" && found.length === 0 ? (failures.length > 0 ? "\n" : "") : formatted(found, format));
  if (failures.length > 0) throw new ExitError(1, failures.join("\n"));
  return 0;
}
