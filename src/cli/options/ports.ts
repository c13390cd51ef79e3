import { isIP } from "node:net";
import { messageOf } from "../../base/errors.ts";
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

const protocols: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);

function port(text: string): number {
  const problem = !/^\d+$/.test(text) ? "invalid syntax" : Number(text) > 65535 ? "value out of range" : undefined;
  if (problem !== undefined) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${problem}`);
  return Number(text);
}

/** `80` or `80-90`; what a third number might mean is not asked. @throws Error with the wording of Docker's parser */
function range(text: string): Range {
  if (text === "") throw new Error("empty string specified for ports");
  const [from = "", to] = text.split("-");
  const first = port(from);
  const last = to === undefined ? first : port(to);
  if (last < first) throw new Error(`invalid range specified for port: ${text}`);
  return { first, last };
}

/** `80/udp` → its two parts; without a protocol it is tcp. */
function splitProtocol(text: string): { numbers: string; protocol: string } {
  const [numbers = "", protocol = ""] = text.split("/");
  if (numbers === "") return { numbers: "", protocol: "" };
  return { numbers, protocol: protocol === "" ? "tcp" : protocol };
}

/** Takes the brackets from an IPv6 address, as Go's net.SplitHostPort does. */
function unbracketed(ip: string): string {
  if (!ip.startsWith("[")) return ip;
  const bad = (why: string): Error => new Error(`invalid IP address ${ip}: address ${ip}:: ${why}`);
  const end = ip.indexOf("]");
  if (end < 0) throw bad("missing ']' in address");
  if (end !== ip.length - 1) throw bad(ip[end + 1] === ":" ? "too many colons in address" : "missing port in address");
  const address = ip.slice(1, end);
  if (address.includes("[")) throw bad("unexpected '[' in address");
  return address;
}

function parseRange(text: string, kind: string): Range {
  try {
    return range(text);
  } catch (error) {
    throw new Error(`invalid ${kind}: ${text}`, { cause: error });
  }
}

/** `[IP:][HOST:]CONTAINER[/PROTOCOL]`. */
function publish(text: string, ports: PublishedPorts): void {
  const parts = text.split(":");
  const { numbers, protocol } = splitProtocol(parts.pop() ?? "");
  const host = parts.pop() ?? "";
  const ip = unbracketed(parts.join(":"));
  if (ip !== "" && (isIP(ip) === 0 || ip.includes("%"))) throw new Error(`invalid IP address: ${ip}`);
  if (numbers === "") throw new Error(`no port specified: ${text}<empty>`);
  const inside = parseRange(numbers, "containerPort");
  const outside = host === "" ? undefined : parseRange(host, "hostPort");
  const count = inside.last - inside.first;
  const single = count === 0 && outside !== undefined && outside.last > outside.first;
  if (outside !== undefined && !single && outside.last - outside.first !== count)
    throw new Error(`invalid ranges specified for container and host Ports: ${numbers} and ${host}`);
  if (!protocols.has(protocol.toLowerCase())) throw new Error(`invalid proto: ${protocol}`);
  for (let step = 0; step <= count; step++) {
    const key = `${inside.first + step}/${protocol.toLowerCase()}`;
    // A range of the host's for one port of the container's: the engine takes one that is free.
    const hostPort = outside === undefined ? "" : single ? `${outside.first}-${outside.last}` : String(outside.first + step);
    ports.exposed[key] = {};
    ports.bindings[key] = [...(ports.bindings[key] ?? []), { HostIp: ip, HostPort: hostPort }];
  }
}

/** The long form, `target=80,published=8080,protocol=tcp`, as the short one. Other keys are a swarm's, and passed over. */
function fromPairs(text: string): string {
  const pairs = new Map([["protocol", "tcp"]]);
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    if (equals < 1) throw new Error(`invalid publish opts format (should be name=value but got '${part}')`);
    pairs.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return `${pairs.get("published") ?? ""}:${pairs.get("target") ?? ""}/${pairs.get("protocol") ?? ""}`;
}

function expose(text: string, ports: PublishedPorts): void {
  if (text.includes(":")) throw new Error(`invalid port format for --expose: ${text}`);
  const { numbers, protocol } = splitProtocol(text);
  let found: Range;
  try {
    found = range(numbers);
  } catch (error) {
    throw new Error(`invalid range format for --expose: ${text}, error: ${messageOf(error)}`, { cause: error });
  }
  for (let number = found.first; number <= found.last; number++) ports.exposed[`${number}/${protocol}`] = {};
}

/** `-p` and `--expose` together. @throws Error with Docker's wording */
export function parsePorts(published: readonly string[], exposed: readonly string[]): PublishedPorts {
  const ports: PublishedPorts = { exposed: {}, bindings: {} };
  for (const text of published.map((one) => (one.includes("=") ? fromPairs(one) : one))) publish(text, ports);
  for (const text of exposed) expose(text, ports);
  return ports;
}
