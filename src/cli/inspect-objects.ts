import { messageOf } from "../base/errors.ts";
import { type Context, ExitError } from "./command.ts";
import { absentField, type InspectedKind, typedValue } from "./output/go-types.ts";
import { indentJson } from "./output/indent-json.ts";
import { compileTemplate, type Template } from "./template/template.ts";

/** Docker reads a volume and writes it anew: its maps come in the order of their keys, as its fields do. */
export function sortedJson(json: string): string {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, one]) => [key, sorted(one)]),
    );
  };
  return JSON.stringify(sorted(JSON.parse(json)));
}

/** An object as the daemon wrote it. */
export interface Inspected {
  readonly kind: InspectedKind;
  readonly json: string;
}

/** Exit status for a template that cannot be read, as Docker has it. */
const badTemplateStatus = 64;

function templateOf(format: string): Template | undefined {
  if (format === "" || format === "json") return undefined;
  try {
    return compileTemplate(format);
  } catch (error) {
    throw new ExitError(badTemplateStatus, `template parsing error: ${messageOf(error)}`);
  }
}

function formatted(objects: readonly Inspected[], format: string, template: Template | undefined): { text: string; failure?: string } {
  const all = `[${objects.map(({ json }) => json.trim()).join(",")}]`;
  if (template === undefined) return { text: `${format === "json" ? all : indentJson(all, "    ")}\n` };
  let text = "";
  for (const { kind, json } of objects) {
    try {
      text += `${template.execute(typedValue(kind, json), (path) => absentField(kind, path))}\n`;
    } catch (error) {
      return { text: `${text}\n`, failure: `template parsing error: ${messageOf(error)}` };
    }
  }
  return { text: text === "" ? "\n" : text };
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
  const template = templateOf(format);
  const found: Inspected[] = [];
  const failures: string[] = [];
  for (const name of names) {
    try {
      found.push(await get(name));
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  const { text, failure } = formatted(found, format, template);
  context.out(text);
  if (failure !== undefined) failures.unshift(failure);
  if (failures.length > 0) throw new ExitError(1, failures.join("\n"));
  return 0;
}
