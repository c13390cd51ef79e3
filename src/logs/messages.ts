import { randomBytes } from "node:crypto";
import { parseTime } from "../base/base.ts";
import { parseLine } from "./line.ts";
import type { LineSink } from "./line-feed.ts";
import type { LogMessage } from "./logs.ts";

/** A line of which pieces have come, and not the last one. */
export interface OpenLine {
  readonly id: string;
  /** Of the piece that came last; the first has 1. */
  readonly ordinal: number;
}

const newline = 0x0a;

/** Turns lines of the file into messages. Pieces of a long line are told by the newline that all but the last lack. */
export class MessageReader implements LineSink {
  readonly done = false;
  readonly #open: Map<LogMessage["stream"], OpenLine>;
  #messages: LogMessage[] = [];

  constructor(open: Readonly<Partial<Record<LogMessage["stream"], OpenLine>>> = {}) {
    this.#open = new Map(Object.entries(open) as [LogMessage["stream"], OpenLine][]);
  }

  /** To go on with, by a later reader. */
  get open(): Readonly<Record<string, OpenLine>> {
    return Object.fromEntries(this.#open);
  }

  /** What has come since the last call. */
  take(): readonly LogMessage[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }

  line(block: Buffer, start: number, end: number): void {
    const line = parseLine(block.subarray(start, end));
    const timeNanos = line === undefined ? undefined : parseTime(line.time);
    if (line === undefined || timeNanos === undefined) return;
    const { stream } = line;
    const last = line.text.at(-1) === newline;
    const text = last ? line.text.subarray(0, -1) : line.text;
    const before = this.#open.get(stream);
    if (last && before === undefined) {
      this.#messages.push({ text, stream, timeNanos });
      return;
    }
    const { id, ordinal } = { id: before?.id ?? randomBytes(32).toString("hex"), ordinal: (before?.ordinal ?? 0) + 1 };
    if (last) this.#open.delete(stream);
    else this.#open.set(stream, { id, ordinal });
    this.#messages.push({ text, stream, timeNanos, partial: { id, ordinal, last } });
  }
}
