/**
 * A recorded run as text that a person can read and a diff can show:
 *
 *     ## group
 *     $ command
 *     > a line of stdout
 *     ! a line of stderr
 *     = exit status
 *
 * `~` behind the `>` or `!` marks a last line without its newline.
 */
export interface StepResult {
  readonly command: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** A step as it is compared: line by line. */
export interface RecordedStep {
  readonly command: string;
  readonly lines: readonly string[];
}

export interface Recording {
  /** Which engine, client and kernel it was. */
  readonly engine: string;
  readonly groups: ReadonlyMap<string, readonly RecordedStep[]>;
}

function marked(mark: string, text: string): string[] {
  if (text === "") return [];
  const parts = text.split("\n");
  const rest = parts.pop() ?? "";
  return [...parts.map((part) => `${mark} ${part}`.trimEnd()), ...(rest === "" ? [] : [`${mark}~${rest}`])];
}

export function recordedStep({ command, stdout, stderr, status }: StepResult): RecordedStep {
  return { command, lines: [...marked(">", stdout), ...marked("!", stderr), `= ${status}`] };
}

export function formatRecording({ engine, groups }: Recording): string {
  const text = [...groups].map(([name, steps]) =>
    [`\n## ${name}`, ...steps.flatMap(({ command, lines }) => [`$ ${command}`, ...lines]), ""].join("\n"),
  );
  return `# ${engine}\n${text.join("")}`;
}

export function parseRecording(text: string): Recording {
  const groups = new Map<string, { command: string; lines: string[] }[]>();
  let engine = "";
  let steps: { command: string; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) {
      steps = [];
      groups.set(line.slice(3), steps);
    } else if (line.startsWith("# ")) engine = line.slice(2);
    else if (line.startsWith("$ ")) steps.push({ command: line.slice(2), lines: [] });
    else if (line !== "") steps.at(-1)?.lines.push(line);
  }
  return { engine, groups };
}
