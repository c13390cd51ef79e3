/** Compares two runs line by line, and takes from the differences those that are listed with a reason. */
import type { RecordedStep } from "./transcript.ts";

/** Lines that Docker prints, and what Berth prints in their place. */
export interface Hunk {
  readonly docker: readonly string[];
  readonly berth: readonly string[];
}

/** A difference that stays, and why. */
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

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((line, index) => line === b[index]);

/** Which hunks of a group's steps are not allowed, as text; the allowances that were needed go into `used`. */
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
    const left = differences(step.lines, lines).filter((hunk) => {
      const reason = allowed.find(
        ({ where, docker, berth }) =>
          (where === undefined || where === group || where === `${group}: ${command}`) &&
          same(docker, hunk.docker) &&
          same(berth, hunk.berth),
      );
      if (reason !== undefined) used.add(reason);
      return reason === undefined;
    });
    if (left.length === 0) return [];
    const show = ({ docker, berth }: Hunk): string =>
      [...docker.map((line) => `  docker ${line}`), ...berth.map((line) => `  berth  ${line}`)].join("\n");
    return [`$ ${command}\n${left.map(show).join("\n  --\n")}`];
  });
}
