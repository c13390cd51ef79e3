import { shortId } from "../../base/ids.ts";
import { formatSize } from "../../base/units.ts";
import type { ImageCollection } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { eachTarget } from "../each-target.ts";
import { imagePath } from "../object-paths.ts";
import { alignTable } from "../output/table.ts";
import { isJson } from "./image-layers.ts";

function table({ DryRun, Removed, Kept, SpaceReclaimed, Stored, Free }: ImageCollection): string {
  const nameless = (names: readonly string[]): string => (names.length === 0 ? "<none>" : names.join(", "));
  const rows = [
    ...Removed.map((image) => [
      DryRun ? "would go" : "removed",
      image.Reason,
      shortId(image.Id),
      formatSize(image.Size),
      nameless(image.Names),
    ]),
    ...Kept.map((image) => ["kept", image.Reason, shortId(image.Id), "", nameless(image.Names)]),
  ].map((cells) => cells.join("\t"));
  const list = rows.length === 0 ? "" : alignTable(`${["WHAT\tWHY\tIMAGE ID\tSIZE\tNAMES", ...rows].join("\n")}\n`, 0);
  return `${list}Reclaimed: ${formatSize(SpaceReclaimed)}; images take ${formatSize(Stored)}, ${formatSize(Free)} of the disk are free\n`;
}

export const gc: Command = {
  usage: "[OPTIONS]",
  args: { least: 0, most: 0 },
  details: ["Without a size or a time, by the daemon's own policy (image-gc in daemon.json)."],
  flags: [
    { name: "dry-run", type: "bool", help: "Only tell what would be removed" },
    { name: "format", type: "string", help: "How to print: 'table' or 'json'", default: "table" },
    { name: "keep-storage", type: "string", help: "Remove the longest unused images beyond this size" },
    { name: "min-free", type: "string", help: "Remove images while less than this, a size or per cent, is free" },
    { name: "recent", type: "string", help: "Keep what was used within this time (default 10m)" },
    { name: "unused-for", type: "string", help: "Remove images that were not used for this time (36h, 7d)" },
  ],
  async run(context, flags) {
    const json = isJson(flags.string("format"));
    const words = Object.fromEntries(
      ["keep-storage", "min-free", "unused-for", "recent"].map((name) => [name, flags.string(name) || undefined]),
    );
    const query = { ...words, "dry-run": flags.bool("dry-run") };
    const done = await context.client().json<ImageCollection>("POST", "/berth/images/gc", { query });
    context.out(json ? `${JSON.stringify(done)}\n` : table(done));
    return 0;
  },
};

const pinning = (method: "POST" | "DELETE", what: string): Command => ({
  usage: "IMAGE [IMAGE...]",
  args: { least: 1 },
  details: [what],
  completes: "images",
  flags: [],
  run: (context, _flags, names) =>
    eachTarget(context, names, async (name) => {
      await context.client().send(method, `/berth${imagePath(name)}/pin`);
      return name;
    }),
});

export const pin: Command = pinning("POST", "The collector (image gc) leaves these images, whatever names they have.");
export const unpin: Command = pinning("DELETE", "The collector (image gc) may remove these images again.");
