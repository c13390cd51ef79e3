/**
 * A container's state machine.
 *
 *   created ──start──▶ running ⇄ paused
 *      │                  │ exit
 *      │                  ▼
 *      │   restarting ◀─ exited ──start──▶ running
 *      └──────▶ removing ◀─┘     (dead: a removal that failed)
 *
 * Each transition is a pure function from the old state to the new one; `store.ts` writes it.
 */
import { zeroTime } from "../base/base.ts";
import type { ExitRecord } from "../kernel/kernel.ts";
import type { ContainerState as DockerState } from "../spec/spec.ts";

/** How the last run, or the last try to start one, ended. */
export interface Ending {
  readonly exitCode: number;
  /** Docker's message of a start that failed, or "". */
  readonly error: string;
  readonly oomKilled: boolean;
  /** RFC 3339; {@link zeroTime} for never. */
  readonly startedAt: string;
  readonly finishedAt: string;
}

interface Run {
  /** Of the first process, as the host sees it. */
  readonly pid: number;
  readonly startedAt: string;
  /** When the run before this one ended. */
  readonly finishedAt: string;
}

export type ContainerState =
  | ({ readonly status: "created" } & Ending)
  | ({ readonly status: "running" } & Run)
  /** `passing`: the daemon itself has paused it and lets it go on in a moment; so does the one that finds it after a kill. */
  | ({ readonly status: "paused"; readonly passing?: true } & Run)
  | ({ readonly status: "restarting" } & Ending)
  | ({ readonly status: "removing" } & Ending)
  | ({ readonly status: "exited" } & Ending)
  | ({ readonly status: "dead" } & Ending);

export type Status = ContainerState["status"];

export const newState: ContainerState = {
  status: "created",
  exitCode: 0,
  error: "",
  oomKilled: false,
  startedAt: zeroTime,
  finishedAt: zeroTime,
};

/** True while there is a first process: running or paused. */
export function isActive(state: ContainerState): state is Extract<ContainerState, Run> {
  return state.status === "running" || state.status === "paused";
}

/** True when it does not run and is not about to. */
export function isStopped(state: ContainerState): boolean {
  return !isActive(state) && state.status !== "restarting";
}

/** How a container that is not active ended last; of an active one, a blank. */
export function endingOf(state: ContainerState): Ending {
  if (!isActive(state)) return state;
  return { exitCode: 0, error: "", oomKilled: false, startedAt: state.startedAt, finishedAt: state.finishedAt };
}

export function started(state: ContainerState, pid: number, startedAt: string): ContainerState {
  return { status: "running", pid, startedAt, finishedAt: state.finishedAt };
}

type Active = Extract<ContainerState, Run>;

export function paused(state: Active, passing = false): ContainerState {
  return { ...state, status: "paused", ...(passing ? { passing } : {}) };
}

export function resumed({ pid, startedAt, finishedAt }: Active): ContainerState {
  return { status: "running", pid, startedAt, finishedAt };
}

/** A start that failed: the container stays what it was, and says why. */
export function startFailed(state: ContainerState, exitCode: number, error: string): ContainerState {
  const status = state.status === "created" ? "created" : "exited";
  return { ...endingOf(state), status, exitCode, error };
}

export function ended(state: ContainerState, exit: ExitRecord): ContainerState {
  return {
    status: "exited",
    exitCode: exit.exitCode,
    error: "",
    oomKilled: exit.oomKilled,
    startedAt: state.startedAt,
    finishedAt: exit.finishedAt,
  };
}

export function removing(state: ContainerState): ContainerState {
  return { ...endingOf(state), status: "removing" };
}

/** The `State` object of `docker inspect`, in Docker's order. */
export function toDockerState(state: ContainerState): DockerState {
  const ending = endingOf(state);
  return {
    Status: state.status,
    Running: isActive(state) || state.status === "restarting",
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: ending.oomKilled,
    Dead: state.status === "dead",
    Pid: isActive(state) ? state.pid : 0,
    ExitCode: ending.exitCode,
    Error: ending.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
  };
}
