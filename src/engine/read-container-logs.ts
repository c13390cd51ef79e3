import { notImplemented } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { isReadable } from "../logs/driver.ts";
import type { LogSource } from "../logs/logs.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/** As `api` has it. */
export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly tail?: number;
  readonly since?: bigint;
  readonly until?: bigint;
}

/** Where a container's log is; undefined when its driver keeps none. */
export function logSourceOf(context: EngineContext, live: LiveContainer): LogSource | undefined {
  const { Type = "", Config } = live.record.settings.hostConfig.LogConfig ?? {};
  if (!isReadable(Type, Config ?? {})) return undefined;
  return { path: context.logPath(live.id) };
}

/** `GET /containers/x/logs`. With `follow`, goes on until the container ends or `signal` aborts. */
export async function readContainerLogs(
  context: EngineContext,
  reference: string,
  options: LogOptions,
  signal: AbortSignal,
): Promise<{ tty: boolean; stream: AsyncIterable<Uint8Array> }> {
  const live = context.find(reference);
  const tty = live.record.settings.config.Tty ?? false;
  const source = logSourceOf(context, live);
  if (source === undefined) throw notImplemented("configured logging driver does not support reading");
  const { run } = live;
  const follows = options.follow && run !== undefined && isActive(live.record.status.state);
  const { follow: _follow, ...selection } = options;
  const stream = context.readLog(source, {
    ...selection,
    multiplexed: !tty,
    ...(follows ? { follow: AbortSignal.any([signal, context.closing.signal]), writerEnded: run.exited } : {}),
  });
  return { tty, stream };
}
