import { invalidParameter, messageOf } from "../../base/errors.ts";
import { Computed, compileTemplate, type Template } from "../template/template.ts";
import { asGoMap } from "../template/values.ts";
import { alignTable } from "./table.ts";

/** How a kind of list is shown. */
export interface ListShape<Item> {
  /** Go's name of the context type, for messages. */
  readonly typeName: string;
  /** What a message about a wrong field begins with, unless it is what most lists have. */
  readonly failure?: string;
  /** Column heads by field. */
  readonly headers: Readonly<Record<string, string>>;
  readonly table: string;
  /** With `--quiet`. */
  readonly quiet: string;
  /** For `--format raw`. */
  readonly raw?: string;
  fields(item: Item, truncate: boolean): Record<string, () => unknown>;
  /** What `{{json .}}` shows, where that is not all fields as they are. */
  json?(item: Item, truncate: boolean): unknown;
}

export interface ListOptions {
  /** As `--format` gives it; empty: the table. */
  readonly format: string;
  readonly quiet: boolean;
  readonly truncate: boolean;
}

type Sources = Pick<ListShape<never>, "table" | "quiet" | "raw">;

function sourceOf(shape: Sources, options: ListOptions): { table: boolean; source: string } {
  const format = options.format === "" ? "table" : options.format;
  if (options.quiet && (format === "table" || options.format === "")) return { table: false, source: shape.quiet };
  if (format === "table") return { table: true, source: shape.table };
  if (format === "json") return { table: false, source: "{{json .}}" };
  if (format === "raw" && shape.raw !== undefined) return { table: false, source: options.quiet ? shape.quiet : shape.raw };
  const table = /^table(?=\s|\{|\\t)/.test(format);
  const body = table ? format.slice("table".length).replace(/^[ ]+/, "") : format;
  return { table, source: body.replaceAll("\\t", "\t").replaceAll("\\n", "\n") };
}

export interface ListTemplate {
  readonly template: Template;
  readonly table: boolean;
}

/** Compiles what `--format` and `--quiet` ask for; `template.uses` then tells what must be asked of the daemon. */
export function listTemplate(shape: Sources, options: ListOptions): ListTemplate {
  const { table, source } = sourceOf(shape, options);
  try {
    return { table, template: compileTemplate(source) };
  } catch (error) {
    throw invalidParameter(`failed to parse template: ${messageOf(error)}`, error);
  }
}

/** The fields of a template that is nothing but fields between tabs, as the usual tables are. */
function plainColumns(source: string): string[] | undefined {
  return /^\{\{\.\w+\}\}(?:\t\{\{\.\w+\}\})*$/.test(source) ? source.slice(3, -2).split("}}\t{{.") : undefined;
}

/** A label's column is called as the last part of its name. */
const labelHeader = (name: unknown): string => (String(name).split(".").at(-1) ?? "").replaceAll(/[-_]/g, " ");

/** The whole text of a list, ready to be printed. */
export function formatList<Item>(shape: ListShape<Item>, items: readonly Item[], options: ListOptions): string {
  // The usual tables need no template engine, whose first use costs as much as asking the daemon.
  const columns = options.format === "" ? plainColumns(options.quiet ? shape.quiet : shape.table) : undefined;
  if (columns !== undefined) {
    const lines = items.map((item) => {
      const fields = shape.fields(item, options.truncate);
      return `${columns.map((name) => fields[name]?.() ?? "").join("\t")}\n`;
    });
    if (options.quiet) return lines.join("");
    return alignTable(`${columns.map((name) => shape.headers[name] ?? "").join("\t")}\n${lines.join("")}`);
  }
  const { template, table } = listTemplate(shape, options);
  let text = "";
  for (const item of items) {
    try {
      const { truncate } = options;
      text += `${template.execute(new Computed(shape.typeName, shape.fields(item, truncate), shape.json?.(item, truncate)))}\n`;
    } catch (error) {
      throw invalidParameter(`${shape.failure ?? "template parsing error"}: ${messageOf(error)}`, error);
    }
  }
  if (!table) return text;
  return alignTable(`${template.execute(asGoMap({ ...shape.headers, Label: labelHeader }))}\n${text}`);
}
