import { isIP } from "node:net";
import type { PortBinding } from "../../spec/spec.ts";

export interface PublishedPorts {
  /** `80/tcp` → {} as ContainerConfig.ExposedPorts has it. */
  readonly exposed: Record<string, Record<string, never>>;
  readonly bindings: Record<string, PortBinding[]>;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function range(text: string, kind: string): Range {
  const parts = text.split("-");
  const [first = Number.NaN, last = first] = parts.map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length > 2 || !(first >= 0 && first <= 65535 && last <= 65535) || last < first) throw new Error(`invalid ${kind}: ${text}`);
  return { first, last };
}

/** Splits `[IP:][HOST:]CONTAINER`, with IPv6 addresses in brackets. */
function split(text: string): { ip: string; host: string; container: string } {
  const match = /^(?:(\[[^\]]*\]|[^[\]]*):)?([^:]*):([^:]*)$/.exec(text);
  if (match === null) return { ip: "", host: "", container: text };
  return { ip: (match[1] ?? "").replace(/^\[(.*)\]$/, "$1"), host: match[2] ?? "", container: match[3] ?? "" };
}

function publish(text: string, ports: PublishedPorts): void {
  const slash = text.lastIndexOf("/");
  const protocol = (slash < 0 ? "tcp" : text.slice(slash + 1)).toLowerCase();
  const { ip, host, container } = split(slash < 0 ? text : text.slice(0, slash));
  if (ip !== "" && isIP(ip) === 0) throw new Error(`invalid IP address: ${ip}`);
  if (container === "") throw new Error(`no port specified: ${text}<empty>`);
  const inside = range(container, "containerPort");
  const outside = host === "" ? undefined : range(host, "hostPort");
  const count = inside.last - inside.first;
  const single = count === 0 && outside !== undefined && outside.last > outside.first;
  if (outside !== undefined && !single && outside.last - outside.first !== count)
    throw new Error(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  if (!["tcp", "udp", "sctp"].includes(protocol)) throw new Error(`invalid proto: ${protocol}`);
  for (let step = 0; step <= count; step++) {
    const key = `${inside.first + step}/${protocol}`;
    // A range of the host's for one port of the container's: the engine takes one that is free.
    const hostPort = outside === undefined ? "" : single ? host : String(outside.first + step);
    ports.exposed[key] = {};
    ports.bindings[key] = [...(ports.bindings[key] ?? []), { HostIp: ip, HostPort: hostPort }];
  }
}

/** The long form: `target=80,published=8080,protocol=tcp`. */
function fromPairs(text: string): string {
  const pairs = new Map<string, string>();
  for (const part of text.split(",")) {
    const [key = "", value = ""] = part.split("=");
    if (!["target", "published", "protocol", "mode"].includes(key)) throw new Error(`invalid field key ${key}`);
    pairs.set(key, value);
  }
  const target = pairs.get("target");
  if (target === undefined) throw new Error('missing mandatory field "target"');
  const published = pairs.get("published");
  return `${published === undefined ? "" : `${published}:`}${target}/${pairs.get("protocol") ?? "tcp"}`;
}

/** `-p` and `--expose` together. @throws Error with Docker's wording */
export function parsePorts(published: readonly string[], exposed: readonly string[]): PublishedPorts {
  const ports: PublishedPorts = { exposed: {}, bindings: {} };
  for (const text of published) publish(text.includes("=") ? fromPairs(text) : text, ports);
  for (const text of exposed) {
    if (text.includes(":")) throw new Error(`invalid port format for --expose: ${text}`);
    const [numbers = "", protocol = "tcp"] = text.split("/");
    let found: Range;
    try {
      found = range(numbers, "port");
    } catch {
      throw new Error(
        `invalid range format for --expose: ${numbers}, error: strconv.ParseUint: parsing ${JSON.stringify(numbers)}: invalid syntax`,
      );
    }
    for (let port = found.first; port <= found.last; port++) ports.exposed[`${port}/${protocol.toLowerCase()}`] = {};
  }
  return ports;
}
