/** Opens every room in the order of the tiers, joins their ports and listens; closes all of it in reverse. */
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import type { Server } from "node:http";
import { basename, dirname, join } from "node:path";
import { type Backends, createApiServer } from "../api/api.ts";
import { type Digest, log, messageOf, version } from "../base/base.ts";
import { failpointVariable } from "../base/failpoint.ts";
import { ContainerStore } from "../containers/containers.ts";
import { openContent } from "../content/open.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { openDistribution } from "../distribution/open.ts";
import { type Engine, openEngine } from "../engine/engine.ts";
import { openImageBackend } from "../engine/image-backend.ts";
import { startImageCollector } from "../engine/image-collector.ts";
import { openRegistryBackend } from "../engine/registry-backend.ts";
import { openTrustBackend } from "../engine/trust-backend.ts";
import { openEvents } from "../events/bus.ts";
import { openImages } from "../images/open.ts";
import type { ImagesPorts } from "../images/store.ts";
import { openLinuxKernel } from "../kernel/linux.ts";
import { processCommand } from "../kernel/process-command.ts";
import { openLayers } from "../layers/open.ts";
import { readLog } from "../logs/read.ts";
import { openNetworks } from "../networks/open.ts";
import { openRuntime } from "../runtime/open.ts";
import { type Database, ImageRows, openDatabase } from "../state/state.ts";
import { openTrust } from "../trust/trust.ts";
import { openVolumes } from "../volumes/open.ts";
import { engineId } from "./engine-id.ts";
import { type Address, listen, parseHost } from "./listen.ts";
import { lockDataRoot, writePidFile } from "./lock.ts";
import { Metrics } from "./metrics.ts";
import { type OpenedSystem, openSystem } from "./open-system.ts";
import { distributionSettings, engineOptions, networkOptions, runtimeOptions } from "./room-options.ts";
import { serveMetrics } from "./serve-metrics.ts";
import { serveRegistry } from "./serve-registry.ts";
import type { Settings } from "./settings.ts";
import { secureServer } from "./tls.ts";

export interface RunningDaemon extends AsyncDisposable {
  /** Settles when the API has asked for the end. */
  readonly endAsked: Promise<void>;
  /** Takes over what can change while it runs: see `reloadSettings`. */
  reload(settings: Settings): void;
}

/** Where the C program and the embedded image lie: `build/`, beside the bundle or above the sources. */
function buildFolder(): string {
  const here = import.meta.dirname;
  return basename(here) === "dist" ? dirname(here) : join(here, "../../build");
}

function prepareRoots(settings: Settings): void {
  mkdirSync(settings.dataRoot, { recursive: true, mode: 0o710 });
  chmodSync(settings.dataRoot, 0o710);
  mkdirSync(settings.execRoot, { recursive: true, mode: 0o711 });
  mkdirSync(dirname(settings.pidFile), { recursive: true, mode: 0o755 });
}

/** Of a living process: is it a daemon of ours, or has its number been given to another program? */
async function isDaemon(pid: number): Promise<boolean> {
  return (await processCommand(pid))?.includes("berthd") ?? true;
}

function monitorSockets(execRoot: string): string[] {
  const folder = join(execRoot, "monitors");
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

function exposureWarnings(addresses: readonly Address[], settings: Settings): string[] {
  if (settings.tls?.verify === true) return [];
  return addresses.flatMap((address) =>
    address.kind === "tcp"
      ? [
          `WARNING: API is accessible on http${settings.tls === undefined ? "" : "s"}://${address.host}:${address.port} without ${settings.tls === undefined ? "encryption" : "TLS client verification"}.\n         Access to the remote API is equivalent to root access on the host.`,
        ]
      : [],
  );
}

/** The build whose failpoints strike is for tests only. */
const nativeProgram = process.env[failpointVariable] === undefined ? "berth-native" : "berth-native-failpoints";

interface Rooms extends Omit<OpenedSystem, "system"> {
  readonly backends: Backends;
  readonly engine: Engine;
}

/** Its folder is of the same file system as `content`, which takes over what has arrived there. */
function openDownloading(dataRoot: string, database: Database, settings: Settings): Promise<Distribution> {
  const rows = new ImageRows(database);
  const isStored = (digest: Digest): boolean => rows.wantsBlob(digest);
  return openDistribution({ root: join(dataRoot, "downloads"), isStored, ...distributionSettings(settings) });
}

/** Opens every room in the order of the tiers; each is closed by `stack` in the reverse one. */
async function openRooms(
  settings: Settings,
  warnings: readonly string[],
  closing: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<Rooms> {
  const build = buildFolder();
  const { dataRoot, execRoot } = settings;
  const database = openDatabase(join(dataRoot, "berth.db"));
  stack.defer(() => database.close());
  const kernel = stack.use(await openLinuxKernel({ native: join(build, nativeProgram), execRoot, adoptFrom: monitorSockets(execRoot) }));
  const events = openEvents();
  const driver = settings.storageDriver === undefined ? {} : { driver: settings.storageDriver };
  const layers = stack.use(await openLayers({ root: join(dataRoot, "layers"), kernel, ...driver }));
  const content = await openContent(join(dataRoot, "content"));
  const distribution = stack.use(await openDownloading(dataRoot, database, settings));
  const store = new ContainerStore(database);
  let { imagePolicy, imageCollection } = settings;
  const trust = openTrust(() => imagePolicy);
  const admit: ImagesPorts["admit"] = (remote, digest, signal) => trust.admit(remote, digest, signal);
  const images = await openImages({ database, content, layers, usedBy: (id) => store.usedBy(id), events, admit });
  const networks = await openNetworks({ database, kernel, options: { ...networkOptions(settings), engineId: engineId(dataRoot) } });
  stack.defer(() => networks.close());
  // One object that a reload changes; the runtime looks at it with each start.
  const runtimeDefaults = runtimeOptions(settings);
  const runtime = await openRuntime({ kernel, execRoot, options: runtimeDefaults });
  stack.defer(() => runtime.close());
  const usedBy = (volume: string): readonly string[] => store.usersOf(volume);
  const volumes = await openVolumes({ root: join(dataRoot, "volumes"), database, kernel, events, usedBy });
  stack.defer(() => volumes.close());
  const engine = await openEngine({
    store,
    kernel,
    images,
    layers,
    networks,
    runtime,
    volumes,
    events,
    readLog,
    dataRoot,
    options: engineOptions(settings),
  });
  stack.defer(() => engine.close());
  const rooms = { kernel, images, layers, volumes, distribution, engine, events, runtimeDefaults };
  const { system, ...control } = openSystem({ settings, warnings, closing, rooms });
  const embedded = { "hello-world:latest": { program: join(build, "hello"), name: "hello" } };
  const imageBackend = openImageBackend({ images, layers, embedded, distribution, collectPolicy: () => imageCollection.policy });
  const collector = stack.use(startImageCollector(images, imageCollection));
  const { archive, containers, exec, networks: networkBackend } = engine;
  const registries = openRegistryBackend(distribution);
  const backends = {
    archive,
    containers,
    exec,
    images: imageBackend,
    networks: networkBackend,
    registries,
    trust: openTrustBackend(distribution, trust),
    volumes: engine.volumes,
    system,
  };
  const reload = (next: Settings): void => {
    ({ imagePolicy, imageCollection } = next);
    collector.configure(imageCollection);
    control.reload(next);
  };
  return { backends, engine, ...control, reload };
}

/** Stops listening, lets requests end, then breaks what is left. */
async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    log.warn("clients are still connected; leaving them");
    server.closeAllConnections();
    resolve();
  }, timeoutMs);
  await promise;
  clearTimeout(timer);
}

/**
 * Opens everything and listens. Disposing ends the daemon: no new requests, streams end, containers go on.
 * @throws Error in dockerd's words when it cannot
 */
export async function openDaemon(settings: Settings): Promise<RunningDaemon> {
  await using stack = new AsyncDisposableStack();
  prepareRoots(settings);
  stack.use(lockDataRoot(settings.dataRoot));
  stack.use(await writePidFile(settings.pidFile, isDaemon));
  const addresses = settings.hosts.flatMap((host) => parseHost(host, settings.tls !== undefined));
  const warnings = exposureWarnings(addresses, settings);
  for (const warning of warnings) log.warn(warning.replaceAll(/\s+/g, " "));
  const closing = new AbortController();
  let shutdownTimeoutSeconds = settings.shutdownTimeoutSeconds;
  const { engine, endAsked, reload, ...rooms } = await openRooms(settings, warnings, closing.signal, stack);
  const create = settings.tls === undefined ? undefined : await secureServer(settings.tls);
  log.info("Daemon has completed initialization");
  let { backends } = rooms;
  if (settings.metricsAddress !== undefined) {
    const metrics = new Metrics();
    backends = metrics.timed(backends);
    stack.use(await serveMetrics(settings.metricsAddress, () => metrics.text(rooms.metricSources)));
  }
  const servers: Server[] = [];
  stack.defer(async () => {
    // Streams that wait for containers end with the engine's; it closes again, to no effect, in its turn.
    const closed = servers.map((server) => closeServer(server, shutdownTimeoutSeconds * 1000));
    closing.abort(new Error("the daemon is shutting down"));
    await engine.close().catch((error: unknown) => log.warn("closing the engine failed", { error: messageOf(error) }));
    await Promise.all(closed);
  });
  if (settings.registryAddress !== undefined) stack.use(await serveRegistry(settings.registryAddress, join(settings.dataRoot, "registry")));
  for (const address of addresses) {
    const secure = create !== undefined && address.kind !== "unix" ? { create } : {};
    const server = createApiServer(backends, { version: version.version, ...secure });
    const name = await listen(server, address, settings.group);
    servers.push(server);
    log.info(`API listen on ${name}`);
  }
  const moved = stack.move();
  return {
    endAsked,
    reload: (next) => {
      shutdownTimeoutSeconds = next.shutdownTimeoutSeconds;
      reload(next);
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
