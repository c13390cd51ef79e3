import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { conflict, EngineError, invalidParameter, isEngineError, log, newId, notFound } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { ExecSession } from "../kernel/kernel.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import type { ExecConfig, ExecInspectResponse } from "../spec/spec.ts";
import type { StreamSession } from "./attach-container.ts";
import type { EngineContext } from "./context.ts";
import { explain } from "./explain-launch.ts";
import { type JoinEnd, joinStreams } from "./join-streams.ts";
import type { ExecRecord, LiveContainer } from "./live-container.ts";
import { readDetachKeys } from "./read-detach-keys.ts";
import type { WindowSize } from "./resize-container.ts";
import { hasEnded } from "./stop-container.ts";
import { writeAll } from "./write-all.ts";

const { errno } = constants;

/** What Docker records when not even the program was looked for. */
const notStartedCode = 126;

/** How long an ended session can still be inspected, as in Docker. */
const keepMs = 5 * 60 * 1000;

export interface ExecStartOptions {
  readonly tty: boolean;
  readonly detach: boolean;
  readonly rows?: number;
  readonly columns?: number;
}

/** `POST /containers/x/exec`. */
export async function createExec(context: EngineContext, reference: string, config: ExecConfig): Promise<{ Id: string }> {
  if ((config.Cmd?.length ?? 0) === 0) throw invalidParameter("no exec command specified");
  readDetachKeys(config.DetachKeys, "escape");
  if ([...(config.Cmd ?? []), ...(config.Env ?? []), config.WorkingDir ?? ""].some((text) => text.includes("\0")))
    throw invalidParameter("invalid argument: a value contains a NUL byte");
  const live = context.find(reference);
  assertRunning(live, reference);
  const { id } = addExec(context, live, config);
  // When the client has its answer: it will ask for the start in a moment.
  setImmediate(() => live.run?.running.monitor.expectExec());
  return { Id: id };
}

/** @throws Conflict when the container does not run */
export function addExec(context: EngineContext, live: LiveContainer, config: ExecConfig): ExecRecord {
  assertRunning(live);
  forgetEnded(context, live);
  const record: ExecRecord = { id: newId<"ExecId">(), containerId: live.id, config, state: { status: "created" } };
  live.execs.set(record.id, record);
  context.execs.set(record.id, record);
  context.publish(live, `exec_create: ${commandOf(config)}`, { execID: record.id });
  return record;
}

export function forgetExec(context: EngineContext, live: LiveContainer, exec: ExecRecord): void {
  live.execs.delete(exec.id);
  context.execs.delete(exec.id);
}

/** The command's words, and a space behind each, as Docker's events have it. */
function commandOf(config: ExecConfig): string {
  const [path = "", ...args] = config.Cmd ?? [];
  return `${path} ${args.join(" ")}`;
}

function assertRunning(live: LiveContainer, calledBy: string = live.id): void {
  const { status } = live.record.status.state;
  if (status === "paused") throw conflict(`Container ${calledBy} is paused, unpause the container before exec`);
  if (status === "restarting") throw conflict(`Container ${live.id} is restarting, wait until the container is running`);
  if (status !== "running") throw conflict(`container ${live.id} is not running`);
}

function forgetEnded(context: EngineContext, live: LiveContainer): void {
  const now = Date.now();
  if (now - live.execsSweptAtMs < keepMs / 5) return;
  live.execsSweptAtMs = now;
  const limit = now - keepMs;
  for (const exec of live.execs.values()) {
    if (exec.state.status !== "exited" || exec.state.endedAtMs > limit) continue;
    forgetExec(context, live, exec);
  }
}

function findExec(context: EngineContext, id: string): { exec: ExecRecord; live: LiveContainer } {
  const exec = context.execs.get(id);
  if (exec === undefined) throw notFound(`No such exec instance: ${id}`);
  return { exec, live: context.liveOf(exec.containerId) };
}

/**
 * `POST /exec/x/start`. As in Docker, an attached session is accepted first, and a failure to start it is
 * written on its stream (the exit code says so too); a detached one answers with the error.
 */
export async function startExec(context: EngineContext, id: string, options: ExecStartOptions): Promise<StreamSession> {
  const { exec, live } = findExec(context, id);
  if (options.detach) assertStartable(exec, live);
  const tty = exec.config.Tty ?? false;
  const run = async (io: Duplex | undefined): Promise<void> => {
    try {
      assertStartable(exec, live);
      const { session, recorded } = await launchExec(context, live, exec, options);
      if (io === undefined) return drop(session);
      const end = await joined(context, live, exec, session, io);
      // Whoever asks for the exit code after the stream has ended must get it.
      if (end === "output-ended") await recorded;
    } catch (error) {
      if (io === undefined || !(error instanceof EngineError)) throw error;
      await writeAll(io, failureText(error.message, tty));
    }
  };
  return { tty, run };
}

function assertStartable(exec: ExecRecord, live: LiveContainer): void {
  switch (exec.state.status) {
    case "exited":
      throw conflict(`Error: Exec command ${exec.id} has already run`);
    case "starting":
    case "running":
      throw conflict(`Error: Exec command ${exec.id} is already running`);
    case "created":
      assertRunning(live);
  }
}

/** A line on standard output: raw, or with Docker's 8-byte frame header. */
function failureText(message: string, tty: boolean): Uint8Array {
  const text = Buffer.from(`${message}\r\n`);
  if (tty) return text;
  const header = Buffer.alloc(8);
  header[0] = 1;
  header.writeUInt32BE(text.length, 4);
  return Buffer.concat([header, text]);
}

export interface LaunchedExec {
  readonly session: ExecSession;
  /** Settles when its end has been written down. */
  readonly recorded: Promise<void>;
}

export async function launchExec(
  context: EngineContext,
  live: LiveContainer,
  exec: ExecRecord,
  options: ExecStartOptions,
): Promise<LaunchedExec> {
  const { run } = live;
  if (run === undefined || !isActive(live.record.status.state)) throw conflict(`container ${live.id} is not running`);
  exec.state = { status: "starting" };
  context.publish(live, `exec_start: ${commandOf(exec.config)}`, { execID: exec.id });
  const [rows, columns] = options.rows === undefined ? (exec.config.ConsoleSize ?? []) : [options.rows, options.columns];
  const config = options.detach ? { ...exec.config, AttachStdin: false, AttachStdout: false, AttachStderr: false } : exec.config;
  try {
    const session = await run.running.exec(config, {
      execId: exec.id,
      ...(rows === undefined || columns === undefined || rows <= 0 || columns <= 0 ? {} : { rows, columns }),
    });
    session.stream.on("error", () => undefined);
    exec.state = { status: "running", session };
    return { session, recorded: followExec(context, live, exec, session) };
  } catch (failure) {
    const isLost = mayComeOfEnd(failure) && (await hasEnded(live, run));
    const { error, exitCode } = explain(isLost ? conflict(`container ${live.id} is not running`) : failure, notStartedCode);
    exec.state = { status: "exited", exitCode, pid: 0, endedAtMs: Date.now() };
    throw error;
  }
}

/** Can it be that the container was just ending? Then the monitor, its namespaces or its first process are gone. */
function mayComeOfEnd(error: unknown): boolean {
  const failure = launchFailureOf(error);
  if (failure === undefined) return !isEngineError(error, "InvalidParameter");
  // ENOMEM: no process is born in a namespace whose first one has ended.
  return failure.errno === errno.ESRCH || failure.errno === errno.ENOMEM;
}

/** Writes the end of a session down, whoever is attached to it. */
async function followExec(context: EngineContext, live: LiveContainer, exec: ExecRecord, session: ExecSession): Promise<void> {
  const exitCode = await session.exited.then(
    (exit) => exit.exitCode,
    (error: unknown) => {
      log.debug("an exec session was lost with its container", { container: live.id, error });
      return 137;
    },
  );
  exec.state = { status: "exited", exitCode, pid: session.pid, endedAtMs: Date.now() };
  if (!live.removed) context.publish(live, "exec_die", { execID: exec.id, exitCode: String(exitCode) });
}

/** Nobody looks: what is printed is read and dropped, so that the program never waits for a reader. */
function drop(session: ExecSession): void {
  session.stream.resume();
  session.stream.end();
}

async function joined(context: EngineContext, live: LiveContainer, exec: ExecRecord, session: ExecSession, io: Duplex): Promise<JoinEnd> {
  const tty = exec.config.Tty ?? false;
  const stdin = exec.config.AttachStdin ?? false;
  const end = await joinStreams(io, session.stream, {
    stdin,
    detachKeys: tty && stdin ? readDetachKeys(exec.config.DetachKeys, "escape") : undefined,
    endWithInput: tty,
    signal: context.closing.signal,
  });
  if (end === "detached") context.publish(live, "exec_detach", { execID: exec.id });
  return end;
}

/** `POST /exec/x/resize`. */
export async function resizeExec(context: EngineContext, id: string, size: WindowSize): Promise<void> {
  const { exec, live } = findExec(context, id);
  if (exec.state.status !== "running") throw invalidParameter(`exec process is not started`);
  if (exec.config.Tty === true) {
    const { session } = exec.state;
    await session.resize(size.rows, size.columns).catch(async (error: unknown) => {
      const { run } = live;
      throw run === undefined || (await hasEnded(live, run)) ? invalidParameter(`exec process is not started`) : error;
    });
  }
  context.publish(live, "resize", { height: String(size.rows), width: String(size.columns), execID: exec.id });
}

/** `GET /exec/x/json`. */
export async function inspectExec(context: EngineContext, id: string): Promise<ExecInspectResponse> {
  const { exec } = findExec(context, id);
  const { config, state } = exec;
  const [entrypoint = "", ...args] = config.Cmd ?? [];
  const answer = {
    ID: exec.id,
    Running: state.status === "running" || state.status === "starting",
    ExitCode: state.status === "exited" ? state.exitCode : null,
    ProcessConfig: {
      tty: config.Tty ?? false,
      entrypoint,
      arguments: args,
      privileged: config.Privileged ?? false,
      ...(config.User ? { user: config.User } : {}),
    },
    OpenStdin: config.AttachStdin ?? false,
    OpenStderr: config.AttachStderr ?? false,
    OpenStdout: config.AttachStdout ?? false,
    CanRemove: false,
    ContainerID: exec.containerId,
    DetachKeys: config.DetachKeys ?? "",
    Pid: state.status === "running" ? state.session.pid : state.status === "exited" ? state.pid : 0,
  };
  return answer as unknown as ExecInspectResponse;
}
