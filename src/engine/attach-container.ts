import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { conflict } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { Monitor } from "../kernel/kernel.ts";
import type { LogEnd } from "../logs/logs.ts";
import type { EngineContext } from "./context.ts";
import { joinStreams } from "./join-streams.ts";
import type { LiveContainer, PendingAttach } from "./live-container.ts";
import { logSourceOf } from "./read-container-logs.ts";
import { readDetachKeys } from "./read-detach-keys.ts";
import { writeAll } from "./write-all.ts";

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay the log first. */
  readonly logs: boolean;
  /** Go on with what is printed from now on. */
  readonly stream: boolean;
  readonly detachKeys?: string;
}

/** As `api` has it. */
export interface StreamSession {
  readonly tty: boolean;
  run(io: Duplex | undefined): Promise<void>;
}

/**
 * `POST /containers/x/attach`. A container that does not run yet keeps the session until it starts; its start
 * waits until the monitor knows of every session, so that not a byte is missed.
 */
export async function attachContainer(context: EngineContext, reference: string, options: AttachOptions): Promise<StreamSession> {
  const live = context.find(reference);
  const { config } = live.record.settings;
  const detachKeys = readDetachKeys(options.detachKeys, "detach");
  if (live.record.status.state.status === "paused") {
    throw conflict(`container ${live.id} is paused, unpause the container before attach`);
  }
  if (live.record.status.state.status === "restarting") {
    throw conflict(`container ${live.id} is restarting, wait until the container is running`);
  }
  context.publish(live, "attach");
  const tty = config.Tty ?? false;
  const run = async (io: Duplex | undefined): Promise<void> => {
    if (io === undefined) return;
    io.on("error", () => undefined);
    const stdin = options.stdin && config.OpenStdin === true;
    const streams = { stdin, stdout: options.stdout, stderr: options.stderr };
    const running = live.run !== undefined && isActive(live.record.status.state);
    // The monitor keeps what is printed for us while the log is read, up to where the stream has begun.
    const begun = options.logs && options.stream && running ? await attachAfterLog(live, streams) : undefined;
    if (options.logs) await replay(context, live, io, options, begun?.log);
    if (!options.stream || (options.logs && running && begun === undefined)) return;
    const socket = begun?.socket ?? (await connection(context, live, io, streams));
    if (socket === undefined) return;
    const end = await joinStreams(io, socket, {
      stdin,
      detachKeys: tty && stdin ? detachKeys : undefined,
      endWithInput: tty || config.StdinOnce !== true,
      signal: context.closing.signal,
    });
    if (end === "detached") context.publish(live, "detach");
  };
  return { tty, run };
}

interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A stream that goes on where the log ends. Undefined: the container has ended meanwhile. */
async function attachAfterLog(live: LiveContainer, streams: Streams): Promise<{ socket: Socket; log: LogEnd } | undefined> {
  const begun = await live.run?.running.monitor.attachAfterLog(streams).catch(() => undefined);
  begun?.socket.on("error", () => undefined);
  return begun;
}

/** The monitor's stream, now or when the container starts. Undefined: there will be none, or the client is gone. */
async function connection(context: EngineContext, live: LiveContainer, io: Duplex, streams: Streams): Promise<Socket | undefined> {
  const attach = async (monitor: Monitor): Promise<Socket | undefined> => {
    if (io.destroyed) return undefined;
    const socket = await monitor.attach(streams);
    socket.on("error", () => undefined);
    return socket;
  };
  if (live.run !== undefined && isActive(live.record.status.state)) {
    // The container may end while we ask; then there is nothing more to see.
    return await attach(live.run.running.monitor).catch(() => undefined);
  }
  return live.removed ? undefined : await untilStarted(context, live, io, attach);
}

function untilStarted(
  context: EngineContext,
  live: LiveContainer,
  io: Duplex,
  attach: (monitor: Monitor) => Promise<Socket | undefined>,
): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>();
  const abandon = (): void => {
    live.pending.delete(pending);
    io.off("close", abandon);
    context.closing.signal.removeEventListener("abort", abandon);
    resolve(undefined);
  };
  const pending: PendingAttach = {
    connect: async (monitor) => {
      io.off("close", abandon);
      context.closing.signal.removeEventListener("abort", abandon);
      try {
        resolve(await attach(monitor));
      } catch (error) {
        resolve(undefined);
        throw error;
      }
    },
    abandon,
  };
  live.pending.add(pending);
  io.on("close", abandon);
  context.closing.signal.addEventListener("abort", abandon, { once: true });
  if (io.destroyed || context.closing.signal.aborted || live.removed) abandon();
  return promise;
}

/** `logs=1`: what was printed so far. */
async function replay(context: EngineContext, live: LiveContainer, io: Duplex, options: AttachOptions, end?: LogEnd): Promise<void> {
  const source = logSourceOf(context, live);
  if (source === undefined) return;
  const lines = context.readLog(source, {
    stdout: options.stdout,
    stderr: options.stderr,
    timestamps: false,
    details: false,
    ...(end === undefined ? {} : { end }),
    multiplexed: live.record.settings.config.Tty !== true,
  });
  for await (const chunk of lines) if (!(await writeAll(io, chunk))) return;
}
