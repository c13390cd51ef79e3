import type { ImageSummary } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { filterFlag, filtersQuery, formatFlag, noTruncFlag } from "../flags/list-flags.ts";
import { formatList } from "../output/format-list.ts";
import { imageShape, namedImages } from "../output/images.ts";

const tableWithDigests = imageShape.table.replace("{{.Tag}}", "{{.Tag}}\t{{.Digest}}");

export const command: Command = {
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  args: { least: 0, most: 1 },
  completes: "images",
  flags: [
    { name: "all", short: "a", type: "bool", help: "Show intermediate images too" },
    { name: "digests", type: "bool", help: "Show digests" },
    filterFlag,
    formatFlag,
    noTruncFlag,
    { name: "quiet", short: "q", type: "bool", help: "Show only IDs" },
  ],
  async run(context, flags, [name]) {
    const client = context.startedClient();
    const images = await client.json<ImageSummary[]>("GET", "/images/json", {
      query: { all: flags.bool("all"), filters: filtersQuery(flags, name === undefined ? [] : [["reference", name]]) },
    });
    const given = flags.string("format");
    const format = given === "" && !flags.bool("quiet") ? context.configuration().text("imagesFormat") : given;
    const digests = flags.bool("digests") || /\.Digest\b/.test(format);
    const shape = flags.bool("digests") ? { ...imageShape, table: tableWithDigests } : imageShape;
    const options = { format, quiet: flags.bool("quiet"), truncate: !flags.bool("no-trunc") };
    context.out(formatList(shape, namedImages(images, digests), options));
    return 0;
  },
};
