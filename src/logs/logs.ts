/**
 * Container logs. A container's monitor writes every log to files in Docker's json-file format, whatever the driver:
 * it outlives the daemon, and `docker logs` reads them. This room
 *   - knows the drivers and their options (`driver.ts`, `driver-options.ts`, `drivers/`),
 *   - finds the right lines and turns them into what the API sends, without reading what it does not need (`read.ts`),
 *   - sends lines on to where a remote driver wants them (`forwarder.ts`), from a position that is written down,
 *   - packs and drops files that the monitor has rotated (`rotated-files.ts`).
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
  /** Stop where the log ended when its writer said so: that far into the file with this inode. */
  readonly end?: LogEnd;
  /** Raw output (TTY) or Docker's 8-byte frames. */
  readonly multiplexed: boolean;
  /** Go on until this aborts; undefined: stop at the end of the file. */
  readonly follow?: AbortSignal;
  /** With follow: resolves when the writer has ended; then the rest is read and the stream ends. */
  readonly writerEnded?: Promise<unknown>;
}

export interface LogEnd {
  readonly inode: bigint;
  readonly offset: number;
}

/** One line, or a piece of one that was longer than 16 KiB. */
export interface LogMessage {
  /** Without its newline. */
  readonly text: Buffer;
  readonly stream: "stdout" | "stderr";
  readonly timeNanos: bigint;
  /** Which piece of which line; undefined: a whole line. */
  readonly partial?: { readonly id: string; readonly ordinal: number; readonly last: boolean };
}

/** What a driver may say of the container in tags, fields and attributes. */
export interface LogInfo {
  readonly containerId: string;
  /** Without a slash. */
  readonly containerName: string;
  /** `sha256:…` */
  readonly imageId: string;
  readonly imageName: string;
  /** Entrypoint and arguments. */
  readonly command: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Of the host. */
  readonly hostname: string;
}
