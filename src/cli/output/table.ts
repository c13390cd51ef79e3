const gap = 3;
const usualLeast = 10;

/**
 * Aligns tab-separated cells: each column is as wide as its widest cell and three blanks, `least` at least; what
 * stands behind the last tab of a line is not padded. Lines without a column end the block above them.
 */
export function alignTable(text: string, least: number = usualLeast): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths: number[][] = lines.map(() => []);
  const columns = Math.max(...lines.map((line) => line.length - 1), 0);
  for (let column = 0; column < columns; column++) {
    for (let from = 0; from < lines.length; from++) {
      let to = from;
      let width = least;
      while (to < lines.length && (lines[to]?.length ?? 0) - 1 > column) {
        width = Math.max(width, [...(lines[to]?.[column] ?? "")].length + gap);
        to++;
      }
      for (let line = from; line < to; line++) widths[line]?.push(width);
      if (to > from) from = to;
    }
  }
  return lines
    .map((cells, line) =>
      cells.map((cell, at) => (at === cells.length - 1 ? cell : cell + " ".repeat((widths[line]?.[at] ?? 0) - [...cell].length))).join(""),
    )
    .join("\n");
}
