import type { FlagSpec, FlagValues } from "./flag.ts";

export const formatFlag: FlagSpec = {
  name: "format",
  type: "string",
  help: "How to print: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE', where TEMPLATE is a Go template",
};

export const inspectFormatFlag: FlagSpec = {
  name: "format",
  short: "f",
  type: "string",
  help: "How to print: 'json' or 'TEMPLATE', a Go template",
};

export const filterFlag: FlagSpec = { name: "filter", short: "f", type: "filter", many: true, help: "Show only what meets the condition" };
export const noTruncFlag: FlagSpec = { name: "no-trunc", type: "bool", help: "Don't truncate output" };
export const platformFlag: FlagSpec = { name: "platform", type: "string", help: 'Platform to use ("os[/arch[/variant]]")' };

/** The `filters` parameter of the API: `{"name":{"value":true}}`; undefined without filters. */
export function filtersQuery(flags: FlagValues, extra: readonly (readonly [string, string])[] = []): string | undefined {
  const filters: Record<string, Record<string, true>> = {};
  const add = (key: string, value: string): void => {
    filters[key] = { ...filters[key], [value]: true };
  };
  for (const text of flags.list("filter")) {
    const equals = text.indexOf("=");
    add(text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim());
  }
  for (const [key, value] of extra) add(key, value);
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
