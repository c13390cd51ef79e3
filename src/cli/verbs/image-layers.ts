import { shortId } from "../../base/ids.ts";
import { formatSize } from "../../base/units.ts";
import type { FileTally, ImageLayerFile, ImageLayers } from "../../spec/spec.ts";
import { type Command, ExitError } from "../command.ts";
import { imagePath } from "../object-paths.ts";
import { escapeControls, plainText } from "../output/plain-text.ts";
import { alignTable } from "../output/table.ts";
import { ellipsis } from "../output/text.ts";

const tally = ({ Count, Size }: FileTally): string => (Count === 0 ? "-" : Size === 0 ? String(Count) : `${Count} (${formatSize(Size)})`);

function table(report: ImageLayers, truncate: boolean): string {
  const rows = report.Layers.map((layer, position) =>
    [
      position,
      truncate ? shortId(layer.DiffID) : layer.DiffID,
      formatSize(layer.Size),
      tally(layer.Added),
      tally(layer.Changed),
      tally(layer.Removed),
      layer.WastedSize === 0 ? "-" : formatSize(layer.WastedSize),
      truncate ? ellipsis(plainText(layer.CreatedBy), 45) : plainText(layer.CreatedBy),
    ].join("\t"),
  );
  const head = "LAYER\tDIFF ID\tSIZE\tADDED\tCHANGED\tREMOVED\tWASTED\tCREATED BY";
  return alignTable(`${[head, ...rows].join("\n")}\n`, 0);
}

function wasted(report: ImageLayers): string {
  const share = report.Size === 0 ? 0 : (report.WastedSize / report.Size) * 100;
  const total = `\nWasted: ${formatSize(report.WastedSize)} of ${formatSize(report.Size)} (${share.toFixed(1)}%)\n`;
  if (report.Wasted.length === 0) return total;
  const rows = report.Wasted.map((file) => `${formatSize(file.Size)}\t${file.Layer}\t${file.HiddenBy}\t${plainText(file.Path)}`);
  return `${total}\n${alignTable(`${["SIZE\tLAYER\tHIDDEN BY\tPATH", ...rows].join("\n")}\n`, 0)}`;
}

export const command: Command = {
  usage: "[OPTIONS] IMAGE",
  args: { least: 1, most: 1 },
  details: ["Base first. Wasted is what a layer brings and a later one overwrites or removes: it is stored, and nobody sees it."],
  completes: "images",
  flags: [
    { name: "files", type: "bool", help: "List every path of every layer" },
    { name: "format", type: "string", help: "How to print: 'table' or 'json'", default: "table" },
    { name: "no-trunc", type: "bool", help: "Don't truncate output" },
  ],
  async run(context, flags, [name = ""]) {
    const json = isJson(flags.string("format"));
    const path = `/berth${imagePath(name)}/layers`;
    if (flags.bool("files")) {
      const letters = { added: "A", changed: "C", removed: "D" } as const;
      for await (const file of context.client().lines<ImageLayerFile>("GET", path, { query: { files: true } })) {
        const size = file.Type === "file" ? formatSize(file.Size) : file.Type;
        context.out(
          json ? `${escapeControls(JSON.stringify(file))}\n` : `${file.Layer}\t${letters[file.Kind]}\t${size}\t${plainText(file.Path)}\n`,
        );
      }
      return 0;
    }
    const report = await context.client().json<ImageLayers>("GET", path);
    context.out(json ? `${escapeControls(JSON.stringify(report))}\n` : table(report, !flags.bool("no-trunc")) + wasted(report));
    return 0;
  },
};

/** @throws ExitError for a format that there is not */
export function isJson(format: string): boolean {
  if (format !== "" && format !== "table" && format !== "json")
    throw new ExitError(1, `unknown format ${JSON.stringify(format)}: it is table or json`);
  return format === "json";
}
