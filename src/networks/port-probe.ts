/** Which ports other programs of the host have. The monitor's own bind decides in the end; this is to choose well. */
import { createSocket } from "node:dgram";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Protocol } from "./firewall.ts";

export type PortInUse = (protocol: Protocol, addresses: readonly string[], port: number) => boolean | Promise<boolean>;

/** Binds the port for a moment. SCTP, which Node does not know, passes. */
function canBind(protocol: Protocol, address: string, port: number): Promise<boolean> {
  if (protocol === "sctp") return Promise.resolve(true);
  const ipv6Only = address.includes(":");
  return new Promise((done) => {
    if (protocol === "udp") {
      const socket = createSocket({ type: ipv6Only ? "udp6" : "udp4", ipv6Only });
      socket.once("error", () => socket.close(() => done(false)));
      socket.bind({ address, port, exclusive: true }, () => socket.close(() => done(true)));
      return;
    }
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ host: address, port, exclusive: true, ipv6Only }, () => server.close(() => done(true)));
  });
}

/** Tries each port by binding it. */
export const portInUse: PortInUse = async (protocol, addresses, port) => {
  for (const address of addresses) if (!(await canBind(protocol, address, port))) return true;
  return false;
};

/** `   0: 0100007F:1F90 …` of /proc/net/tcp and its like: the local address and port, in hexadecimal. */
const localPort = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /gm;

export function portsOfTable(text: string): number[] {
  return Array.from(text.matchAll(localPort), ([, port = ""]) => Number.parseInt(port, 16));
}

/** As if these were in use. */
export function avoiding(ports: readonly number[] | undefined, inUse: PortInUse): PortInUse {
  return ports === undefined ? inUse : (protocol, addresses, port) => ports.includes(port) || inUse(protocol, addresses, port);
}

async function portsInUse(protocol: Protocol): Promise<ReadonlySet<number>> {
  if (protocol === "sctp") return new Set();
  // Without IPv6 in the kernel there is no second table.
  const tables = [protocol, `${protocol}6`].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => ""));
  return new Set((await Promise.all(tables)).flatMap(portsOfTable));
}

/** From here on it costs less to read the kernel's tables than to try each port. */
const few = 16;

/** For the choice of `count` ports. The tables say of a port that it is in use wherever on the host it is: chosen are others. */
export function portInUseFor(count: number): PortInUse {
  if (count <= few) return portInUse;
  const tables = new Map<Protocol, Promise<ReadonlySet<number>>>();
  const loaded = new Map<Protocol, ReadonlySet<number>>();
  const load = async (protocol: Protocol): Promise<ReadonlySet<number>> => {
    const table = tables.get(protocol) ?? portsInUse(protocol);
    tables.set(protocol, table);
    loaded.set(protocol, await table);
    return table;
  };
  return (protocol, _addresses, port) => loaded.get(protocol)?.has(port) ?? load(protocol).then((table) => table.has(port));
}
