import { humanDuration } from "../../base/duration.ts";
import { shortId } from "../../base/ids.ts";
import { formatSize } from "../../base/units.ts";
import type { HistoryResponseItem } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { formatFlag, noTruncFlag, platformFlag } from "../flags/list-flags.ts";
import { platformQuery } from "../options/platform.ts";
import { formatList, type ListShape } from "../output/format-list.ts";
import { ellipsis, goTimeSeconds } from "../output/text.ts";

const shape = (human: boolean): ListShape<HistoryResponseItem> => ({
  typeName: "image.historyContext",
  table: human
    ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
    : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
  quiet: "{{.ID}}",
  headers: { ID: "IMAGE", CreatedSince: "CREATED", CreatedAt: "CREATED AT", CreatedBy: "CREATED BY", Size: "SIZE", Comment: "COMMENT" },
  fields: (item, truncate) => ({
    Comment: () => item.Comment,
    CreatedAt: () => (item.Created === 0 ? "" : goTimeSeconds(new Date(item.Created * 1000))),
    CreatedBy: () => {
      const text = item.CreatedBy.replaceAll("\t", " ");
      return truncate ? ellipsis(text, 45) : text;
    },
    CreatedSince: () => {
      if (!human) return goTimeSeconds(new Date(item.Created * 1000));
      return item.Created === 0 ? "N/A" : `${humanDuration(Date.now() / 1000 - item.Created)} ago`;
    },
    ID: () => (truncate ? shortId(item.Id) : item.Id),
    Size: () => (human ? formatSize(item.Size) : String(item.Size)),
  }),
});

export const command: Command = {
  usage: "[OPTIONS] IMAGE",
  args: { least: 1, most: 1 },
  completes: "images",
  flags: [
    formatFlag,
    { name: "human", short: "H", type: "bool", help: "Print sizes and dates for people", default: "true" },
    noTruncFlag,
    platformFlag,
    { name: "quiet", short: "q", type: "bool", help: "Show only IDs" },
  ],
  async run(context, flags, [name = ""]) {
    const client = context.client();
    const query = await platformQuery(client, "platform", [flags.string("platform")], 48);
    const items = await client.json<HistoryResponseItem[]>("GET", `/images/${imagePath(name)}/history`, { query });
    const options = { format: flags.string("format"), quiet: flags.bool("quiet"), truncate: !flags.bool("no-trunc") };
    context.out(formatList(shape(flags.bool("human")), items, options));
    return 0;
  },
};

/** References hold slashes that stand for themselves in the path. */
const imagePath = (name: string): string => encodeURI(name);
