/**
 * Reading container logs. The monitor writes them (json-file format, with rotation); this room finds the
 * right lines and turns them into what the API sends, without reading what it does not need.
 */
export interface LogSource {
  /** The newest file; older ones are `path.1`, `path.2`, … (`.gz` when compressed). */
  readonly path: string;
}

export interface ReadLogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  /** Last n lines; undefined: all. */
  readonly tail?: number;
  /** Nanoseconds since 1970. */
  readonly since?: bigint;
  readonly until?: bigint;
  /** Raw output (TTY) or Docker's 8-byte frames. */
  readonly multiplexed: boolean;
  /** Go on until this aborts; undefined: stop at the end of the file. */
  readonly follow?: AbortSignal;
  /** With follow: resolves when the writer has ended; then the rest is read and the stream ends. */
  readonly writerEnded?: Promise<unknown>;
}
