import { invalidParameter } from "../base/base.ts";
import type { HostOp, HostPort } from "../kernel/kernel.ts";
import type { PublishedPort } from "./firewall.ts";
import type { HostPorts } from "./host-ports.ts";
import { isFixed, type PortWish } from "./port-bindings.ts";
import { type PortInUse, portInUseFor } from "./port-probe.ts";

/** Where the published ports of one IP version lead: the endpoint that the container's default route goes by. */
export interface PortEnd {
  readonly address: string;
  /** The device of its network. */
  readonly bridge: string;
  /** Gateway mode `routed`: other hosts reach the container's own address, and no port of the host is taken. */
  readonly routed?: boolean;
}

/** The ends of a container, by IP version. */
export interface PortEnds {
  readonly ipv4?: PortEnd;
  readonly ipv6?: PortEnd;
  /** `--publish-mode input`: connections end at the host, whose own rules for INPUT apply, and the monitor passes them on. */
  readonly relayAll?: boolean;
}

/** Takes a port for each wish, all or none. @throws Error with Docker's wording of the clash */
export async function takePorts(
  hostPorts: HostPorts,
  wishes: readonly PortWish[],
  ends: PortEnds,
  inUse: PortInUse = portInUseFor(wishes.filter((wish) => !isFixed(wish)).length),
): Promise<PublishedPort[]> {
  const taken: PublishedPort[] = [];
  try {
    for (const wish of wishes) {
      const places = placesOf(wish, ends);
      const addresses = places.filter(({ routed }) => routed !== true).map(({ hostAddress }) => hostAddress);
      const hostPort =
        addresses.length === 0 ? 0 : takeFixed(hostPorts, wish, addresses) || (await choose(hostPorts, wish, addresses, inUse));
      for (const place of places) taken.push({ ...place, hostPort: place.routed === true ? 0 : hostPort });
    }
    return taken;
  } catch (error) {
    releasePorts(hostPorts, taken);
    throw error;
  }
}

type Place = Omit<PublishedPort, "hostPort">;

/** Each address of a wish with the end that it leads to. */
function placesOf(wish: PortWish, ends: PortEnds): Place[] {
  const { protocol, containerPort } = wish;
  return wish.hostAddresses.flatMap((hostAddress): Place[] => {
    const own = hostAddress.includes(":") ? ends.ipv6 : ends.ipv4;
    const end = own ?? ends.ipv4 ?? ends.ipv6;
    if (end === undefined) return [];
    const place = { protocol, hostAddress, containerAddress: end.address, containerPort, bridge: end.bridge };
    if (end.routed === true) return own === undefined ? [] : [{ ...place, routed: true }];
    if (own !== undefined && ends.relayAll !== true) return [place];
    if (protocol !== "sctp") return [{ ...place, relay: true }];
    // Nobody asked for this address by name: the other one will do.
    if (own === undefined && wish.hostAddresses.length > 1) return [];
    throw invalidParameter(`cannot publish ${containerPort}/sctp on ${hostAddress}: SCTP is not passed on from there to ${end.address}`);
  });
}

/** @returns 0 when the port is to be chosen. Whether another program has it is found out by the monitor, which binds and keeps it. */
function takeFixed(hostPorts: HostPorts, wish: PortWish, addresses: readonly string[]): number {
  if (wish.hostPorts === undefined || !isFixed(wish)) return 0;
  const [port] = wish.hostPorts;
  const clash = hostPorts.takeAll(wish.protocol, addresses, port);
  if (clash !== undefined) throw new Error(`Bind for ${clash}:${port} failed: port is already allocated`);
  return port;
}

async function choose(hostPorts: HostPorts, wish: PortWish, addresses: readonly string[], inUse: PortInUse): Promise<number> {
  const port = await hostPorts.choose(wish.protocol, addresses, inUse, wish.hostPorts);
  if (port === undefined) throw new Error("all ports are allocated");
  return port;
}

/** For a plan: the ports of the host that the container's monitor is to hold, and what to do with what comes in there. */
export function holdPorts(ports: readonly PublishedPort[]): HostOp[] {
  return ports.flatMap((port): HostOp[] => {
    if (port.routed === true) return [];
    const hold = { op: "bind-port", protocol: port.protocol, address: port.hostAddress, port: port.hostPort } as const;
    return [port.relay === true ? { ...hold, relay: { address: port.containerAddress, port: port.containerPort } } : hold];
  });
}

/** The opposite, for a change of what a container has. */
export function heldPorts(ports: readonly PublishedPort[]): HostPort[] {
  return ports
    .filter((port) => port.routed !== true)
    .map((port) => ({ protocol: port.protocol, address: port.hostAddress, port: port.hostPort }));
}

/** Ports that an earlier daemon gave out. */
export function claimPorts(hostPorts: HostPorts, ports: readonly PublishedPort[]): void {
  for (const port of ports) if (port.routed !== true) hostPorts.take(port.protocol, port.hostAddress, port.hostPort);
}

export function releasePorts(hostPorts: HostPorts, ports: readonly PublishedPort[]): void {
  for (const port of ports) if (port.routed !== true) hostPorts.release(port.protocol, port.hostAddress, port.hostPort);
}

export interface PortChange {
  /** Published now and asked for still. */
  readonly keep: readonly PublishedPort[];
  /** For {@link takePorts}. */
  readonly add: readonly PortWish[];
  readonly remove: readonly PublishedPort[];
}

/** What is to be done so that a container that has `before` has what is wished. A port that was chosen stays. */
export function portChange(before: readonly PublishedPort[], wishes: readonly PortWish[], ends: PortEnds): PortChange {
  const left = Map.groupBy(before, (port) => `${port.containerPort}/${port.protocol}`);
  const keep: PublishedPort[] = [];
  const add: PortWish[] = [];
  for (const wish of wishes) {
    const key = `${wish.containerPort}/${wish.protocol}`;
    const candidates = left.get(key) ?? [];
    const addresses = placesOf(wish, ends).map(({ hostAddress }) => hostAddress);
    const fitting = candidates.filter((port) => addresses.includes(port.hostAddress) && (port.routed === true || isWithin(port, wish)));
    const kept = isFixed(wish) ? fitting : withOnePort(fitting, addresses.length);
    keep.push(...kept);
    left.set(
      key,
      candidates.filter((port) => !kept.includes(port)),
    );
    const missing = addresses.filter((address) => !kept.some((port) => port.hostAddress === address));
    if (missing.length > 0) add.push({ ...wish, hostAddresses: missing });
  }
  return { keep, add, remove: [...left.values()].flat() };
}

function isWithin({ hostPort }: PublishedPort, { hostPorts: [first, last] = [1, 65535] }: PortWish): boolean {
  return hostPort >= first && hostPort <= last;
}

/** All addresses of a wish have one port: what has not is chosen anew as a whole. */
function withOnePort(ports: readonly PublishedPort[], count: number): readonly PublishedPort[] {
  for (const alike of Map.groupBy(ports, ({ hostPort }) => hostPort).values()) if (alike.length === count) return alike;
  return [];
}
