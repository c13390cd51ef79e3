import { formatSize } from "../../base/units.ts";
import { ExitError } from "../command.ts";
import { writeAll } from "./write.ts";

/** One message of pull, load, import: Docker's `JSONMessage`. */
export interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number; readonly hidecounts?: boolean };
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string; readonly code?: number };
  readonly aux?: unknown;
}

const barColumns = 50;

function bar({ current = 0, total = 0 }: { current?: number; total?: number }): string {
  if (current <= 0 && total <= 0) return "";
  if (total <= 0 || current > total) return formatSize(current).padStart(8);
  const done = Math.min(Math.floor((current / total) * barColumns), barColumns);
  const blanks = barColumns - done;
  const arrow = blanks > 0 ? `${"=".repeat(done)}>${" ".repeat(blanks)}` : "=".repeat(done + 1);
  return `[${arrow}]  ${formatSize(current).padStart(7)}/${formatSize(total)}`;
}

/**
 * Prints progress as Docker does: on a terminal, each id keeps a line that is redrawn; elsewhere, one line a
 * change of state. Numbered messages that only move a bar are left out where there is no terminal.
 */
class ProgressPrinter {
  readonly #descriptor: number;
  readonly #terminal: boolean;
  readonly #lines: Map<string, number> = new Map();

  constructor(descriptor: 1 | 2) {
    this.#descriptor = descriptor;
    this.#terminal = (descriptor === 1 ? process.stdout : process.stderr).isTTY === true;
  }

  /** @throws ExitError when the message says that the work failed */
  print(message: ProgressMessage): void {
    if (message.error !== undefined || message.errorDetail !== undefined) {
      if (this.#lines.size > 0 && this.#terminal) this.#write("\n");
      throw new ExitError(1, message.errorDetail?.message ?? message.error ?? "");
    }
    if (message.stream !== undefined) {
      this.#write(message.stream);
      return;
    }
    if (message.status === undefined) return;
    const progress = bar(message.progressDetail ?? {});
    if (!this.#terminal) {
      if (progress === "") this.#write(`${message.id === undefined ? "" : `${message.id}: `}${message.status}\n`);
      return;
    }
    if (message.id === undefined) {
      this.#lines.clear();
      this.#write(`${message.status}\n`);
      return;
    }
    this.#redraw(message.id, `${message.id}: ${message.status} ${progress}`);
  }

  #redraw(id: string, text: string): void {
    let line = this.#lines.get(id);
    if (line === undefined) {
      line = this.#lines.size;
      this.#lines.set(id, line);
      this.#write("\n");
    }
    const up = this.#lines.size - line;
    this.#write(`\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`);
  }

  #write(text: string): void {
    writeAll(this.#descriptor, text);
  }
}

/** Prints a whole stream; gives the `aux` values. */
export async function printProgress(messages: AsyncIterable<ProgressMessage>, descriptor: 1 | 2): Promise<unknown[]> {
  const printer = new ProgressPrinter(descriptor);
  const aux: unknown[] = [];
  for await (const message of messages) {
    if (message.aux !== undefined) aux.push(message.aux);
    else printer.print(message);
  }
  return aux;
}
