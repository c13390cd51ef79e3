/** Opens a registry's folder and listens; closes in reverse. */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type { Server } from "node:http";
import { join } from "node:path";
import type { SecureContextOptions } from "node:tls";
import { log, messageOf } from "../base/base.ts";
import { type Access, everybody } from "./access.ts";
import { BlobFiles } from "./blob-files.ts";
import { Catalogue } from "./catalogue.ts";
import { collectGarbage, type GarbageReport } from "./collect.ts";
import { openDatabase } from "./database.ts";
import { HtpasswdAccess } from "./htpasswd.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { type ListenAddress, listening } from "./listen.ts";
import { LogSync } from "./log-sync.ts";
import { Metrics, serveMetrics } from "./metrics.ts";
import { Mirror, type MirrorOptions } from "./mirror.ts";
import { RegistryError } from "./registry-error.ts";
import { createRegistryServer, type Registry } from "./server.ts";
import { sweep } from "./sweep.ts";
import { TokenAccess, type TokenOptions } from "./token.ts";
import { Uploads } from "./uploads.ts";

export type { GarbageReport } from "./collect.ts";

export interface RegistryOptions {
  readonly root: string;
  readonly address: ListenAddress;
  readonly metricsAddress?: ListenAddress | undefined;
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Without one, everybody may do everything. */
  readonly access?:
    | { readonly kind: "htpasswd"; readonly file: string; readonly realm: string }
    | ({ readonly kind: "token" } & TokenOptions)
    | undefined;
  readonly readOnly?: boolean;
  readonly mirror?: MirrorOptions | undefined;
  /** Of one blob. */
  readonly maxUploadBytes?: number;
  /** Unfinished uploads at one time, of all clients. */
  readonly maxUploads?: number;
  /** How long what nothing uses yet is left alone: half a push's longest pause and more. */
  readonly graceMs?: number;
  /** Between two garbage collections; 0: only when asked. */
  readonly gcIntervalMs?: number;
  readonly gcUntagged?: boolean;
  readonly idleMs?: number;
  /** Milliseconds since 1970; of tests. */
  readonly now?: () => number;
}

export interface RunningRegistry extends AsyncDisposable {
  readonly port: number;
  /** Of `--metrics-addr`. */
  readonly metricsPort: number | undefined;
  /** One at a time; whoever asks meanwhile gets the one that is going on. */
  collectGarbage(): Promise<GarbageReport>;
  /** Reads certificates, users and keys again. What is wrong is logged and changes nothing. */
  reload(): void;
}

const hourMs = 3_600_000;

function accessOf(options: RegistryOptions["access"]): Access {
  switch (options?.kind) {
    case undefined:
      return everybody;
    case "htpasswd":
      return new HtpasswdAccess(options.file, options.realm);
    case "token":
      return new TokenAccess(options);
  }
}

function tlsOf(options: RegistryOptions["tls"]): SecureContextOptions | undefined {
  return options === undefined ? undefined : { cert: readFileSync(options.certFile), key: readFileSync(options.keyFile) };
}

/** What a failing step of a reload leaves is what was there. */
function reloadAll(options: RegistryOptions, access: Access, server: Server): void {
  const steps: [string, () => void][] = [
    ["access", () => access.reload()],
    [
      "certificates",
      () => {
        const tls = tlsOf(options.tls);
        if (tls !== undefined && "setSecureContext" in server) (server.setSecureContext as (tls: SecureContextOptions) => void)(tls);
      },
    ],
  ];
  for (const [what, step] of steps) {
    try {
      step();
    } catch (error) {
      log.error("reloading failed", { what, error: messageOf(error) });
    }
  }
}

function everySoOften(intervalMs: number, work: () => Promise<unknown>): Disposable {
  const timer = setInterval(() => {
    work().catch((error: unknown) => log.error("collecting garbage failed", { error: messageOf(error) }));
  }, intervalMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * Opens what is at `root`, made where it is missing, and listens.
 * @throws Error when another process has it, or an address or file is wrong
 */
export async function openRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  await using stack = new AsyncDisposableStack();
  const { root, graceMs = 24 * hourMs, gcIntervalMs = hourMs, now = Date.now } = options;
  await mkdir(root, { recursive: true, mode: 0o700 });
  const access = accessOf(options.access);
  const tls = tlsOf(options.tls);
  const files = new BlobFiles(root);
  await files.prepare();
  const database = openDatabase(join(root, "registry.db"));
  stack.defer(() => database.close());
  const logSync = stack.use(await LogSync.open(join(root, "registry.db")));
  const catalogue = new Catalogue(database, logSync, now, graceMs);
  await sweep(files, catalogue);
  const locks = new KeyedLock();
  const { maxUploadBytes: maxBytes = Number.MAX_SAFE_INTEGER, maxUploads = 10_000 } = options;
  const uploads = new Uploads({ files, catalogue, locks, maxBytes, maxUploads });
  const metrics = new Metrics();
  const mirror = options.mirror && stack.use(new Mirror({ ...options.mirror, catalogue, files, uploads, metrics }));
  const registry: Registry = {
    ...{ catalogue, files, uploads, access, mirror, metrics },
    readOnly: options.readOnly ?? false,
    idleMs: options.idleMs ?? 60_000,
    refuseCopies: (repository) => {
      if (mirror?.isReserved(repository))
        throw new RegistryError("DENIED", { message: `repository ${repository} is a copy of another registry's` });
    },
  };
  let collecting: Promise<GarbageReport> | undefined;
  const collect = (): Promise<GarbageReport> => {
    collecting ??= collectGarbage({ catalogue, files, uploads, locks, graceMs, untagged: options.gcUntagged ?? false }).finally(() => {
      collecting = undefined;
    });
    return collecting.then((report) => {
      metrics.add("gc_runs");
      metrics.add("gc_removed_blobs", report.blobs);
      metrics.add("gc_removed_bytes", report.bytes);
      log.info("collected garbage", { ...report });
      return report;
    });
  };
  stack.defer(() => collecting?.then(() => undefined).catch(() => undefined));
  const server = createRegistryServer(registry, tls);
  const { port } = stack.use(await listening(server, options.address, 5000));
  const gauges = (): Record<string, number> => {
    const { blobs, bytes, uploads: open } = catalogue.totals();
    return { blobs, blob_bytes: bytes, uploads: open };
  };
  const served = options.metricsAddress && stack.use(await serveMetrics(options.metricsAddress, () => metrics.text(gauges())));
  if (gcIntervalMs > 0) stack.use(everySoOften(gcIntervalMs, collect));
  const moved = stack.move();
  return {
    port,
    metricsPort: served?.port,
    collectGarbage: collect,
    reload: () => reloadAll(options, access, server),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
