/** What a container asks to be published, in Docker's terms, as a list of wishes. */
import { invalidParameter, notImplemented } from "../base/base.ts";
import type { PortBinding } from "../spec/spec.ts";
import { familyOf } from "./addresses.ts";
import type { Protocol } from "./firewall.ts";

export interface PortWish {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostAddress: string;
  /** The first free one of these, both ends included; undefined: any. */
  readonly hostPorts?: readonly [first: number, last: number];
}

export interface PortRequest {
  readonly portBindings: Readonly<Record<string, PortBinding[]>>;
  readonly exposedPorts: readonly string[];
  readonly publishAllPorts: boolean;
}

const protocols: readonly string[] = ["tcp", "udp", "sctp"];

/** `80/tcp`; without a protocol tcp is meant. @throws InvalidParameter */
export function parsePort(text: string): { port: number; protocol: Protocol } {
  const [, digits = "", protocol = "tcp"] = /^(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port < 1 || port > 65535) throw invalidParameter(`invalid port specification: ${JSON.stringify(text)}`);
  const lower = protocol.toLowerCase();
  if (!protocols.includes(lower)) throw invalidParameter(`invalid proto: ${protocol}`);
  return { port, protocol: lower as Protocol };
}

/** `8080`, `8000-8010`; "" and 0 leave the choice to us. */
function parseHostPorts(text: string): readonly [number, number] | undefined {
  if (text === "" || text === "0") return undefined;
  const [, first = "", last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = [Number(first), Number(last)] as const;
  if (first === "" || range[0] < 1 || range[1] > 65535 || range[0] > range[1])
    throw invalidParameter(`invalid port specification: ${JSON.stringify(text)}`);
  return range;
}

function hostAddressOf(binding: PortBinding, fallback: string): string {
  const text = binding.HostIp || fallback;
  const family = familyOf(text);
  if (family === undefined) throw invalidParameter(`invalid IP address: ${text}`);
  // Said plainly rather than shown in inspect without working.
  if (family === 6) throw notImplemented(`cannot publish on ${text}: network bridge has no IPv6 addresses`);
  return text;
}

const byPort = (a: PortWish, b: PortWish): number => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol);
/** Fixed ports first, then ranges, then what may be any: so no choice takes what another wish needs. */
const rank = (wish: PortWish): number => (wish.hostPorts === undefined ? 2 : wish.hostPorts[0] === wish.hostPorts[1] ? 0 : 1);

/** All wishes, in the order in which ports are to be given out. @throws InvalidParameter */
export function portWishes(request: PortRequest, defaultAddress: string): PortWish[] {
  const wishes: PortWish[] = [];
  const bound = new Set<string>();
  for (const [key, bindings] of Object.entries(request.portBindings)) {
    const { port, protocol } = parsePort(key);
    for (const binding of bindings ?? []) {
      const hostPorts = parseHostPorts(binding.HostPort ?? "");
      const hostAddress = hostAddressOf(binding, defaultAddress);
      wishes.push({ protocol, containerPort: port, hostAddress, ...(hostPorts === undefined ? {} : { hostPorts }) });
      bound.add(`${port}/${protocol}`);
    }
  }
  if (request.publishAllPorts) {
    for (const text of request.exposedPorts) {
      const { port, protocol } = parsePort(text);
      if (bound.has(`${port}/${protocol}`)) continue;
      bound.add(`${port}/${protocol}`);
      wishes.push({ protocol, containerPort: port, hostAddress: defaultAddress });
    }
  }
  return wishes.sort((a, b) => rank(a) - rank(b) || byPort(a, b));
}
