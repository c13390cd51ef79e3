import type { ContainerSummary } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { filterFlag, filtersQuery, formatFlag, noTruncFlag } from "../flags/list-flags.ts";
import { containerShape } from "../output/containers.ts";
import { formatList, listTemplate } from "../output/format-list.ts";

const tableWithSize = containerShape.table.replace("{{.Names}}", "{{.Names}}\t{{.Size}}");

export const command: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  flags: [
    { name: "all", short: "a", type: "bool", help: "Show all containers (default: only those that run)" },
    filterFlag,
    formatFlag,
    { name: "last", short: "n", type: "int", help: "Show the n containers created last (in any state)", default: "-1" },
    { name: "latest", short: "l", type: "bool", help: "Show the container created last (in any state)" },
    noTruncFlag,
    { name: "quiet", short: "q", type: "bool", help: "Show only IDs" },
    { name: "size", short: "s", type: "bool", help: "Show the sizes of files" },
  ],
  async run(context, flags) {
    const limit = flags.bool("latest") && flags.number("last") === -1 ? 1 : flags.number("last");
    const size = flags.bool("size");
    const shape = size ? { ...containerShape, table: tableWithSize } : containerShape;
    const format = flags.string("format");
    const options = {
      format: format === "" && !flags.bool("quiet") ? context.configuration().text("psFormat") : format,
      quiet: flags.bool("quiet"),
      truncate: !flags.bool("no-trunc"),
    };
    const wantsSize = size || (!["", "json"].includes(options.format) && listTemplate(shape, options).template.uses("Size"));
    const client = context.startedClient();
    const containers = await client.json<ContainerSummary[]>("GET", "/containers/json", {
      query: {
        all: flags.bool("all"),
        limit: limit > 0 ? limit : undefined,
        size: wantsSize && !options.quiet,
        filters: filtersQuery(flags),
      },
    });
    context.out(formatList(shape, containers, options));
    return 0;
  },
};
