import { type ContainerId, type ExecId, Mutex } from "../base/base.ts";
import type { ContainerRecord } from "../containers/containers.ts";
import type { ExecSession, ExitRecord, Monitor } from "../kernel/kernel.ts";
import type { RunningContainer } from "../runtime/runtime.ts";
import type { ExecConfig } from "../spec/spec.ts";
import type { ContainerLog } from "./container-log.ts";

/** One run of a container, from its launch to the end of what follows its exit. */
export interface Run {
  readonly running: RunningContainer;
  /** Settles with the applied exit record as soon as the state says `exited` and waiters have been told. */
  readonly exited: Promise<ExitRecord>;
  /** Settles when the network is released too; a next start waits for it. */
  readonly finished: Promise<void>;
  /** It has been sent SIGKILL, which a process that were frozen now would not take. */
  killed: boolean;
}

/** Someone who waits for an end; settled exactly once, then dropped. */
export interface Waiter {
  readonly condition: "not-running" | "next-exit" | "removed";
  readonly settle: (result: WaitResult) => void;
}

export interface WaitResult {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string };
}

/** A session that was attached before the container ran; `connect` is called once, at the start. */
export interface PendingAttach {
  /** Resolves when nothing printed from now on is missed. */
  connect(monitor: Monitor): Promise<void>;
  /** The container will not run. */
  abandon(): void;
}

export interface ExecRecord {
  readonly id: ExecId;
  readonly containerId: ContainerId;
  readonly config: ExecConfig;
  state:
    | { readonly status: "created" }
    | { readonly status: "starting" }
    | { readonly status: "running"; readonly session: ExecSession }
    | { readonly status: "exited"; readonly exitCode: number; readonly pid: number; readonly endedAtMs: number };
}

/** What the daemon knows of a container beyond its record: lost, and found again, with the daemon. */
export class LiveContainer {
  readonly record: ContainerRecord;
  /** Start, restart, rename and remove take turns. Waits, attaches, logs and signals do not. */
  readonly lock: Mutex = new Mutex();
  run: Run | undefined;
  /** A change to its network is under way: its end does not release the network before that. */
  networkChange: Promise<void> | undefined;
  /** Its hosts and resolv.conf are changed by one at a time. */
  readonly nameFiles: Mutex = new Mutex();
  /** Set before `go`, so that the window has this size from the first byte. */
  consoleSize: readonly [rows: number, columns: number] | undefined;
  readonly waiters: Set<Waiter> = new Set();
  readonly pending: Set<PendingAttach> = new Set();
  readonly execs: Map<string, ExecRecord> = new Map();
  execsSweptAtMs = 0;
  /** So many restarts are under way: the end of this run does not end a `--rm` container. */
  restarts = 0;
  /** The policy's next start is planned. */
  cancelRestart: (() => void) | undefined;
  /** How long the policy has waited before the last start of its own; 0: someone else has started it. */
  restartDelayMs = 0;
  /** Its health is being checked. */
  endHealthChecks: (() => void) | undefined;
  /** Work that its log needs; undefined: none. */
  log: ContainerLog | undefined;
  /** Its removal is under way. */
  removing = false;
  removed = false;

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): ContainerId {
    return this.record.id;
  }
}
