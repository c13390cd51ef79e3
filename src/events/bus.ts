import { cancelled, nowNanos } from "../base/base.ts";
import type { EventMessage } from "../spec/spec.ts";
import type { Events } from "./events.ts";

declare global {
  interface JSON {
    /** ECMAScript's; the compiler's library does not list it yet. */
    rawJSON(text: string): object;
  }
}

/** How many events are kept for `since`, as in Docker. */
const storedEvents = 256;
/** How far a reader may fall behind before it is ended: the daemon's memory is worth more than its events. */
const queuedEvents = 4096;

interface Entry {
  readonly nanos: bigint;
  readonly message: EventMessage;
}

interface Reader {
  take(entry: Entry): void;
}

/** Opens an empty bus. */
export function openEvents(): Events {
  return new EventBus();
}

class EventBus implements Events {
  /** Oldest first. */
  readonly #stored: Entry[] = [];
  readonly #readers: Set<Reader> = new Set();
  #lastNanos = 0n;
  #published = 0;

  get published(): number {
    return this.#published;
  }

  get readers(): number {
    return this.#readers.size;
  }

  publish(type: Parameters<Events["publish"]>[0], action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    // Two events never have the same time, so that a client can go on where it was.
    const now = nowNanos();
    const nanos = now > this.#lastNanos ? now : this.#lastNanos + 1n;
    this.#lastNanos = nanos;
    this.#published++;
    const entry = { nanos, message: messageOf(type, action, id, attributes, nanos) };
    this.#stored.push(entry);
    if (this.#stored.length > storedEvents) this.#stored.shift();
    for (const reader of this.#readers) reader.take(entry);
  }

  subscribe(options: { sinceNanos?: bigint; untilNanos?: bigint }, signal: AbortSignal): AsyncIterable<EventMessage> {
    const { sinceNanos, untilNanos } = options;
    // Taken now and not at the first read, so that nothing between is missed.
    const queue: Entry[] = sinceNanos === undefined ? [] : this.#stored.filter(({ nanos }) => nanos >= sinceNanos);
    const reader = new QueuedReader(queue);
    let timer: NodeJS.Timeout | undefined;
    const leave = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      this.#readers.delete(reader);
      reader.end();
    };
    const arm = (): void => {
      if (untilNanos === undefined) return;
      const leftMs = Number((untilNanos - nowNanos()) / 1_000_000n) + 1;
      if (leftMs <= 0) leave();
      else timer = setTimeout(arm, Math.min(leftMs, maxTimerMs));
    };
    this.#readers.add(reader);
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    else arm();
    return follow(reader, leave, untilNanos, signal);
  }
}

/** The JSON that Docker sends, in its order; the fields at the top are what clients of before 1.22 read. */
function messageOf(type: string, action: string, id: string, attributes: Readonly<Record<string, string>>, nanos: bigint): EventMessage {
  const image = attributes["image"];
  const legacy =
    type === "container"
      ? { status: action, id, ...(image === undefined || image === "" ? {} : { from: image }) }
      : type === "image"
        ? { status: action, id }
        : {};
  const message = {
    ...legacy,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: { ...attributes } },
    scope: "local",
    time: Number(nanos / 1_000_000_000n),
    // Beyond what a number holds exactly; in JSON it is the digits themselves.
    timeNano: JSON.rawJSON(nanos.toString()),
  };
  return message as unknown as EventMessage;
}

class QueuedReader implements Reader {
  readonly #queue: Entry[];
  #wake: (() => void) | undefined;
  #overrun = false;
  #ended = false;

  constructor(queue: Entry[]) {
    this.#queue = queue;
  }

  take(entry: Entry): void {
    if (this.#queue.length >= queuedEvents) {
      this.#overrun = true;
      this.#queue.length = 0;
    }
    if (!this.#overrun) this.#queue.push(entry);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Undefined when it is over. */
  async next(): Promise<Entry | undefined> {
    for (;;) {
      if (this.#overrun) throw cancelled("the reader of events fell too far behind");
      const entry = this.#queue.shift();
      if (entry !== undefined) return entry;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}

/** setTimeout takes 31 bits of milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

async function* follow(
  reader: QueuedReader,
  leave: () => void,
  untilNanos: bigint | undefined,
  signal: AbortSignal,
): AsyncGenerator<EventMessage> {
  try {
    for (;;) {
      const entry = await reader.next();
      if (entry === undefined || signal.aborted) return;
      if (untilNanos !== undefined && entry.nanos > untilNanos) return;
      yield entry.message;
    }
  } finally {
    leave();
  }
}
