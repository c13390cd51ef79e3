import { DetachScanner } from "../../base/detach-keys.ts";
import { demultiplex } from "../../client/demultiplex.ts";
import type { Hijacked } from "../../client/engine-client.ts";
import { writeAll } from "../output/write.ts";

export interface SessionOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Watched for in what is typed, where the session has a terminal. */
  readonly detachKeys: Uint8Array;
}

/** How a session came to its end: the process's output ended, or the user typed the detach keys. */
export type SessionEnd = "ended" | "detached";

const stdoutDescriptor = 1;
const stderrDescriptor = 2;

async function copyOutput(hijacked: Hijacked, options: SessionOptions): Promise<void> {
  // Reading by events keeps the connection open when its output ends first: an iterator would destroy it.
  const source = hijacked.socket.iterator({ destroyOnReturn: false });
  if (options.tty) {
    for await (const chunk of source) writeAll(stdoutDescriptor, chunk);
    return;
  }
  for await (const { stream, data } of demultiplex(source)) {
    if (stream === "stdout" && options.stdout) writeAll(stdoutDescriptor, data);
    if (stream === "stderr" && options.stderr) writeAll(stderrDescriptor, data);
  }
}

/** Passes what is typed until it ends (the other side is told) or the detach keys come. */
function copyInput(hijacked: Hijacked, options: SessionOptions, detached: () => void): void {
  const { socket } = hijacked;
  const scanner = options.tty ? new DetachScanner(options.detachKeys) : undefined;
  const input = process.stdin;
  input.on("data", (chunk: Buffer) => {
    const { pass, detached: left } = scanner?.scan(chunk) ?? { pass: chunk, detached: false };
    if (pass.length > 0 && socket.writable && !socket.write(pass)) {
      input.pause();
      socket.once("drain", () => input.resume());
    }
    if (left) {
      input.pause();
      detached();
    }
  });
  input.on("end", () => socket.end());
  input.on("error", () => socket.end());
}

/**
 * Joins this process's streams to a container's or exec's. Ends when the output does; what is still to be
 * typed then is left alone.
 */
export async function runSession(hijacked: Hijacked, options: SessionOptions): Promise<SessionEnd> {
  const detached = new Promise<SessionEnd>((resolve) => {
    if (options.stdin) copyInput(hijacked, options, () => resolve("detached"));
  });
  try {
    return await Promise.race([copyOutput(hijacked, options).then((): SessionEnd => "ended"), detached]);
  } finally {
    process.stdin.pause();
    hijacked.socket.destroy();
  }
}
