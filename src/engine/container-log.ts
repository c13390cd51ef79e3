/**
 * What the daemon does for a container's log besides reading it: lines go on to a remote driver's receiver, and files
 * that the monitor has rotated are packed or dropped. A log that needs neither costs nothing.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatNanos, log, messageOf, systemError } from "../base/base.ts";
import type { ContainerRecord } from "../containers/containers.ts";
import type { Monitor } from "../kernel/kernel.ts";
import { type LogPlan, type LogSender, planLog } from "../logs/driver.ts";
import { Forwarder } from "../logs/forwarder.ts";
import type { LogInfo } from "../logs/logs.ts";
import { replaceAtRest, settleRotatedFiles } from "../logs/rotated-files.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer, Run } from "./live-container.ts";

/** A receiver that takes nothing for so long, or not all in the longer time, is not waited for any more. */
const [drainPauseMs, drainMs] = [2000, 10_000];

function infoOf({ id, name, createdNanos, settings }: ContainerRecord): LogInfo {
  return {
    containerId: id,
    containerName: name,
    imageId: settings.imageId,
    imageName: settings.config.Image ?? "",
    command: [settings.path, ...settings.args],
    created: formatNanos(createdNanos),
    env: settings.config.Env ?? [],
    labels: settings.config.Labels ?? {},
    options: settings.hostConfig.LogConfig?.Config ?? {},
    hostname: hostname(),
  };
}

/** @throws System in Docker's words: the container cannot start with these options */
export function logPlanOf(record: ContainerRecord): LogPlan | undefined {
  try {
    return planLog(record.settings.hostConfig.LogConfig?.Type ?? "json-file", infoOf(record));
  } catch (error) {
    throw refusal(error);
  }
}

/** Without its cause: a failure of the broker's would be told in the words of a failed launch. */
function refusal(error: unknown): Error {
  return systemError(`failed to create task for container: failed to initialize logging driver: ${messageOf(error)}`);
}

/** The work for one container's log, from its first start on. */
export class ContainerLog {
  readonly #context: EngineContext;
  readonly #record: ContainerRecord;
  readonly #plan: LogPlan;
  readonly #path: string;
  readonly #closing = new AbortController();
  #forwarder: Forwarder | undefined;
  /** The monitor that writes; undefined with `#starting`: about to be; otherwise nobody writes. */
  #monitor: Monitor | undefined;
  #starting = false;
  #replacing: Promise<void> = Promise.resolve();
  #settling: Promise<void> | undefined;
  #settleAgain = false;

  private constructor(context: EngineContext, record: ContainerRecord, plan: LogPlan) {
    this.#context = context;
    this.#record = record;
    this.#plan = plan;
    this.#path = context.logPath(record.id);
  }

  /** That of a container; undefined when its log needs no work. */
  static of(context: EngineContext, live: LiveContainer, plan: LogPlan | undefined): ContainerLog | undefined {
    if (plan === undefined || (plan.remote === undefined && !plan.compress)) return undefined;
    live.log ??= new ContainerLog(context, live.record, plan);
    return live.log;
  }

  /**
   * Before a start: connects to the receiver, and leaves the files alone until {@link begin}.
   * @throws System when the receiver is not there
   */
  async prepare(): Promise<LogSender | undefined> {
    this.#starting = true;
    const { remote } = this.#plan;
    const needed = remote?.startsWithout?.(this.#record.settings.hostConfig.LogConfig?.Config ?? {}) !== true;
    const connecting = remote === undefined || !needed ? undefined : this.#connect();
    await Promise.all([this.#replacing, this.#forwarder?.stop()]);
    return await connecting?.catch((error: unknown) => {
      throw refusal(error);
    });
  }

  /** The container has not started, or has ended already. */
  abandon(sender: LogSender | undefined): void {
    this.#starting = false;
    sender?.close(true);
    this.#forward(undefined, Promise.resolve());
  }

  /** The container runs. */
  begin(run: Run, sender?: LogSender): void {
    const { monitor } = run.running;
    this.#monitor = monitor;
    this.#starting = false;
    monitor.onLogRotated(() => this.#settle());
    const ended = run.exited.then(() => {
      if (this.#monitor === monitor) this.#monitor = undefined;
      this.#settle();
    });
    this.#forward(sender, ended);
    this.#settle();
  }

  /** The container does not run; what an earlier daemon has left is done. */
  resume(): void {
    this.#forward(undefined, Promise.resolve());
    this.#settle();
  }

  #forward(sender: LogSender | undefined, writerEnded: Promise<unknown>): void {
    if (this.#plan.remote === undefined) return;
    this.#forwarder = new Forwarder({
      path: this.#path,
      positionPath: join(this.#context.statePath(this.#record.id), "log-position"),
      ...(sender === undefined ? {} : { sender }),
      connect: () => this.#connect(),
      writerEnded,
      filePassed: () => this.#settle(),
    });
  }

  #connect(): Promise<LogSender> {
    const { remote } = this.#plan;
    if (remote === undefined) throw new Error("a local log has no receiver");
    const { kernel } = this.#context;
    return remote.open(infoOf(this.#record), { sendDatagrams: (path, datagrams) => kernel.sendDatagrams(path, datagrams) });
  }

  /** Packs and drops, one after the other; asked meanwhile, looks once more. */
  #settle(): void {
    this.#settleAgain = true;
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined;
    });
  }

  async #settleAll(): Promise<void> {
    const { keep, compress, remote } = this.#plan;
    while (this.#settleAgain && !this.#closing.signal.aborted) {
      this.#settleAgain = false;
      const reading = remote === undefined ? {} : { reading: this.#forwarder?.reading ?? "none" };
      const options = { path: this.#path, keep, compress, signal: this.#closing.signal, ...reading };
      try {
        await settleRotatedFiles({ ...options, replace: (inode, packed) => this.#replace(inode, packed) });
      } catch (error) {
        // The next rotation, or the end of the container, is the next occasion.
        if (!this.#closing.signal.aborted) log.debug("a rotated log stays as it is for now", { log: this.#path, error: messageOf(error) });
      }
    }
  }

  async #replace(inode: bigint, packed: string | undefined): Promise<void> {
    if (this.#monitor !== undefined) return await this.#monitor.replaceLogFile(inode, packed);
    if (this.#starting) throw systemError("the container is starting");
    this.#replacing = replaceAtRest(this.#path, inode, packed);
    this.#replacing.catch(() => undefined);
    await this.#replacing;
  }

  /** Waits until the receiver has all of a log whose container has ended, but not for one that takes nothing. */
  async drained(): Promise<void> {
    const forwarder = this.#forwarder;
    if (forwarder === undefined) return;
    const end = Date.now() + drainMs;
    let before = -1;
    let over = false;
    const done = forwarder.done.then(() => {
      over = true;
    });
    while (!over && Date.now() < end && forwarder.batches !== before) {
      before = forwarder.batches;
      await Promise.race([done, sleep(drainPauseMs, undefined, { ref: false })]);
    }
    if (!over) log.warn("a log's receiver has not taken all of it", { container: this.#record.id });
  }

  /** Lets go of everything; a later daemon goes on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#forwarder?.stop(), this.#settling]);
  }
}

/** At the daemon's start, for a container that does not run. */
export function resumeLog(context: EngineContext, live: LiveContainer): void {
  if (!live.record.status.everStarted) return;
  try {
    ContainerLog.of(context, live, logPlanOf(live.record))?.resume();
  } catch (error) {
    log.debug("a container's log is left as it is", { container: live.id, error: messageOf(error) });
  }
}
