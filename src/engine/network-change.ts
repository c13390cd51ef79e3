/** A change to the network of a container that runs, so that a crash at any point leaves the old state or the new one (ADR 13). */
import { log } from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import { isActive } from "../containers/containers.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import type { AttachRequest, FileChanges, NetworkChange } from "../networks/networks.ts";
import type { EndpointSettings, HostConfig, NetworkSettings } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import { explain } from "./explain-launch.ts";
import { explainPort } from "./explain-port.ts";
import type { LiveContainer, Run } from "./live-container.ts";
import { changeNameFiles } from "./name-files.ts";
import { networkRequest } from "./network-request.ts";
import { PortChoice } from "./port-choice.ts";
import { hasEnded } from "./stop-container.ts";

export interface WantedChange {
  /** Names the failpoints. */
  readonly step: "connect" | "disconnect" | "publish" | "link";
  readonly request: AttachRequest;
  /** Records the change as unsettled. `request`: with what is known meanwhile. */
  readonly plan: (request: AttachRequest) => Promise<NetworkChange>;
  /** The networks that the container is to be in, where that changes. */
  readonly endpoints?: Readonly<Record<string, EndpointSettings>>;
  /** With the ports that it is to have, where those change. */
  readonly hostConfig?: HostConfig;
}

/**
 * Makes a change, and keeps the container's record and files up to it. The caller holds the container's lock; should it
 * end meanwhile, its network is released after this.
 * @returns false: it has ended, and nothing has changed
 */
export async function changeNetwork(context: EngineContext, live: LiveContainer, run: Run, wanted: WantedChange): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  live.networkChange = promise;
  try {
    const choice = new PortChoice();
    for (;;) {
      const result = await tryChange(context, live, run, { ...wanted, choice });
      if (result !== "again") return result === "made";
    }
  } finally {
    live.networkChange = undefined;
    resolve();
  }
}

async function tryChange(
  context: EngineContext,
  live: LiveContainer,
  run: Run,
  wanted: WantedChange & { readonly choice: PortChoice },
): Promise<"made" | "ended" | "again"> {
  const change = await wanted.plan(wanted.choice.of(wanted.request));
  failpoint(`${wanted.step}.recorded`);
  try {
    await run.running.monitor.changeNetwork(change.plan);
  } catch (error) {
    await takeBack(live, run, change);
    if (wanted.choice.again(error, wanted.request)) return "again";
    // A port that is taken says nothing of the container: no need to wait for its last word.
    if (launchFailureOf(error)?.stage !== "bind-port" && (await hasEnded(live, run))) return "ended";
    throw explain(explainPort(error, live.record.name, change.settings), 0).error;
  }
  failpoint(`${wanted.step}.changed`);
  try {
    // Before the end of it: what is taken back after a crash takes back the files too.
    await changeNameFiles(context, live, change.files);
    settle(context, live, wanted, change);
  } catch (error) {
    // The disk is full.
    await takeBack(live, run, change);
    await changeNameFiles(context, live, opposite(change.files)).catch((suppressed: unknown) =>
      log.warn("name files were not changed back", { container: live.id, suppressed }),
    );
    throw error;
  }
  failpoint(`${wanted.step}.settled`);
  // An address that it has asked for is its own also when it does not run.
  if (wanted.endpoints !== undefined) context.networks.reserve(networkRequest(context, live.record));
  return "made";
}

/** What has come about of a change that failed goes again; where the container has ended, all of it has. */
async function takeBack(live: LiveContainer, run: Run, change: NetworkChange): Promise<void> {
  await run.running.monitor
    .changeNetwork(change.undo)
    .catch((error: unknown) => log.debug("a change of a network was not undone", { container: live.id, error }));
  await change.abandon();
}

/** The kernel has it: the endpoint is settled, and the record says so. */
function settle(context: EngineContext, live: LiveContainer, { endpoints, hostConfig }: WantedChange, change: NetworkChange): void {
  context.store.together(() => {
    change.commit();
    if (endpoints !== undefined) context.store.setEndpoints(live.record, endpoints);
    if (hostConfig !== undefined) context.store.configure(live.record, hostConfig);
    if (isActive(live.record.status.state)) context.store.update(live.record, { network: change.settings });
  });
  change.settled();
}

function opposite({ hostsAdded, hostsRemoved, resolvConf }: FileChanges): FileChanges {
  return {
    hostsAdded: hostsRemoved,
    hostsRemoved: hostsAdded,
    ...(resolvConf === undefined ? {} : { resolvConf: { before: resolvConf.after, after: resolvConf.before } }),
  };
}

/** The record of a container that was found running, after what was under way with it: it says what there is. */
function settleRecord(context: EngineContext, live: LiveContainer, found: NetworkSettings | undefined): void {
  const { settings, status } = live.record;
  if ((settings.hostConfig.NetworkMode ?? "").startsWith("container:")) return;
  const network = found ?? { ...status.network, Ports: {}, Networks: {} };
  if (JSON.stringify(network) !== JSON.stringify(status.network)) context.store.update(live.record, { network });
  const names = Object.keys(network.Networks ?? {});
  const known = Object.keys(settings.endpoints);
  if (settings.config.NetworkDisabled === true || (known.length === names.length && known.every((name) => names.includes(name)))) return;
  const asked = new Map(Object.entries(settings.endpoints));
  context.store.setEndpoints(live.record, Object.fromEntries(names.map((name) => [name, asked.get(name) ?? {}])));
}

/** At the daemon's start, of a container that still runs: a change that the last daemon had begun is taken back. */
export async function settleNetwork(context: EngineContext, live: LiveContainer, run: Run): Promise<void> {
  const request = networkRequest(context, live.record);
  const change = await context.networks.takeBack(request);
  if (change !== undefined) {
    await run.running.monitor
      .changeNetwork(change.plan)
      .catch((error: unknown) => log.warn("a change of a network was not taken back", { container: live.id, error }));
    await changeNameFiles(context, live, change.files);
    change.commit();
    change.settled();
  }
  settleRecord(context, live, context.networks.settingsOf(request));
}
