import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { conflict, formatNanos, invalidParameter, log, notModified, nowNanos, systemError } from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import { endingOf, isActive, started, startFailed } from "../containers/containers.ts";
import type { Monitor } from "../kernel/kernel.ts";
import { sigkill } from "../kernel/signals.ts";
import type { LogPlan } from "../logs/driver.ts";
import type { Attachment, AttachRequest } from "../networks/networks.ts";
import type { NetworkPlan, RunningContainer, StartRequest, UserMount } from "../runtime/runtime.ts";
import { followRun, settleWaiters } from "./container-exit.ts";
import { type LinksAtStart, linksAtStart, tellParents } from "./container-links.ts";
import { ContainerLog, logPlanOf } from "./container-log.ts";
import type { EngineContext } from "./context.ts";
import { explain } from "./explain-launch.ts";
import { explainPort } from "./explain-port.ts";
import { startHealthChecks } from "./health-checks.ts";
import type { LiveContainer } from "./live-container.ts";
import { publishNetworkEvents } from "./network-events.ts";
import { networkRequest } from "./network-request.ts";
import { choosesPorts, PortChoice } from "./port-choice.ts";
import { removeLocked } from "./remove-container.ts";
import { readRootFile } from "./root-file.ts";
import { detachVolumes, publishVolumeMounts, publishVolumeUnmounts, startMounts } from "./start-mounts.ts";

/** What Docker records when not even the program was looked for. */
const notStartedCode = 128;

/** Who starts it: a restart by the policy goes on counting, and only a user is told that it is running already. */
export type StartCause = "user" | "policy" | "daemon";

/** `POST /containers/x/start`. @throws NotModified when it runs already */
export async function startContainer(context: EngineContext, reference: string): Promise<void> {
  const live = context.find(reference);
  await live.lock.run(() => startLocked(context, live, "user"));
}

/** Starts a container whose lock the caller holds. */
export async function startLocked(context: EngineContext, live: LiveContainer, cause: StartCause): Promise<void> {
  assertStartable(live, cause);
  if (cause !== "policy") {
    live.restartDelayMs = 0;
    if (live.record.status.restartCount > 0) context.store.update(live.record, { restartCount: 0 });
  }
  if (live.run !== undefined) await live.run.finished;
  const choice = new PortChoice();
  for (let again = true; again; ) {
    again = false;
    try {
      await launch(context, live, choice);
    } catch (failure) {
      again = failure instanceof PortLost;
      if (!again) throw await recordFailure(context, live, failure);
    }
  }
}

/** Other ports are to be chosen. */
class PortLost extends Error {}

/** @returns what to tell */
async function recordFailure(context: EngineContext, live: LiveContainer, failure: unknown): Promise<Error> {
  const { error, exitCode } = explain(failure, notStartedCode);
  const { state } = live.record.status;
  // What was not the program's fault leaves the code of the last run, if that was one.
  const code = exitCode === notStartedCode ? endingOf(state).exitCode || notStartedCode : exitCode;
  context.store.update(live.record, { state: startFailed(state, code, error.message) });
  if (state.status === "restarting") settleWaiters(live, (waiter) => waiter.condition !== "removed");
  for (const pending of live.pending) pending.abandon();
  if (live.record.settings.hostConfig.AutoRemove === true) {
    await removeLocked(context, live, { volumes: true }).catch((suppressed: unknown) =>
      log.warn("removing a container that did not start failed", { suppressed }),
    );
  }
  return error;
}

function assertStartable(live: LiveContainer, cause: StartCause): void {
  const { state } = live.record.status;
  if (live.removed) throw conflict("container is marked for removal and cannot be started");
  switch (state.status) {
    case "running":
      throw notModified(`container ${live.id} is already running`);
    case "restarting":
      // It counts as running while the policy waits.
      if (cause === "user") throw notModified(`container ${live.id} is already running`);
      return;
    case "paused":
      throw conflict("cannot start a paused container, try unpause instead");
    case "removing":
    case "dead":
      throw conflict("container is marked for removal and cannot be started");
    case "created":
    case "exited":
  }
}

/**
 * Layers and network are made ready at once; then one launch. The state is written while the monitor waits
 * for `go`: from the first instruction of the container's program on, a restarted daemon knows of it.
 */
async function launch(context: EngineContext, live: LiveContainer, choice: PortChoice): Promise<void> {
  const { settings } = live.record;
  const joined = joinedContainers(context, live);
  const plan = logPlanOf(live.record);
  const links = linksAtStart(context, live.record);
  await using cleanup = new AsyncDisposableStack();
  const logging = ContainerLog.of(context, live, plan);
  const sender = await logging?.prepare();
  cleanup.defer(() => logging?.abandon(sender));
  const request = choice.of(networkRequest(context, live.record));
  const attaching = context.networks.attach(withLinks(request, links));
  cleanup.defer(async () => {
    await attaching.catch(() => undefined);
    await context.networks.detach(live.id);
  });
  cleanup.defer(() => detachVolumes(context, live));
  const [lower, attachment, mounts] = await Promise.all([context.layers.lower(settings.layers), attaching, startMounts(context, live)]);
  cleanup.defer(() => {
    publishNetworkEvents(context, live, attachment.settings, "disconnect");
    publishVolumeUnmounts(context, live);
  });
  publishNetworkEvents(context, live, attachment.settings, "connect");
  publishVolumeMounts(context, live);
  failpoint("start.attached");
  const files = await filesFor(context, attachment, joined.network);
  const explained = (error: unknown): never => {
    if (choice.again(error, request)) throw new PortLost();
    throw explainPort(error, live.record.name, attachment.settings);
  };
  const running = await context.runtime
    .start(startRequest(context, live, { lower, mounts, attachment, joined, files, links, log: plan }))
    .catch(explained);
  // Where it comes to nothing, its end is waited for: then nothing of it is left.
  cleanup.defer(async () => void (await running.exited));
  // Who has attached is to be there for the next try too.
  const launched = running.monitor.launched.catch(explained);
  if (choosesPorts(request)) await launched;
  const [{ pid }] = await Promise.all([launched, connectPending(live, running.monitor)]);
  // Whoever came in the meantime is taken along too; from the next line on, new ones go to the monitor themselves.
  while (live.pending.size > 0) await connectPending(live, running.monitor);
  failpoint("start.launched");
  await go(context, live, running, pid, attachment);
  cleanup.move();
  if (live.run === undefined) logging?.abandon(sender);
  else logging?.begin(live.run, sender);
}

async function connectPending(live: LiveContainer, monitor: Monitor): Promise<void> {
  const waiting = [...live.pending];
  live.pending.clear();
  await Promise.all(waiting.map((pending) => pending.connect(monitor)));
}

/** The point of no return. Until the start is told to the world, the end of the container is not. */
async function go(
  context: EngineContext,
  live: LiveContainer,
  running: RunningContainer,
  pid: number,
  attachment: Attachment,
): Promise<void> {
  const before = live.record.status;
  const { promise: told, resolve: tell } = Promise.withResolvers<boolean>();
  try {
    const going = running.monitor.go();
    context.store.update(live.record, {
      state: started(before.state, pid, formatNanos(nowNanos())),
      stoppedByUser: false,
      everStarted: true,
      network: attachment.settings,
    });
    failpoint("start.recorded");
    followRun(context, live, running, told);
    await going;
  } catch (failure) {
    tell(false);
    live.run = undefined;
    // It may run already when it is the record that could not be written.
    await running.monitor.signal(sigkill).catch(() => undefined);
    context.store.update(live.record, { state: before.state });
    throw failure;
  }
  startHealthChecks(context, live);
  context.publish(live, "start");
  tell(true);
  context.inBackground("telling linked containers of an address", tellParents(context, live.record));
}

interface Joined {
  readonly network?: LiveContainer;
  readonly joinPid?: number;
  readonly joinIpc?: number;
  /** The other one has the host's. */
  readonly hostIpc?: true;
}

/** The containers whose namespaces this one joins; each has to run. */
function joinedContainers(context: EngineContext, live: LiveContainer): Joined {
  const { hostConfig } = live.record.settings;
  const target = (mode: string | undefined, what: "network" | "PID" | "IPC"): LiveContainer | undefined => {
    const match = /^container:(.+)$/.exec(mode ?? "");
    if (match === null) return undefined;
    const other = context.find(match[1] ?? "");
    if (other === live && what === "network") throw systemError("cannot join own network");
    if (!isActive(other.record.status.state)) {
      throw what === "network"
        ? conflict(`cannot join network of a non running container: ${other.id}`)
        : conflict(`failed to join ${what} namespace: container ${other.id} is not running`);
    }
    if (what === "IPC" && !/^(shareable|host)$/.test(other.record.settings.hostConfig.IpcMode ?? "")) {
      throw invalidParameter(
        `failed to join IPC namespace: container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      );
    }
    return other;
  };
  const pidOf = (other: LiveContainer): number => (isActive(other.record.status.state) ? other.record.status.state.pid : 0);
  const network = target(hostConfig.NetworkMode, "network");
  const pid = target(hostConfig.PidMode, "PID");
  const ipc = target(hostConfig.IpcMode, "IPC");
  return {
    ...(network === undefined ? {} : { network }),
    ...(pid === undefined ? {} : { joinPid: pidOf(pid) }),
    ...(ipc === undefined ? {} : ipc.record.settings.hostConfig.IpcMode === "host" ? { hostIpc: true } : { joinIpc: pidOf(ipc) }),
  };
}

interface Files {
  readonly hosts?: string;
  readonly resolvConf?: string;
}

/** Who joins another container's network has its hosts and resolv.conf too. */
async function filesFor(context: EngineContext, attachment: Attachment, joined: LiveContainer | undefined): Promise<Files> {
  if (joined === undefined) return { hosts: attachment.hosts, resolvConf: attachment.resolvConf };
  const read = async (name: string): Promise<string> => await readFile(join(context.statePath(joined.id), name), "utf8").catch(() => "");
  const [hosts, resolvConf] = await Promise.all([read("hosts"), read("resolv.conf")]);
  return { hosts, resolvConf };
}

function networkPlan(attachment: Attachment, joined: LiveContainer | undefined): NetworkPlan {
  const state = joined?.record.status.state;
  return {
    namespace: attachment.namespace,
    prepare: attachment.prepare,
    hostNetwork: attachment.hostNetwork,
    containerNetwork: attachment.containerNetwork,
    dns: attachment.dns,
    cleanup: attachment.cleanup,
    ...(state !== undefined && isActive(state) ? { joinPid: state.pid } : {}),
  };
}

interface Ready {
  readonly lower: readonly string[];
  readonly mounts: readonly UserMount[];
  readonly attachment: Attachment;
  readonly joined: Joined;
  readonly files: Files;
  readonly links: LinksAtStart;
  readonly log: LogPlan | undefined;
}

function withLinks(request: AttachRequest, links: LinksAtStart): AttachRequest {
  if (links.hosts.length === 0) return request;
  return { ...request, extraHosts: [...request.extraHosts, ...links.hosts], linked: links.linked };
}

function startRequest(context: EngineContext, live: LiveContainer, ready: Ready): StartRequest {
  const { settings } = live.record;
  const { lower, mounts, attachment, joined, files, links, log } = ready;
  const statePath = context.statePath(live.id);
  const consoleSize = live.consoleSize ?? sizeOf(settings.hostConfig.ConsoleSize);
  const network = joined.network;
  return {
    containerId: live.id,
    config: links.env.length === 0 ? settings.config : { ...settings.config, Env: [...links.env, ...(settings.config.Env ?? [])] },
    hostConfig: joined.hostIpc ? { ...settings.hostConfig, IpcMode: "host" } : settings.hostConfig,
    statePath,
    lower: [context.mountPointsLayer, ...lower],
    mounts,
    hostname: (network ?? live).record.settings.config.Hostname ?? "",
    network: networkPlan(attachment, network),
    ...files,
    ...(joined.joinPid === undefined ? {} : { joinPid: joined.joinPid }),
    ...(joined.joinIpc === undefined ? {} : { joinIpc: joined.joinIpc }),
    readRootFile: (path) => readRootFile(context, live, path),
    ...(log === undefined ? {} : { log: { ...log, path: context.logPath(live.id) } }),
    ...(consoleSize === undefined ? {} : { consoleSize }),
  };
}

function sizeOf(size: readonly number[] | null | undefined): readonly [number, number] | undefined {
  const [rows = 0, columns = 0] = size ?? [];
  return rows > 0 && columns > 0 ? [rows, columns] : undefined;
}
