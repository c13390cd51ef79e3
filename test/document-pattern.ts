/** What a document shows as the output of an example; … stands for anything. */
export const pattern = (output: string): RegExp =>
  new RegExp(
    `^${output
      .split("…")
      .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
    "s",
  );
