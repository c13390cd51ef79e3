import { formatSize } from "../../base/units.ts";
import type { ImageDifference } from "../../spec/spec.ts";
import type { Command } from "../command.ts";
import { imagePath } from "../object-paths.ts";
import { escapeControls, plainText } from "../output/plain-text.ts";
import { isJson } from "./image-layers.ts";

const letters = { added: "A", changed: "C", removed: "D" } as const;

/** What stands behind the path: in which respects it differs, and the file's size. */
function remark({ Kind, Type, What, FromSize, ToSize }: ImageDifference): string {
  const sizes = Kind === "changed" ? `${formatSize(FromSize)} -> ${formatSize(ToSize)}` : formatSize(Kind === "added" ? ToSize : FromSize);
  const isFile = FromSize > 0 || ToSize > 0 || Type === "file";
  const parts = [...What, ...(isFile && (Kind !== "changed" || FromSize !== ToSize) ? [sizes] : [])];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

export const command: Command = {
  usage: "[OPTIONS] IMAGE OTHER",
  args: { least: 2, most: 2 },
  details: ["A: only in the other image; D: only in the first; C: in both, and not the same. Times alone are no difference."],
  completes: "images",
  flags: [{ name: "format", type: "string", help: "How to print: 'table' or 'json'", default: "table" }],
  async run(context, flags, [name = "", other = ""]) {
    const json = isJson(flags.string("format"));
    const query = { with: other };
    const count = { added: 0, changed: 0, removed: 0 };
    let growth = 0;
    for await (const found of context.client().lines<ImageDifference>("GET", `/berth${imagePath(name)}/diff`, { query })) {
      count[found.Kind]++;
      growth += found.ToSize - found.FromSize;
      const line = json ? escapeControls(JSON.stringify(found)) : `${letters[found.Kind]} ${plainText(found.Path)}${remark(found)}`;
      context.out(`${line}\n`);
    }
    const size = `${growth < 0 ? "-" : "+"}${formatSize(Math.abs(growth))}`;
    if (!json) context.out(`${count.added} added, ${count.changed} changed, ${count.removed} removed: ${size}\n`);
    return 0;
  },
};
