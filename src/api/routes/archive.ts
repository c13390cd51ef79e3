import type { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createDeflate, createGzip } from "node:zlib";
import { cancelled, formatNanos, invalidParameter, isEngineError, messageOf, systemError } from "../../base/base.ts";
import type { ContainerConfig } from "../../spec/spec.ts";
import type { ArchiveBackend, PathStat, TarOutput } from "../backend.ts";
import type { Call } from "../call.ts";
import { fitFields } from "../request-shape.ts";
import { createShape } from "../request-shapes-table.ts";
import type { Route } from "../router.ts";
import { sendBytes } from "../stream.ts";

/** File types of st_mode as those of Go's os.FileMode. */
const goFileTypes: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
]);

/** In Go's os.FileMode the special bits lie elsewhere too. */
function goFileMode(mode: number): number {
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return (goFileTypes.get(mode & 0o170000) ?? 0) + special + (mode & 0o777);
}

function setStat(call: Call, stat: PathStat): void {
  const { name, sizeBytes, mode, mtimeNanos, linkTarget } = stat;
  const value = { name, size: sizeBytes, mode: goFileMode(mode), mtime: formatNanos(mtimeNanos), linkTarget };
  call.response.setHeader("X-Docker-Container-Path-Stat", Buffer.from(JSON.stringify(value)).toString("base64"));
}

function pathOf(call: Call): string {
  const path = call.query.text("path");
  // The missing space is Docker's.
  if (path === "") throw invalidParameter("bad parameter: pathcannot be empty");
  return path;
}

const tarType = "application/x-tar";

/** What the client would have, of what there is. */
function acceptedEncoding(call: Call): "gzip" | "deflate" | undefined {
  const accepted = String(call.request.headers["accept-encoding"] ?? "").split(",");
  return accepted.map((word) => word.trim().toLowerCase()).find((word) => word === "gzip" || word === "deflate");
}

/** So long after the bytes did not go any more, at most, it is known that nobody takes them. */
const hangUpMs = 200;

/** What to say of a tar that broke off: a client that has gone has broken it, which shows here a moment later than where it is sent. */
async function unlessGone(call: Call, error: unknown): Promise<unknown> {
  const { signal } = call;
  if (!signal.aborted) await sleep(hangUpMs, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) return cancelled("the client has gone", error);
  return isEngineError(error) ? error : systemError(`the archive has broken off: ${messageOf(error)}`, error);
}

/** Ends what is behind the tar when the client goes. */
async function sendTar(call: Call, type: string, { tar, sendToClient }: TarOutput): Promise<void> {
  const end = (): void => {
    tar.destroy();
  };
  call.response.once("close", end);
  try {
    if (sendToClient === undefined) await sendBytes(call, type, tar);
    else await call.sendElsewhere(type, sendToClient, finished(tar.resume(), { writable: false }));
  } catch (error) {
    throw await unlessGone(call, error);
  } finally {
    end();
  }
}

async function sendEncoded(call: Call, encoding: "gzip" | "deflate", tar: Readable): Promise<void> {
  call.response.setHeader("Content-Encoding", encoding);
  call.open(tarType);
  await pipeline(tar, encoding === "gzip" ? createGzip() : createDeflate(), call.response).catch(async (error: unknown) => {
    throw await unlessGone(call, error);
  });
}

async function get(backend: ArchiveBackend, call: Call): Promise<void> {
  const encoding = acceptedEncoding(call);
  const client = encoding === undefined ? call.descriptor : undefined;
  const { stat, ...output } = await backend.readPath(call.param("name"), pathOf(call), client);
  setStat(call, stat);
  if (encoding === undefined) await sendTar(call, tarType, output);
  else await sendEncoded(call, encoding, output.tar);
}

async function head(backend: ArchiveBackend, call: Call): Promise<void> {
  setStat(call, await backend.statPath(call.param("name"), pathOf(call)));
  call.empty(200);
}

async function put(backend: ArchiveBackend, call: Call): Promise<void> {
  await backend.writePath(call.param("name"), pathOf(call), call.upload(), {
    noOverwriteDirNonDir: call.query.flag("noOverwriteDirNonDir"),
    copyUidGid: call.query.flag("copyUIDGID"),
  });
  call.empty(200);
}

async function exportAll(backend: ArchiveBackend, call: Call): Promise<void> {
  await sendTar(call, "application/octet-stream", await backend.export(call.param("name"), call.descriptor));
}

async function changes(backend: ArchiveBackend, call: Call): Promise<void> {
  const found = await backend.changes(call.param("name"));
  call.json(
    200,
    found.map(({ path, kind }) => ({ Path: path, Kind: kind })),
  );
}

async function commit(backend: ArchiveBackend, call: Call): Promise<void> {
  const { query } = call;
  const body = await call.body();
  const answer = await backend.commit(query.text("container"), {
    repository: query.text("repo"),
    tag: query.text("tag"),
    comment: query.text("comment"),
    author: query.text("author"),
    pause: query.flag("pause", true),
    changes: query.all("changes"),
    ...(body === undefined ? {} : { config: fitFields(body, createShape, "ContainerConfig") as unknown as ContainerConfig }),
  });
  call.json(201, answer);
}

export function archiveRoutes(backend: ArchiveBackend): Route[] {
  const pattern = "/containers/{name}/archive";
  return [
    { method: "GET", pattern, handler: (call) => get(backend, call) },
    { method: "HEAD", pattern, handler: (call) => head(backend, call) },
    { method: "PUT", pattern, handler: (call) => put(backend, call) },
    { method: "GET", pattern: "/containers/{name}/export", handler: (call) => exportAll(backend, call) },
    { method: "GET", pattern: "/containers/{name}/changes", handler: (call) => changes(backend, call) },
    { method: "POST", pattern: "/commit", handler: (call) => commit(backend, call) },
  ];
}
