import { parseReference } from "../../base/reference.ts";
import type { Command } from "../command.ts";
import { registryAuth } from "../credentials/header.ts";
import { filterFlag, filtersQuery, formatFlag, noTruncFlag } from "../flags/list-flags.ts";
import { formatList } from "../output/format-list.ts";
import { type SearchResult, searchShape } from "../output/search-results.ts";

/** The registry that is searched: what stands before the words, where it can only be a host. */
function domainOf(term: string): string {
  try {
    return parseReference(term).domain;
  } catch {
    return "docker.io";
  }
}

export const command: Command = {
  usage: "[OPTIONS] TERM",
  args: { least: 1, most: 1 },
  flags: [filterFlag, formatFlag, { name: "limit", type: "int", help: "Show at most so many" }, noTruncFlag],
  async run(context, flags, [term = ""]) {
    const limit = flags.number("limit");
    const results = await context.startedClient().json<SearchResult[]>("GET", "/images/search", {
      query: { term, limit: limit === undefined || limit === 0 ? undefined : limit, filters: filtersQuery(flags) },
      headers: await registryAuth(context.configuration(), { domain: domainOf(term) }),
    });
    const options = { format: flags.string("format"), quiet: false, truncate: !flags.bool("no-trunc") };
    context.out(formatList(searchShape, results, options));
    return 0;
  },
};
