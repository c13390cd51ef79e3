/** Entry of the worker thread that takes layers in, one at a time. The build bundles it as a file of its own. */
import { readSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import { EngineError, messageOf, systemError } from "../base/base.ts";
import { ByteRing } from "./byte-ring.ts";
import { FileProgress } from "./file-progress.ts";
import { LayerIntake, type TakenIn, tarName } from "./intake.ts";
import type { FromWorker, ToWorker, Work } from "./worker-messages.ts";

/** Larger pieces gain nothing; smaller ones cost a system call each. */
const pieceBytes = 1 << 20;
const piece = Buffer.allocUnsafeSlow(pieceBytes);

type Message = Exclude<ToWorker, Work>["type"];

/** The messages of the stream being taken in. */
class Inbox {
  ended = false;
  aborted = false;
  #wake: (() => void) | undefined;

  receive(type: Message): void {
    if (type === "end") this.ended = true;
    if (type === "abort") this.aborted = true;
    this.#wake?.();
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}

const port = parentPort;
if (port === null) throw new TypeError("layer-worker is not a program");
let inbox = new Inbox();

function send(message: FromWorker): void {
  port?.postMessage(message);
}

async function takeIn(directory: string, ring: ByteRing, messages: Inbox): Promise<TakenIn> {
  await using intake = await LayerIntake.open(directory);
  for (;;) {
    if (messages.aborted) throw new EngineError("Cancelled", "aborted");
    const piece = ring.peek(pieceBytes);
    if (piece.length > 0) {
      await intake.push(piece);
      ring.take(piece.length);
      if (ring.mustWakeWriter()) send({ type: "space" });
    } else if (messages.ended) {
      if (ring.peek(1).length === 0) return await intake.finish();
    } else if (ring.readerSleeps()) await messages.next();
  }
}

async function follow(directory: string, path: string | undefined, progress: FileProgress, messages: Inbox): Promise<TakenIn> {
  await using intake = await LayerIntake.open(directory, { isWritten: path === undefined });
  await using file = await open(path ?? join(directory, tarName), "r");
  for (let position = 0; ; ) {
    if (messages.aborted) throw new EngineError("Cancelled", "aborted");
    const isLast = messages.ended;
    const there = progress.bytes - position;
    if (there > 0) {
      const bytesRead = readSync(file.fd, piece, 0, Math.min(there, pieceBytes), position);
      if (bytesRead === 0) throw systemError("a layer's file has become shorter");
      await intake.push(piece.subarray(0, bytesRead));
      position += bytesRead;
    } else if (isLast) return await intake.finish();
    else if (progress.readerSleeps(position)) await messages.next();
  }
}

port.on("message", (message: ToWorker) => {
  if (message.type !== "begin" && message.type !== "follow") {
    inbox.receive(message.type);
    return;
  }
  inbox = new Inbox();
  const work =
    message.type === "begin"
      ? takeIn(message.directory, new ByteRing(message.ring), inbox)
      : follow(message.directory, message.file, new FileProgress(message.progress), inbox);
  work.then(
    (taken) => send({ type: "done", taken }),
    (error: unknown) => send({ type: "failed", code: error instanceof EngineError ? error.code : "System", message: messageOf(error) }),
  );
});
