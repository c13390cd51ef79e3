/** Compares two runs line by line, and takes from the differences those that are listed with a reason. */
import type { RecordedStep } from "./transcript.ts";

/** Lines that Docker prints, and what Berth prints in their place. */
export interface Hunk {
  readonly docker: readonly string[];
  readonly berth: readonly string[];
}

/**
 * A difference that stays, and why: where Docker has the lines `docker`, one after the other and at whatever indentation,
 * Berth has `berth`. Lines have their mark: `>`, `!` or `=`.
 */
export interface AllowedDifference extends Hunk {
  /** `group` alone, or `group: command` for one step. Undefined: wherever it comes up. */
  readonly where?: string;
  readonly reason: string;
}

/** The shortest edit from `docker` to `berth`, as hunks. */
export function differences(docker: readonly string[], berth: readonly string[]): Hunk[] {
  // common[i][j]: length of the longest common subsequence of docker[i…] and berth[j…]
  const common = Array.from({ length: docker.length + 1 }, () => new Uint32Array(berth.length + 1));
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0;
  for (let i = docker.length - 1; i >= 0; i--) {
    const row = common[i] as Uint32Array;
    for (let j = berth.length - 1; j >= 0; j--)
      row[j] = docker[i] === berth[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const hunks: { docker: string[]; berth: string[] }[] = [];
  let open: { docker: string[]; berth: string[] } | undefined;
  for (let i = 0, j = 0; i < docker.length || j < berth.length; ) {
    if (i < docker.length && j < berth.length && docker[i] === berth[j]) {
      open = undefined;
      i++;
      j++;
      continue;
    }
    if (open === undefined) {
      open = { docker: [], berth: [] };
      hunks.push(open);
    }
    if (j >= berth.length || (i < docker.length && at(i + 1, j) >= at(i, j + 1))) open.docker.push(docker[i++] ?? "");
    else open.berth.push(berth[j++] ?? "");
  }
  return hunks;
}

const distance = (a: readonly string[], b: readonly string[]): number =>
  differences(a, b).reduce((sum, { docker, berth }) => sum + docker.length + berth.length, 0);

const split = (line: string): readonly [mark: string, indent: string, text: string] => {
  const [, mark = "", indent = "", text = ""] = /^(.)( *)(.*)$/.exec(line) ?? [];
  return [mark, indent, text];
};

/** A written `<id>` stands for any id. */
const isAs = (line: string, written: string): boolean =>
  line === written || (written.includes("<id>") && line.replaceAll(/<id [\d.]+>/g, "<id>") === written);

/** `lines` with those of the allowance that begin at `at` replaced; undefined when they are not there. */
function replaceAt(lines: readonly string[], at: number, { docker, berth }: Hunk): string[] | undefined {
  const [, there = ""] = split(lines[at] ?? "");
  const [, written = ""] = split(docker[0] ?? "");
  const shift = there.length - written.length;
  if (shift < 0) return undefined;
  const moved = (line: string): string => {
    const [mark, indent, text] = split(line);
    return `${mark}${" ".repeat(shift)}${indent}${text}`;
  };
  if (docker.some((line, index) => !isAs(lines[at + index] ?? "", moved(line)))) return undefined;
  return [...lines.slice(0, at), ...berth.map(moved), ...lines.slice(at + docker.length)];
}

/** Docker's lines with an allowance applied wherever that brings them nearer to Berth's. */
function applied(docker: readonly string[], berth: readonly string[], allowance: AllowedDifference): readonly string[] {
  let lines = docker;
  for (let at = 0; at < lines.length; at++) {
    const changed = replaceAt(lines, at, allowance);
    if (changed !== undefined && distance(changed, berth) < distance(lines, berth)) lines = changed;
  }
  return lines;
}

const concerns = ({ where }: AllowedDifference, group: string, command: string): boolean =>
  where === undefined || where === group || where === `${group}: ${command}`;

/** Which differences of a group's steps are not allowed, as text; the allowances that were needed go into `used`. */
export function unexplained(
  group: string,
  recorded: readonly RecordedStep[],
  run: readonly RecordedStep[],
  allowed: readonly AllowedDifference[],
  used: Set<AllowedDifference>,
): string[] {
  return run.flatMap(({ command, lines }, index) => {
    const step = recorded[index];
    if (step?.command !== command) return [`$ ${command}\n  is not in the recording: record it again`];
    let expected = step.lines;
    for (const allowance of allowed) {
      if (!concerns(allowance, group, command) || distance(expected, lines) === 0) continue;
      const nearer = applied(expected, lines, allowance);
      if (nearer !== expected) used.add(allowance);
      expected = nearer;
    }
    const left = differences(expected, lines);
    if (left.length === 0) return [];
    const show = ({ docker, berth }: Hunk): string =>
      [...docker.map((line) => `  docker ${line}`), ...berth.map((line) => `  berth  ${line}`)].join("\n");
    return [`$ ${command}\n${left.map(show).join("\n  --\n")}`];
  });
}
