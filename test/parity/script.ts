/** The script: files of `script/`, one a topic. Each line is a step, a shell command; `\` goes on with the next line, `#` comments. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Group {
  readonly name: string;
  readonly steps: readonly string[];
}

const folder = join(import.meta.dirname, "script");

export function readScript(): Group[] {
  return readdirSync(folder)
    .sort()
    .map((file) => ({
      name: file.replace(/\.sh$/, ""),
      steps: readFileSync(join(folder, file), "utf8")
        .replaceAll(/\\\n\s*/g, "")
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "" && !line.startsWith("#")),
    }));
}

/** How many docker commands the script has. */
export function countCommands(groups: readonly Group[]): number {
  return groups.flatMap(({ steps }) => steps).reduce((sum, step) => sum + (step.match(/\bdocker [a-z]/g)?.length ?? 0), 0);
}
