/** `images --tree`: each image with the platforms that it has, as docker shows them. */
import { shortId } from "../../base/ids.ts";
import { formatSize } from "../../base/units.ts";
import type { ImageSummary, Platform } from "../../spec/spec.ts";
import { ellipsis } from "./text.ts";

interface Line {
  /** Of an image with several names, each on a line of its own, the last with the rest. */
  readonly names: readonly string[];
  readonly style: "name" | "nameless" | "plain" | "missing";
  readonly id: string;
  readonly usage: string;
  readonly content: string;
  readonly used: boolean;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly align: "left" | "right";
  readonly text: (line: Line) => string;
}

/** What a terminal is told before a text of each kind. */
const colours = { warning: "93", name: "34;1", nameless: "2", plain: "39", missing: "39;2", used: "32" } as const;

const columns: readonly Column[] = [
  { title: "ID", width: 12, align: "left", text: ({ id }) => id },
  { title: "DISK USAGE", width: 10, align: "right", text: ({ usage }) => usage },
  { title: "CONTENT SIZE", width: 12, align: "right", text: ({ content }) => content },
  { title: "EXTRA", width: 5, align: "left", text: ({ used }) => (used ? "U" : "") },
];

const gap = 3;
const leastNameWidth = 12;
const leastWidth = 20;

const platformText = ({ os, architecture, variant }: Partial<Platform>): string =>
  [os ?? "", architecture ?? "", variant ?? ""].filter((part) => part !== "").join("/") || "unknown";

interface Block {
  readonly image: Line;
  readonly platforms: readonly Line[];
}

function blockOf(image: ImageSummary): Block {
  const manifests = (image.Manifests ?? []).filter(({ Kind }) => Kind === "image");
  const platforms = manifests.map((manifest, at): Line => {
    const branch = at === manifests.length - 1 ? "└─" : "├─";
    return {
      names: [`${branch} ${platformText((manifest.ImageData?.Platform ?? {}) as Partial<Platform>)}`],
      style: manifest.Available ? "plain" : "missing",
      id: shortId(manifest.ID),
      usage: formatSize(manifest.Size.Total),
      content: formatSize(manifest.Size.Content),
      used: (manifest.ImageData?.Containers ?? []).length > 0,
    };
  });
  const names = image.RepoTags ?? [];
  return {
    image: {
      names: names.length === 0 ? ["<untagged>"] : names,
      style: names.length === 0 ? "nameless" : "name",
      id: shortId(image.Id),
      usage: formatSize(image.Size),
      content: formatSize((image.Manifests ?? []).reduce((sum, { Size }) => sum + Size.Content, 0)),
      used: image.Containers > 0 || platforms.some(({ used }) => used),
    },
    platforms,
  };
}

/** Cuts or fills a text to its column's width; the colour does not count. */
function cell(text: string, { width, align }: Pick<Column, "width" | "align">, paint: (text: string) => string): string {
  const letters = [...text];
  if (letters.length > width) return paint(ellipsis(text, width));
  const fill = " ".repeat(width - letters.length);
  return align === "left" ? paint(text) + fill : fill + paint(text);
}

/** As many columns as the width leaves room for, and how wide names may be. */
function fit(width: number, widest: number): { shown: readonly Column[]; nameWidth: number } {
  let nameWidth = Math.max(width, leastWidth);
  const shown: Column[] = [];
  for (const column of columns) {
    if (nameWidth - column.width - gap < leastNameWidth) break;
    nameWidth -= column.width + gap;
    shown.push(column);
  }
  return { shown, nameWidth: Math.min(nameWidth, widest) };
}

/** @param terminal its width, and whether it shows colours */
export function imageTree(images: readonly ImageSummary[], terminal: { width: number; colours: boolean }): string {
  const paint =
    (kind: keyof typeof colours) =>
    (text: string): string =>
      terminal.colours ? `\u001b[${colours[kind]}m${text}\u001b[0m` : text;
  const blocks = [...images].sort((a, b) => b.Created - a.Created).map(blockOf);
  const spaced = blocks.some(({ platforms }) => platforms.length > 0);
  // Docker counts the bytes of names, and those of the branch before a platform.
  const bytes = (text: string): number => Buffer.byteLength(text);
  const widths = blocks.flatMap(({ image, platforms }) => [
    ...(image.style === "nameless" ? [] : image.names.map(bytes)),
    ...platforms.flatMap(({ names }) => names.map(bytes)),
  ]);
  const { shown, nameWidth } = fit(terminal.width, Math.max("Image".length, ...widths));
  const name = { width: nameWidth, align: "left" } as const;
  const row = (line: Line): string => {
    // Only the last name has the other columns behind it: the others may be as long as the line.
    const [last = "", ...others] = line.names.toSorted((a, b) => a.length - b.length);
    const above = others.reverse().map((text) => `${paint(line.style)(terminal.colours ? ellipsis(text, terminal.width) : text)}\n`);
    const rest = shown.map((column) => cell(column.text(line), column, paint(column.title === "EXTRA" ? "used" : detailStyle(line))));
    return above.join("") + [cell(last, name, paint(line.style)), ...rest].join(" ".repeat(gap));
  };
  const detailStyle = ({ style }: Line): "plain" | "missing" => (style === "missing" ? "missing" : "plain");
  // Docker's header is in bold print also where there is no terminal.
  const bold = (text: string): string => `\u001b[39m\u001b[1m${text}\u001b[0m`;
  const header = [cell("IMAGE", name, bold), ...shown.map((column) => cell(column.title, column, bold))];
  const legend = "Info ->  U In Use ".padStart(terminal.width);
  const warning = "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.";
  const body = blocks.map(
    ({ image, platforms }) => `${row(image)}\n${platforms.map((line) => `${row(line)}\n`).join("")}${spaced ? "\n" : ""}`,
  );
  return `${paint("warning")(warning)}\n${legend}\n\n${header.join(" ".repeat(gap))}\n${body.join("")}`;
}
