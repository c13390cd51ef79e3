import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContainerId, errnoOf, isEngineError, log, Mutex, messageOf, systemError } from "../base/base.ts";
import { loadDefaultProfile, profileName } from "../kernel/apparmor.ts";
import {
  allowRealtime,
  cgroupDirectories,
  cgroupParentPath,
  planCgroup,
  prepareCgroupParent,
  removeCgroupParent,
} from "../kernel/cgroups.ts";
import { thaw } from "../kernel/freezer.ts";
import { type HostFacts, readHostFacts } from "../kernel/host-facts.ts";
import type { ExecSession, ExitRecord, Kernel, Monitor, TreeView } from "../kernel/kernel.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import { assertHasRoot, readProcessFile } from "../kernel/process-files.ts";
import { sigkill } from "../kernel/signals.ts";
import type { ContainerConfig, ExecConfig, HostConfig, RuntimeSpec } from "../spec/spec.ts";
import { makeMissingSource } from "./bind-sources.ts";
import { checkResources } from "./check-resources.ts";
import { containerDevices } from "./devices.ts";
import { execPlan } from "./exec.ts";
import { runtimeRefused, sessionFailure } from "./explain-failure.ts";
import { limitContainer } from "./limit-container.ts";
import { ipcMode } from "./namespaces.ts";
import { launchPlan } from "./plan.ts";
import { containerResources } from "./resources.ts";
import type { RunningContainer, Runtime, RuntimeOptions, StartRequest } from "./runtime.ts";
import { dropSharedMemory, makeSharedMemory, sharedShmPath, shmBytes } from "./shared-memory.ts";
import { cgroupPath, containerSpec, groupsAdded } from "./spec.ts";
import { boundFiles } from "./spec-mounts.ts";
import { type AccountFiles, type ResolvedUser, resolveUser } from "./users.ts";
import { checkSysctls, validateContainer } from "./validate.ts";
import { treeView, type ViewRequest } from "./view.ts";

/** How long a container that should not be there may take to die. */
const strayPatienceMs = 10_000;

export interface OpenRuntimeOptions {
  readonly kernel: Kernel;
  /** Sockets of monitors lie in `<execRoot>/monitors`. */
  readonly execRoot: string;
  readonly options?: RuntimeOptions;
}

const monitors = "monitors";

/** A unix socket's path holds 107 bytes: half of the id names the container well enough. */
function monitorSocket(execRoot: string, containerId: string): string {
  return join(execRoot, monitors, containerId.slice(0, 32));
}

/** OCI's numbers are Go's: the greatest unsigned one is not one of JavaScript's, and rounds up. */
function specText(spec: RuntimeSpec): string {
  return JSON.stringify(spec).replaceAll(/:18446744073709552000(?=[,}])/g, ":18446744073709551615");
}

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    log.warn("a file that is not whole is passed over", { path, error });
    return undefined;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

class LinuxRuntime implements Runtime {
  readonly #kernel: Kernel;
  readonly #facts: HostFacts;
  readonly #execRoot: string;
  readonly #options: RuntimeOptions;
  readonly #defaultParent: string;
  /** The profile of containers that name none; undefined where there is no AppArmor. */
  readonly #profile: string | undefined;
  /** Parent cgroups that are ready. */
  readonly #parents: Map<string, Promise<void>> = new Map();
  /** What an exit takes away is gone before the next start makes it again. */
  readonly #sharedMemory = new Mutex();

  constructor(
    kernel: Kernel,
    facts: HostFacts,
    execRoot: string,
    options: RuntimeOptions,
    defaultParent: string,
    profile: string | undefined,
  ) {
    this.#kernel = kernel;
    this.#facts = facts;
    this.#execRoot = execRoot;
    this.#options = options;
    this.#defaultParent = defaultParent;
    this.#profile = profile;
  }

  validate(config: ContainerConfig, hostConfig: HostConfig): string[] {
    return validateContainer(config, hostConfig, this.#facts);
  }

  async checkLimits(hostConfig: HostConfig): Promise<string[]> {
    const warnings = checkResources(hostConfig, this.#facts, true);
    await containerResources(hostConfig, this.#facts.support, [], 0); // every block device that is named has to be there
    return warnings;
  }

  async start(request: StartRequest): Promise<RunningContainer> {
    const { hostConfig } = request;
    try {
      checkSysctls(hostConfig);
    } catch (error) {
      throw isEngineError(error, "InvalidParameter") ? systemError(runtimeRefused(error.message), error) : error;
    }
    const [user, devices] = await Promise.all([
      this.#user(request),
      containerDevices(hostConfig),
      this.#prepareFiles(request),
      this.#prepareParent(request),
    ]);
    const resources = await containerResources(hostConfig, this.#facts.support, devices.rules, this.#options.pidsLimit ?? 0);
    const surroundings = { options: this.#options, facts: this.#facts, execRoot: this.#execRoot };
    const profile = this.#profile === undefined ? {} : { apparmorProfile: this.#profile };
    const spec = containerSpec({ request, ...surroundings, user, devices, resources, ...profile });
    const plan = launchPlan(spec, {
      ...request,
      facts: this.#facts,
      socketPath: monitorSocket(this.#execRoot, request.containerId),
      exitPath: join(request.statePath, "exit.json"),
      home: user.home,
      init: hostConfig.Init ?? this.#options.init ?? false,
      openStdin: request.config.OpenStdin === true,
      stdinOnce: request.config.StdinOnce === true,
    });
    // Only an adopting daemon reads it: the launch does not wait.
    const written = writeWhole(join(request.statePath, "config.json"), specText(spec)).catch((error: unknown) =>
      log.warn("the container's runtime specification could not be written", { container: request.containerId, error }),
    );
    const monitor = await this.#kernel.launch(plan).catch(async (error: unknown) => {
      await written;
      // A broker that died may have forked the monitor, and told nobody.
      if (launchFailureOf(error) === undefined) await this.#endStray(request.containerId, request.statePath);
      throw error;
    });
    // The parent may have been removed behind our back: the next start makes it again.
    monitor.launched.catch(() => this.#parents.clear());
    if (ipcMode(hostConfig) === "shareable") this.#dropSharedMemoryAfter(request.containerId, monitor);
    return this.#running(monitor, spec, request, user);
  }

  async adopt(containerId: ContainerId, statePath: string): Promise<{ running?: RunningContainer; exit?: ExitRecord }> {
    const monitor = await this.#kernel.adopt(monitorSocket(this.#execRoot, containerId));
    if (monitor !== undefined) {
      const spec = await readJson<RuntimeSpec>(join(statePath, "config.json"));
      if (spec !== undefined) {
        this.#dropSharedMemoryAfter(containerId, monitor);
        return { running: this.#running(monitor, spec, { containerId, statePath }, undefined) };
      }
      log.error("a container runs whose runtime specification is missing", { container: containerId });
      monitor.release();
    }
    await this.#clearAway(containerId, await readJson<RuntimeSpec>(join(statePath, "config.json")));
    const exit = await this.#exitRecord(statePath);
    return exit === undefined ? {} : { exit };
  }

  view(request: ViewRequest): Promise<TreeView> {
    return treeView(request, monitorSocket(this.#execRoot, request.containerId), this.#facts);
  }

  async #exitRecord(statePath: string): Promise<ExitRecord | undefined> {
    return await readJson<ExitRecord>(join(statePath, "exit.json"));
  }

  async endStrays(idle: Iterable<{ readonly id: ContainerId; readonly statePath: string }>): Promise<void> {
    const sockets = new Set(await readdir(join(this.#execRoot, monitors)).catch(() => []));
    const left = [...idle].filter(({ id }) => sockets.has(basename(monitorSocket(this.#execRoot, id))));
    await Promise.all(left.map(({ id, statePath }) => this.#endStray(id, statePath)));
  }

  async #endStray(containerId: ContainerId, statePath: string): Promise<void> {
    log.warn("a start that was not finished is undone", { container: containerId });
    const monitor = await this.#kernel.adopt(monitorSocket(this.#execRoot, containerId));
    if (monitor !== undefined) {
      await monitor.signal(sigkill).catch(() => undefined); // it has ended by itself
      await Promise.race([monitor.exited, sleep(strayPatienceMs, undefined, { ref: false })]);
      monitor.release();
    }
    await this.#clearAway(containerId, await readJson<RuntimeSpec>(join(statePath, "config.json")));
  }

  /** In place of a monitor that cannot any more. */
  async #clearAway(containerId: ContainerId, spec: RuntimeSpec | undefined): Promise<void> {
    try {
      const path = spec?.linux.cgroupsPath;
      if (path !== undefined) {
        await thaw(cgroupDirectories(this.#facts.cgroups, path)); // of a paused container nothing could be killed
        await this.#kernel.run(planCgroup(this.#facts.cgroups, path, {}).cleanup);
      }
      await rm(monitorSocket(this.#execRoot, containerId), { force: true });
      await this.#dropSharedMemory(containerId);
    } catch (error) {
      log.warn("what a lost monitor has left could not be cleared away", { container: containerId, error });
    }
  }

  async close(): Promise<void> {
    for (const parent of new Set([this.#defaultParent, ...this.#parents.keys()])) await removeCgroupParent(this.#facts.cgroups, parent);
  }

  async #user(request: StartRequest): Promise<ResolvedUser> {
    const read = request.readRootFile ?? (async (): Promise<undefined> => undefined);
    const [passwd, group] = await Promise.all([read("/etc/passwd"), read("/etc/group")]);
    return resolveUser(request.config.User ?? "", request.hostConfig.GroupAdd ?? [], { passwd, group });
  }

  /** Files bound into the container, bind sources that are made when missing; no exit record of an earlier run. */
  async #prepareFiles(request: StartRequest): Promise<void> {
    const { statePath, hostConfig } = request;
    await Promise.all([
      rm(join(statePath, "exit.json"), { force: true }),
      ...boundFiles(request).map(({ name, content }) => writeFile(join(statePath, name), content, { mode: 0o644 })),
      ...request.mounts.map(makeMissingSource),
      ...(ipcMode(hostConfig) === "shareable" ? [this.#makeSharedMemory(request)] : []),
    ]);
  }

  async #makeSharedMemory({ containerId, hostConfig }: StartRequest): Promise<void> {
    const place = sharedShmPath(this.#execRoot, containerId);
    await this.#sharedMemory.run(() => makeSharedMemory(this.#kernel, place, shmBytes(hostConfig, this.#options)));
  }

  async #dropSharedMemory(containerId: string): Promise<void> {
    const place = sharedShmPath(this.#execRoot, containerId);
    await this.#sharedMemory.run(() => dropSharedMemory(this.#kernel, place));
  }

  #dropSharedMemoryAfter(containerId: string, monitor: Monitor): void {
    monitor.exited
      .then(() => this.#dropSharedMemory(containerId))
      .catch((error: unknown) => log.warn("shared memory of a container is left over", { container: containerId, error }));
  }

  async #prepareParent(request: StartRequest): Promise<void> {
    const path = cgroupPath(request, this.#options);
    const parent = path.slice(0, path.lastIndexOf("/"));
    let ready = this.#parents.get(parent);
    if (ready === undefined) {
      ready = prepareCgroupParent(this.#facts.cgroups, parent).then(() => allowRealtime(this.#facts.cgroups, parent, this.#options));
      this.#parents.set(parent, ready);
      ready.catch(() => this.#parents.delete(parent));
    }
    await ready;
  }

  #running(
    monitor: Monitor,
    spec: RuntimeSpec,
    { containerId, statePath }: { containerId: ContainerId; statePath: string },
    started: ResolvedUser | undefined,
  ): RunningContainer {
    const facts = this.#facts;
    const exited = monitor.exited.then(async (record) => {
      if (record !== undefined) return record;
      await this.#clearAway(containerId, spec);
      // A request that crosses the monitor's end on the way breaks the connection, and its last message is lost with it.
      return await this.#exitRecord(statePath);
    });
    const cgroups = cgroupDirectories(facts.cgroups, spec.linux.cgroupsPath ?? "");
    return {
      monitor,
      exited,
      spec,
      cgroups,
      async limit(hostConfig): Promise<void> {
        const resources = await limitContainer({ facts, cgroups, resources: spec.linux.resources ?? {} }, hostConfig);
        if (resources === undefined) return;
        spec.linux.resources = resources;
        // Who adopts the container without it finds the limits in its record, and writes them again.
        await writeWhole(join(statePath, "config.json"), specText(spec)).catch((error: unknown) =>
          log.warn("a container's new limits could not be written down", { path: statePath, error }),
        );
      },
      async exec(config: ExecConfig, options): Promise<ExecSession> {
        const user = await execIdentity(config, monitor, spec, started);
        const plan = execPlan(config, {
          spec,
          facts,
          user,
          execId: options.execId,
          rows: options.rows ?? 0,
          columns: options.columns ?? 0,
        });
        try {
          return await monitor.exec(plan);
        } catch (error) {
          const failure = launchFailureOf(error);
          throw failure === undefined ? error : systemError(messageOf(error), sessionFailure(failure));
        }
      },
    };
  }
}

/** Without a user of its own an exec runs as the container does, which needs no look at its files. */
async function execIdentity(
  config: ExecConfig,
  monitor: Monitor,
  spec: RuntimeSpec,
  started: ResolvedUser | undefined,
): Promise<ResolvedUser> {
  if (!config.User && started !== undefined) return started;
  const { pid } = await monitor.launched;
  const [passwd, group] = await Promise.all([readProcessFile(pid, "/etc/passwd"), readProcessFile(pid, "/etc/group")]);
  // What has no root any more has no users either, and that is not the client's mistake.
  if (passwd === undefined) await assertHasRoot(pid);
  const files: AccountFiles = { passwd, group };
  if (config.User) return resolveUser(config.User, groupsAdded(spec), files);
  const { uid, gid, additionalGids = [] } = spec.process.user;
  return { uid, gid, groups: additionalGids, home: resolveUser(String(uid), [], files).home };
}

async function defaultProfile(): Promise<string | undefined> {
  const problem = await loadDefaultProfile();
  if (problem === undefined) return profileName;
  log.warn("containers run without an AppArmor profile: it could not be loaded", { reason: problem });
  return undefined;
}

/** Reads what the host can do and makes the default parent cgroup. */
export async function openRuntime({ kernel, execRoot, options = {} }: OpenRuntimeOptions): Promise<Runtime> {
  const parent = cgroupParentPath(options.cgroupParent ?? "/berth");
  const [facts] = await Promise.all([
    readHostFacts(parent),
    mkdir(join(execRoot, "monitors"), { recursive: true, mode: 0o700 }),
    mkdir(join(execRoot, "shm"), { recursive: true, mode: 0o710 }),
  ]);
  return new LinuxRuntime(kernel, facts, execRoot, options, parent, facts.apparmor ? await defaultProfile() : undefined);
}
