import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { connect, type ListenOptions } from "node:net";
import { dirname } from "node:path";
import { log, messageOf } from "../base/base.ts";

/** Where one API server listens. */
export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "descriptor"; readonly descriptor: number };

/** The first descriptor that systemd hands over (sd_listen_fds(3)). */
const firstDescriptor = 3;

function activatedDescriptors(): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (Number(pid) !== process.pid) return [];
  return Array.from({ length: Number(count) || 0 }, (_, index) => firstDescriptor + index);
}

function descriptorsOf(host: string): Address[] {
  const there = activatedDescriptors();
  if (there.length === 0) throw new Error("no sockets found via socket activation: make sure the service was started by systemd");
  const wanted = host.slice("fd://".length);
  if (wanted === "" || wanted === "*") return there.map((descriptor) => ({ kind: "descriptor", descriptor }));
  const descriptor = Number(wanted);
  if (!there.includes(descriptor)) throw new Error(`failed to find systemd socket activation descriptor: ${host}`);
  return [{ kind: "descriptor", descriptor }];
}

/**
 * The addresses of a `-H`: unix://PATH, tcp://HOST:PORT, fd://.
 * @throws Error in dockerd's words
 */
export function parseHost(host: string, tls: boolean): Address[] {
  const invalid = new Error(`Invalid bind address format: ${host}`);
  if (host.startsWith("fd://")) return descriptorsOf(host);
  if (host.startsWith("unix://") || host.startsWith("/")) {
    const path = host.replace(/^unix:\/\//, "");
    if (!path.startsWith("/")) throw invalid;
    return [{ kind: "unix", path }];
  }
  const match = /^(?:tcp:\/\/)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?\/?$/.exec(host);
  const port = Number(match?.[2] ?? (tls ? 2376 : 2375));
  if (match === null || port > 65535) throw invalid;
  const name = (match[1] ?? "").replace(/^\[(.*)\]$/, "$1");
  return [{ kind: "tcp", host: name === "" ? "127.0.0.1" : name, port }];
}

/** The group's number: `--group`, by name or number, or `docker` where there is such a group. */
function groupNumber(group: string | undefined): number | undefined {
  const name = group ?? "docker";
  if (/^\d+$/.test(name)) return Number(name);
  for (const line of readFileSync("/etc/group", "utf8").split("\n")) {
    const [entry, , number] = line.split(":");
    if (entry === name && number !== undefined) return Number(number);
  }
  if (group !== undefined) throw new Error(`group ${group} not found`);
  return undefined;
}

function listening(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Does someone answer there? A socket that was left behind by a daemon that was killed refuses. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

async function listenUnix(server: Server, path: string, group: string | undefined): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  // It may be Docker's, or that of a Berth with another data root.
  if (await isAnswered(path)) throw new Error(`listen unix ${path}: bind: address already in use`);
  rmSync(path, { force: true });
  // Nobody may connect before owner and mode are set.
  const mask = process.umask(0o777);
  const done = listening(server, { path });
  process.umask(mask);
  await done;
  const gid = groupNumber(group);
  if (gid === undefined) log.debug("there is no group docker: the socket is root's alone", { path });
  else chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

/**
 * Listens. @returns the address as the log has it
 * @throws Error in dockerd's words
 */
export async function listen(server: Server, address: Address, group: string | undefined): Promise<string> {
  const name = addressName(address);
  try {
    switch (address.kind) {
      case "unix":
        await listenUnix(server, address.path, group);
        break;
      case "tcp":
        await listening(server, { host: address.host, port: address.port });
        break;
      case "descriptor":
        await new Promise<void>((resolve, reject) => {
          server.once("error", reject);
          server.listen({ fd: address.descriptor }, resolve);
        });
        break;
    }
  } catch (error) {
    throw new Error(`failed to load listeners: can't create ${address.kind} socket ${name}: ${messageOf(error)}`, { cause: error });
  }
  return name;
}

function addressName(address: Address): string {
  switch (address.kind) {
    case "unix":
      return address.path;
    case "tcp":
      return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
    case "descriptor":
      return `fd ${address.descriptor}`;
  }
}
