import type { ListShape } from "./format-list.ts";
import { ellipsis } from "./text.ts";

/** One of `GET /images/search`. */
export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
}

function shownDescription({ description }: SearchResult, truncate: boolean): string {
  const line = description.replaceAll("\n", " ").replaceAll("\r", " ");
  return truncate ? ellipsis(line, 45) : line;
}

export const searchShape: ListShape<SearchResult> = {
  typeName: "registry.searchContext",
  table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
  quiet: "{{.Name}}",
  headers: { Name: "NAME", Description: "DESCRIPTION", StarCount: "STARS", IsOfficial: "OFFICIAL" },
  fields: (result, truncate) => ({
    Description: () => shownDescription(result, truncate),
    IsOfficial: () => (result.is_official ? "[OK]" : ""),
    Name: () => result.name,
    StarCount: () => String(result.star_count),
  }),
  json: (result, truncate) => ({
    Description: shownDescription(result, truncate),
    IsOfficial: String(result.is_official),
    Name: result.name,
    StarCount: String(result.star_count),
  }),
};
