/**
 * Sends a container's log on to a receiver: follows the files as `docker logs -f` does, and writes down how far it has
 * come. A receiver that is slow or away holds back only this; a daemon that dies goes on where it was, and sends at most
 * its last batch twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { log, messageOf } from "../base/base.ts";
import { Changes } from "./changes.ts";
import type { LogSender } from "./driver.ts";
import { type FollowStep, followFiles } from "./follow.ts";
import { type ForwardPosition, PositionFile } from "./forward-position.ts";
import { LineFeed } from "./line-feed.ts";
import { type LogFile, openFiles } from "./log-files.ts";
import type { LogMessage } from "./logs.ts";
import { MessageReader } from "./messages.ts";

export interface ForwarderOptions {
  /** The log's newest file. */
  readonly path: string;
  readonly positionPath: string;
  /** Made already, if it has been. */
  readonly sender?: LogSender;
  /** Makes a new one. */
  readonly connect: () => Promise<LogSender>;
  /** Resolves when the container has ended. */
  readonly writerEnded: Promise<unknown>;
  /** Called when a file has been sent to its end. */
  readonly filePassed?: () => void;
}

const [firstPauseMs, longestPauseMs, stopMs] = [100, 5000, 1000];

export class Forwarder {
  /** Settles when all has been sent of a log whose writer has ended, or when it was stopped. Never rejects. */
  readonly done: Promise<void>;
  readonly #options: ForwarderOptions;
  readonly #stopping = new AbortController();
  #sender: LogSender | undefined;
  #reading: string | undefined;
  #batches = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#sender = options.sender;
    this.done = this.#runSurely();
  }

  /** Identity of the file that is being sent: it and newer ones are still needed. Undefined when it is not known yet. */
  get reading(): string | undefined {
    return this.#reading;
  }

  /** How many times the receiver has taken something. */
  get batches(): number {
    return this.#batches;
  }

  /** Ends it; what has not been sent is left to the next one. What is being sent gets a moment, so that it is not sent twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const moment = sleep(stopMs, undefined, { ref: false });
    await Promise.race([this.done, moment]);
    this.#disconnect(true);
    await Promise.race([this.done, sleep(stopMs, undefined, { ref: false })]);
  }

  #disconnect(abruptly: boolean): void {
    this.#sender?.close(abruptly);
    this.#sender = undefined;
  }

  /** A full disk, or a want of descriptors, passes: then it goes on from the position that is written down. */
  async #runSurely(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#run();
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.error("sending a log on has failed", { log: this.#options.path, error: messageOf(error) });
        await sleep(longestPauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  async #run(): Promise<void> {
    const { path, positionPath, writerEnded } = this.#options;
    using changes = new Changes(path);
    const positions = await PositionFile.open(positionPath);
    try {
      const from = await positions.read();
      const reader = new MessageReader(from?.open);
      const { file, offset } = await this.#find(from);
      const feed = new LineFeed(reader);
      for await (const step of followFiles({ path, changes, signal: this.#stopping.signal, writerEnded }, file, offset)) {
        await this.#take(step, { positions, reader, feed });
        if (this.#stopping.signal.aborted) return;
      }
      // The writer has ended: what the next one prints is not the rest of a line of this one.
      const last = await positions.read();
      if (last !== undefined && Object.keys(last.open).length > 0) await positions.write({ ...last, open: {} });
    } finally {
      await positions.close();
      this.#disconnect(false);
    }
  }

  /** Where to go on. When the file has been rotated away, at the oldest that there is. */
  async #find(from: ForwardPosition | undefined): Promise<{ file: LogFile | undefined; offset: number }> {
    const files = await openFiles(this.#options.path);
    const index = files.findIndex(({ identity }) => identity === from?.file);
    const [file] = files.splice(Math.max(0, index), 1);
    await Promise.all(files.map((other) => other.close()));
    return { file, offset: index === -1 ? 0 : (from?.offset ?? 0) };
  }

  async #take(step: FollowStep, { positions, reader, feed }: Parts): Promise<void> {
    switch (step.kind) {
      case "idle":
        return;
      case "restart":
        feed.restart();
        return;
      case "end-of-file":
        feed.endOfFile();
        await this.#deliver(reader.take());
        this.#options.filePassed?.();
        return;
      case "block": {
        const { file, block, offset } = step;
        this.#reading = file.identity;
        feed.feed(block);
        if (!(await this.#deliver(reader.take()))) return;
        await positions.write({ file: file.identity, offset: offset + block.length - feed.pendingBytes, open: reader.open });
      }
    }
  }

  /** Again and again until the receiver has them. @returns false when it was stopped before */
  async #deliver(messages: readonly LogMessage[]): Promise<boolean> {
    const { signal } = this.#stopping;
    if (messages.length === 0) return true;
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      try {
        this.#sender ??= await this.#options.connect();
        // It was stopped meanwhile: another one may be sending already.
        if (signal.aborted) return false;
        await this.#sender.send(messages);
        this.#batches++;
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        if (pauseMs === firstPauseMs) log.warn("a log's receiver takes nothing", { log: this.#options.path, error: messageOf(error) });
        this.#disconnect(true);
        await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    return false;
  }
}

interface Parts {
  readonly positions: PositionFile;
  readonly reader: MessageReader;
  readonly feed: LineFeed;
}
