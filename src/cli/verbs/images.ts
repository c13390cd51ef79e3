import type { ImageSummary } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import { filterFlag, filtersQuery, formatFlag, noTruncFlag } from "../flags/list-flags.ts";
import { formatList } from "../output/format-list.ts";
import { imageTree } from "../output/image-tree.ts";
import { imageShape, namedImages } from "../output/images.ts";

const tableWithDigests = imageShape.table.replace("{{.Tag}}", "{{.Tag}}\t{{.Digest}}");

/** @throws ExitError in docker's words for flags that a tree does not go with */
function checkTree(flags: FlagValues): void {
  const others = { quiet: flags.bool("quiet"), "no-trunc": flags.bool("no-trunc"), "show-digest": flags.bool("digests") };
  for (const [name, given] of Object.entries({ ...others, format: flags.string("format") !== "" }))
    if (given) throw new ExitError(1, `--${name} is not yet supported with --tree`);
}

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
    { name: "tree", type: "bool", help: "Show the platforms of each image (EXPERIMENTAL)" },
  ],
  async run(context, flags, [name]) {
    const tree = flags.bool("tree");
    if (tree) checkTree(flags);
    const client = context.startedClient();
    const images = await client.json<ImageSummary[]>("GET", "/images/json", {
      query: {
        all: flags.bool("all"),
        filters: filtersQuery(flags, name === undefined ? [] : [["reference", name]]),
        ...(tree ? { manifests: 1 } : {}),
      },
    });
    if (tree) {
      const { isTTY, columns } = process.stdout;
      const shown = flags.bool("all") ? images : images.filter(({ RepoTags }) => (RepoTags ?? []).length > 0);
      context.out(imageTree(shown, { width: isTTY ? columns : 80, colours: isTTY }));
      return 0;
    }
    const given = flags.string("format");
    const format = given === "" && !flags.bool("quiet") ? context.configuration().text("imagesFormat") : given;
    const digests = flags.bool("digests") || /\.Digest\b/.test(format);
    const shape = flags.bool("digests") ? { ...imageShape, table: tableWithDigests } : imageShape;
    const options = { format, quiet: flags.bool("quiet"), truncate: !flags.bool("no-trunc") };
    context.out(formatList(shape, namedImages(images, digests), options));
    return 0;
  },
};
