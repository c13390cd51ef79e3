import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { DetachScanner } from "../base/base.ts";

export interface JoinOptions {
  /** Pass on what the client sends; otherwise it is read and dropped. */
  readonly stdin: boolean;
  /** With a TTY: the sequence that lets the client go. Empty: none. */
  readonly detachKeys: Uint8Array | undefined;
  /** The end of the client's input ends the session, instead of being passed on as end-of-file. */
  readonly endWithInput: boolean;
  readonly signal: AbortSignal;
}

export type JoinEnd = "output-ended" | "input-ended" | "detached" | "client-gone" | "closed";

/**
 * Joins a client's connection to a monitor's stream until one of them ends. Both directions wait for a slow
 * reader (backpressure), so nothing gathers here. `socket` is destroyed at the end; `io` is left to the caller,
 * its last bytes written but perhaps not yet sent.
 */
export function joinStreams(io: Duplex, socket: Socket, options: JoinOptions): Promise<JoinEnd> {
  const { promise, resolve } = Promise.withResolvers<JoinEnd>();
  const outputEnded = (): void => resolve("output-ended");
  const gone = (): void => resolve("client-gone");
  const closed = (): void => resolve("closed");
  socket.on("end", outputEnded).on("close", outputEnded).on("error", outputEnded);
  io.on("close", gone).on("error", gone);
  options.signal.addEventListener("abort", closed, { once: true });
  if (io.destroyed) gone();
  if (options.signal.aborted) closed();

  socket.pipe(io, { end: false });
  const stopInput = passInput(io, socket, options, resolve);
  return promise.then((end) => {
    options.signal.removeEventListener("abort", closed);
    stopInput();
    socket.unpipe(io);
    socket.off("end", outputEnded).off("close", outputEnded);
    // The error listeners stay: a late EPIPE of either side must not become an uncaught exception.
    io.off("close", gone);
    socket.destroy();
    return end;
  });
}

/** Client → container. @returns what undoes it */
function passInput(io: Duplex, socket: Socket, options: JoinOptions, finish: (end: JoinEnd) => void): () => void {
  const scanner = options.detachKeys === undefined || options.detachKeys.length === 0 ? undefined : new DetachScanner(options.detachKeys);
  const resume = (): void => {
    io.resume();
  };
  const data = (chunk: Uint8Array): void => {
    // Read and dropped: only so is the end of the connection seen.
    if (!options.stdin) return;
    const { pass, detached } = scanner === undefined ? { pass: chunk, detached: false } : scanner.scan(chunk);
    const roomLeft = pass.length === 0 || socket.writableEnded || socket.destroyed || socket.write(pass);
    if (detached) finish("detached");
    else if (!roomLeft) io.pause();
  };
  const end = (): void => {
    if (!options.stdin) return;
    if (options.endWithInput) finish("input-ended");
    else socket.end();
  };
  socket.on("drain", resume);
  io.on("data", data).on("end", end);
  io.resume();
  return () => {
    socket.off("drain", resume);
    io.off("data", data).off("end", end);
  };
}
